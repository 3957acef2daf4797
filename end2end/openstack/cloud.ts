// The lab as its administrator sees it, beside the portal: what is really there.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, launch, ROOT, type Server } from '../support/server.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

/** The file with the portal's account, as `lab access` names it. */
export function access(): string {
  const file = process.env.LINGBAO_OPENSTACK;
  if (!file) throw new Error('no OpenStack at hand: make test-openstack brings one up');
  return file;
}

/** A portal of the demo town on the lab, its data in `folder`, with `changes` to its configuration
 *  (`section.key=TOML`). Starts anew on what is there already. */
export async function startPortal(folder: string, changes: string[] = []): Promise<Server> {
  const config = execFileSync('python3', [join(HERE, 'portal.py'), folder, access(), ...changes], { encoding: 'utf8' }).trim();
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  return launch(folder, ['serve', '--config', config, '--demo', 'newtown'], url, '/sign-in', {
    LINGBAO_SERVER__LISTEN: address,
    LINGBAO_SERVER__PUBLIC_URL: url,
    LEPTOS_OUTPUT_NAME: 'lingbao',
    LEPTOS_SITE_ADDR: address,
    LEPTOS_SITE_ROOT: process.env.LINGBAO_SITE ?? join(ROOT, 'target', 'site'),
    LEPTOS_HASH_FILES: process.env.LINGBAO_SITE ? 'false' : 'true',
  });
}

/** The parts of Nova's and Cinder's answers that are looked at. */
export interface Machine {
  id: string;
  name: string;
  status: string;
  tenant_id: string;
  addresses: Record<string, { addr: string; 'OS-EXT-IPS:type': string }[]>;
  'os-extended-volumes:volumes_attached': { id: string }[];
  'OS-EXT-AZ:availability_zone': string;
}

/** The administrator's view of the whole cloud. */
export class Cloud {
  private constructor(
    private readonly token: string,
    private readonly services: Record<string, string>,
  ) {}

  static async open(): Promise<Cloud> {
    const it = JSON.parse(readFileSync(access(), 'utf8'));
    const domain = (name: string) => ({ name });
    const answer = await fetch(`${it.auth_url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user: { name: it.user, domain: domain(it.user_domain), password: it.password } } },
          scope: { project: { name: it.project, domain: domain(it.project_domain) } },
        },
      }),
    });
    if (answer.status !== 201) throw new Error(`Keystone: ${answer.status} ${await answer.text()}`);
    const { token } = await answer.json();
    const services = Object.fromEntries(
      token.catalog.map((one: { type: string; endpoints: { interface: string; url: string }[] }) => [
        one.type,
        one.endpoints.find((end) => end.interface === 'public')?.url,
      ]),
    );
    return new Cloud(answer.headers.get('x-subject-token') ?? '', services);
  }

  private async ask(service: string, path: string, method = 'GET'): Promise<{ status: number; body: any }> {
    const answer = await fetch(`${this.services[service]}${path}`, { method, headers: { 'x-auth-token': this.token } });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : null };
  }

  /** Servers of all projects whose names begin so. */
  async servers(prefix: string): Promise<Machine[]> {
    const { body } = await this.ask('compute', `/servers/detail?all_tenants=1&name=${encodeURIComponent(`^${prefix}`)}`);
    return body.servers;
  }

  /** How many of the volumes of a project there are. */
  async volumes(project: string): Promise<{ id: string; size: number; status: string }[]> {
    const { body } = await this.ask('volumev3', `/volumes/detail?all_tenants=1&project_id=${project}`);
    return body.volumes;
  }

  /** Cores and memory that a project's limits allow and that it uses. */
  async limits(project: string): Promise<Record<string, { limit: number; in_use: number }>> {
    const { body } = await this.ask('compute', `/os-quota-sets/${project}/detail`);
    return body.quota_set;
  }

  /** The networks of a project. */
  async networks(project: string): Promise<{ id: string; shared: boolean }[]> {
    const { body } = await this.ask('network', `/v2.0/networks?project_id=${project}`);
    return body.networks;
  }

  /** Deletes a server behind the portal's back. */
  async destroy(server: string): Promise<void> {
    await this.ask('compute', `/servers/${server}`, 'DELETE');
  }
}
