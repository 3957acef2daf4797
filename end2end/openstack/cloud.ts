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

/** The parts of Nova's answers that are looked at. */
export interface Machine {
  id: string;
  name: string;
  status: string;
  tenant_id: string;
  flavor: { id: string };
  addresses: Record<string, { addr: string; 'OS-EXT-IPS:type': string }[]>;
  'os-extended-volumes:volumes_attached': { id: string }[];
  'OS-EXT-AZ:availability_zone': string;
}

/** What a project takes of a cloud, in the portal's words. */
export interface Figures {
  cores: number;
  memory_gb: number;
  disk_gb: number;
  addresses: number;
}

/** The parts of Neutron's answers that are looked at. */
export interface Port {
  id: string;
  device_id: string;
  device_owner: string;
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

  /** `version`: a microversion of Cinder, where the answer needs one. */
  private async ask(service: string, path: string, method = 'GET', sent?: unknown, version?: string): Promise<{ status: number; body: any }> {
    const headers: Record<string, string> = { 'x-auth-token': this.token, 'content-type': 'application/json' };
    if (version) headers['openstack-api-version'] = `volume ${version}`;
    const answer = await fetch(`${this.services[service]}${path}`, { method, headers, body: sent === undefined ? undefined : JSON.stringify(sent) });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : null };
  }

  /** Servers of all projects whose names begin so. */
  async servers(prefix: string): Promise<Machine[]> {
    const { body } = await this.ask('compute', `/servers/detail?all_tenants=1&name=${encodeURIComponent(`^${prefix}`)}`);
    return body.servers;
  }

  /** How many of them run. The list without details: for those Nova asks Neutron about each server, and
   *  whoever is being built would wait. */
  async running(prefix: string): Promise<number> {
    const { body } = await this.ask('compute', `/servers?all_tenants=1&status=ACTIVE&name=${encodeURIComponent(`^${prefix}`)}`);
    return body.servers.length;
  }

  /** Cores and memory (GB) of a server, as its flavour says. */
  async size(server: Machine): Promise<[number, number]> {
    const { body } = await this.ask('compute', `/flavors/${server.flavor.id}`);
    return [body.flavor.vcpus, body.flavor.ram / 1_024];
  }

  /** The volumes of a project. */
  async volumes(project: string): Promise<{ id: string; size: number; status: string }[]> {
    const { body } = await this.ask('volumev3', `/volumes/detail?all_tenants=1&project_id=${project}`);
    return body.volumes;
  }

  /** The snapshots of a project's volumes. */
  async snapshots(project: string): Promise<{ id: string; size: number; status: string }[]> {
    const { body } = await this.ask('volumev3', '/snapshots/detail?all_tenants=1');
    const all = body.snapshots as { id: string; size: number; status: string; 'os-extended-snapshot-attributes:project_id': string }[];
    return all.filter((one) => one['os-extended-snapshot-attributes:project_id'] === project);
  }

  /** The backups of a project's volumes. */
  async backups(project: string): Promise<{ id: string; volume_id: string; size: number; status: string }[]> {
    const { body } = await this.ask('volumev3', '/backups/detail?all_tenants=1', 'GET', undefined, '3.27');
    const all = body.backups as { id: string; volume_id: string; size: number; status: string; 'os-backup-project-attr:project_id': string }[];
    return all.filter((one) => one['os-backup-project-attr:project_id'] === project);
  }

  /** What Nova, Cinder and Neutron count for a project. Cinder counts snapshots as if they were volumes;
   *  what the portal sells is the disk, so they are left out here. */
  async figures(project: string): Promise<Figures> {
    const nova = (await this.ask('compute', `/os-quota-sets/${project}/detail`)).body.quota_set;
    const cinder = (await this.ask('volumev3', `/os-quota-sets/${project}?usage=true`)).body.quota_set;
    const snapshots = await this.snapshots(project);
    return {
      cores: nova.cores.in_use,
      memory_gb: nova.ram.in_use / 1_024,
      disk_gb: cinder.gigabytes.in_use - snapshots.reduce((sum, one) => sum + one.size, 0),
      addresses: (await this.addresses(project)).length,
    };
  }

  /** The networks of a project. */
  async networks(project: string): Promise<{ id: string; shared: boolean }[]> {
    return this.network('networks', project);
  }

  /** The routers of a project. */
  async routers(project: string): Promise<{ id: string }[]> {
    return this.network('routers', project);
  }

  /** The ports of a project. */
  async ports(project: string): Promise<Port[]> {
    return this.network('ports', project);
  }

  /** The floating addresses of a project, and to which port each leads. */
  async addresses(project: string): Promise<{ id: string; port_id: string | null }[]> {
    return this.network('floatingips', project);
  }

  /** The security groups of a project without the one that Neutron gives to each. */
  async groups(project: string): Promise<{ name: string; security_group_rules: { direction: string }[] }[]> {
    const all = (await this.network('security-groups', project)) as { name: string; security_group_rules: { direction: string }[] }[];
    return all.filter((one) => one.name !== 'default');
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  private async network(what: string, project: string): Promise<any> {
    const { body } = await this.ask('network', `/v2.0/${what}?project_id=${project}`);
    return body[what.replace('-', '_')];
  }

  /** Gives a server another size behind the portal's back. */
  async resize(server: string, vcpus: number, memory_gb: number): Promise<void> {
    const { flavors } = (await this.ask('compute', '/flavors/detail')).body as { flavors: { id: string; vcpus: number; ram: number }[] };
    const flavour = flavors.find((one) => one.vcpus === vcpus && one.ram === memory_gb * 1_024);
    const act = async (sent: unknown) => {
      const { status, body } = await this.ask('compute', `/servers/${server}/action`, 'POST', sent);
      if (status >= 300) throw new Error(`Nova: ${status} ${JSON.stringify(body)}`);
    };
    await act({ resize: { flavorRef: flavour?.id } });
    for (let tries = 0; (await this.ask('compute', `/servers/${server}`)).body.server.status !== 'VERIFY_RESIZE'; tries += 1) {
      if (tries > 120) throw new Error('Nova does not come to the end of a resize');
      await new Promise((done) => setTimeout(done, 500));
    }
    await act({ confirmResize: null });
  }

  /** Takes an address for a project behind the portal's back. */
  async takeAddress(project: string): Promise<{ id: string; floating_ip_address: string }> {
    const { networks } = (await this.ask('network', '/v2.0/networks?router:external=true')).body as { networks: { id: string }[] };
    const sent = { floatingip: { floating_network_id: networks[0]?.id, project_id: project } };
    const { status, body } = await this.ask('network', '/v2.0/floatingips', 'POST', sent);
    if (status >= 300) throw new Error(`Neutron: ${status} ${JSON.stringify(body)}`);
    return body.floatingip;
  }

  /** Deletes a server behind the portal's back. */
  async destroy(server: string): Promise<void> {
    await this.ask('compute', `/servers/${server}`, 'DELETE');
  }
}
