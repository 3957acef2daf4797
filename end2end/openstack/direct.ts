// The same cloud without the portal: what a script would do that was written for this one order, and
// what people make there by hand.
import { readFileSync } from 'node:fs';
import { access } from './cloud.ts';

const LANES = 4; // as many as the portal's worker has hands
const POLL_MS = 250;

/** A project with a network of its own, and its servers. */
export class Direct {
  private constructor(
    private token: string,
    private services: Record<string, string>,
    private network: string,
    private image: string,
    private flavour: string,
    private group: string,
    readonly project = '',
  ) {}

  /** `name` and `tags` of the project; `image` and `flavour` by their names in the cloud. */
  static async open(name: string, image: string, flavour: string, tags: string[] = []): Promise<Direct> {
    const it = JSON.parse(readFileSync(access(), 'utf8'));
    const domain = { name: it.project_domain };
    const signIn = async (project: object) => {
      const answer = await fetch(`${it.auth_url}/auth/tokens`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          auth: {
            identity: { methods: ['password'], password: { user: { name: it.user, domain: { name: it.user_domain }, password: it.password } } },
            scope: { project },
          },
        }),
      });
      if (answer.status !== 201) throw new Error(`Keystone: ${answer.status} ${await answer.text()}`);
      const { token } = await answer.json();
      const ends: [string, string][] = token.catalog.map((one: { type: string; endpoints: { interface: string; url: string }[] }) => [
        one.type,
        one.endpoints.find((end) => end.interface === 'public')?.url ?? '',
      ]);
      return { id: answer.headers.get('x-subject-token') ?? '', services: Object.fromEntries(ends) as Record<string, string>, domain: token.project.domain.id as string, user: token.user.id as string };
    };
    const first = await signIn({ name: it.project, domain });
    const admin = new Direct(first.id, first.services, '', '', '', '');
    const project = (await admin.ask('POST', `${it.auth_url}/projects`, { project: { name, domain_id: first.domain, tags } })).project.id;
    // As the portal does: nobody is let into a project without a role in it.
    const role = (await admin.ask('GET', `${it.auth_url}/roles?name=member`)).roles[0].id;
    await admin.ask('PUT', `${it.auth_url}/projects/${project}/users/${first.user}/roles/${role}`);
    const limits = { quota_set: { cores: -1, ram: -1, instances: -1 } };
    await admin.ask('PUT', `${first.services.compute}/os-quota-sets/${project}`, limits);
    await admin.ask('PUT', `${first.services.volumev3}/os-quota-sets/${project}`, { quota_set: { volumes: -1, gigabytes: -1 } });
    const images = (await admin.ask('GET', `${first.services.image}/v2/images?name=${image}`)).images;
    const flavours = (await admin.ask('GET', `${first.services.compute}/flavors`)).flavors as { id: string; name: string }[];
    const own = await signIn({ id: project });
    const direct = new Direct(own.id, own.services, '', images[0].id, flavours.find((one) => one.name === flavour)?.id ?? '', `group-${name}`, project);
    direct.network = (await direct.ask('POST', `${own.services.network}/v2.0/networks`, { network: { name } })).network.id;
    // As the portal's preset: each server's port joins a group with a rule.
    const group = (await direct.ask('POST', `${own.services.network}/v2.0/security-groups`, { security_group: { name: direct.group } })).security_group.id;
    const rule = { security_group_id: group, direction: 'ingress', ethertype: 'IPv4', protocol: 'tcp', port_range_min: 22, port_range_max: 22, remote_ip_prefix: '10.0.0.0/8' };
    await direct.ask('POST', `${own.services.network}/v2.0/security-group-rules`, { security_group_rule: rule });
    await direct.ask('POST', `${own.services.network}/v2.0/subnets`, { subnet: { network_id: direct.network, ip_version: 4, cidr: '10.250.0.0/16' } });
    return direct;
  }

  /** Makes so many servers of a name and gives the milliseconds until all of them run. */
  async build(name: string, count: number): Promise<number> {
    const begun = Date.now();
    const waiting = Array.from({ length: count }, (_, n) => (count === 1 ? name : `${name}-${n + 1}`));
    const made: string[] = [];
    let running = 0;
    const lane = async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        const disk = { boot_index: 0, uuid: this.image, source_type: 'image', destination_type: 'volume', volume_size: 40, delete_on_termination: true };
        // The body that the portal sends.
        const body = {
          server: {
            name: one,
            flavorRef: this.flavour,
            networks: [{ uuid: this.network }],
            block_device_mapping_v2: [disk],
            availability_zone: 'gov',
            security_groups: [{ name: this.group }],
            tags: ['direct', `direct-${one}`],
            metadata: { order: one },
            user_data: Buffer.from('#cloud-config\n').toString('base64'),
          },
        };
        made.push((await this.ask('POST', `${this.services.compute}/servers`, body)).server.id);
      }
    };
    const watch = async () => {
      const done = new Set<string>();
      while (running < count) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        for (const id of made.filter((one) => !done.has(one))) {
          const { status } = (await this.ask('GET', `${this.services.compute}/servers/${id}`)).server;
          if (status === 'ERROR') throw new Error(`server ${id} came to nothing`);
          if (status === 'ACTIVE') {
            done.add(id);
            running += 1;
          }
        }
      }
    };
    await Promise.all([...Array.from({ length: LANES }, lane), watch()]);
    const took = Date.now() - begun;
    for (const id of made) await this.ask('DELETE', `${this.services.compute}/servers/${id}`);
    while (made.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const left = (await this.ask('GET', `${this.services.compute}/servers`)).servers as { id: string }[];
      if (!left.some((one) => made.includes(one.id))) break;
    }
    return took;
  }

  /** Servers as people make them, by name: each starts from the image, or, as Horizon proposes it, from
   *  a volume that stays when the server goes. Gives their ids by name when all of them run. */
  async byHand(servers: Record<string, 'image' | 'volume'>): Promise<Record<string, string>> {
    const made: Record<string, string> = {};
    for (const [name, from] of Object.entries(servers)) {
      const disk = { boot_index: 0, uuid: this.image, source_type: 'image', destination_type: 'volume', volume_size: 40, delete_on_termination: false };
      const start = from === 'image' ? { imageRef: this.image } : { block_device_mapping_v2: [disk] };
      const server = { name, flavorRef: this.flavour, networks: [{ uuid: this.network }], availability_zone: 'gov', ...start };
      made[name] = (await this.ask('POST', `${this.services.compute}/servers`, { server })).server.id;
    }
    for (const [name, id] of Object.entries(made)) {
      for (let status = ''; status !== 'ACTIVE'; ) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        ({ status } = (await this.ask('GET', `${this.services.compute}/servers/${id}`)).server);
        if (status === 'ERROR') throw new Error(`server ${name} came to nothing`);
      }
    }
    return made;
  }

  /** Disks that hang on nothing; gives their ids. */
  async loose(names: string[]): Promise<string[]> {
    const made: string[] = [];
    for (const name of names) made.push((await this.ask('POST', `${this.services.volumev3}/volumes`, { volume: { name, size: 1 } })).volume.id);
    return made;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  private async ask(method: string, url: string, body?: unknown): Promise<any> {
    // Tags are part of an order since 2.52; the other services refuse a version that is not theirs.
    const version: Record<string, string> = url.startsWith(this.services.compute ?? ' ') ? { 'openstack-api-version': 'compute 2.79' } : {};
    const answer = await fetch(url, { method, headers: { 'x-auth-token': this.token, 'content-type': 'application/json', ...version }, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}
