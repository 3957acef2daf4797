// The lab as its administrator sees it, beside the portal: what is really there.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, launch, ROOT, type Server, type Settings } from '../support/server.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

/** The file with the portal's account, as `lab access` names it. */
export function access(): string {
  const file = process.env.LINGBAO_OPENSTACK;
  if (!file) throw new Error('no OpenStack at hand: make test-openstack brings one up');
  return file;
}

/** A portal of the demo town on the lab, its data in `folder`, with `changes` to its configuration
 *  (`section.key=TOML`) and `settings` of this process alone. Starts anew on what is there already. */
export async function startPortal(folder: string, changes: string[] = [], settings: Settings = {}): Promise<Server> {
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
    ...settings,
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

/** What a pool may hand out in all, and what of it is handed out. */
export interface Room {
  cores: [number, number];
  memory_gb: [number, number];
  /** Of disks only the whole: how Cinder reckons what is left is the business of the portal's own tests. */
  disk_gb: number;
  addresses: [number, number];
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
  async volumes(project: string): Promise<{ id: string; name: string; size: number; status: string; metadata: Record<string, string> }[]> {
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

  /** The limits of a project as the services keep them; -1 is none. */
  async limits(project: string): Promise<Figures> {
    const nova = (await this.ask('compute', `/os-quota-sets/${project}`)).body.quota_set;
    const cinder = (await this.ask('volumev3', `/os-quota-sets/${project}`)).body.quota_set;
    const neutron = (await this.ask('network', `/v2.0/quotas/${project}`)).body.quota;
    return { cores: nova.cores, memory_gb: nova.ram < 0 ? -1 : nova.ram / 1_024, disk_gb: cinder.gigabytes, addresses: neutron.floatingip };
  }

  /** How full a zone is: its hosts as Placement counts them, all disks, all public addresses. */
  async room(zone: string): Promise<Room> {
    const { availabilityZoneInfo: zones } = (await this.ask('compute', '/os-availability-zone/detail')).body as { availabilityZoneInfo: { zoneName: string; hosts: Record<string, unknown> }[] };
    const hosts = Object.keys(zones.find((one) => one.zoneName === zone)?.hosts ?? {});
    const { hypervisors } = (await this.ask('compute', '/os-hypervisors/detail')).body as { hypervisors: { hypervisor_hostname: string; service: { host: string } }[] };
    const sum = { cores: [0, 0] as [number, number], mb: [0, 0] as [number, number] };
    for (const { hypervisor_hostname: name } of hypervisors.filter((one) => hosts.includes(one.service.host))) {
      const { resource_providers: found } = (await this.ask('placement', `/resource_providers?name=${name}`)).body as { resource_providers: { uuid: string }[] };
      const of = async (what: string) => (await this.ask('placement', `/resource_providers/${found[0]?.uuid}/${what}`)).body[what];
      const [there, taken] = [await of('inventories'), await of('usages')];
      const whole = (kind: string) => Math.floor((there[kind].total - there[kind].reserved) * there[kind].allocation_ratio);
      sum.cores = [sum.cores[0] + whole('VCPU'), sum.cores[1] + taken.VCPU];
      sum.mb = [sum.mb[0] + whole('MEMORY_MB'), sum.mb[1] + taken.MEMORY_MB];
    }
    const { pools } = (await this.ask('volumev3', '/scheduler-stats/get_pools?detail=true')).body as { pools: { capabilities: { total_capacity_gb: number; max_over_subscription_ratio: string } }[] };
    const thin = pools.map(({ capabilities: it }) => it.total_capacity_gb * Number(it.max_over_subscription_ratio));
    const { networks } = (await this.ask('network', '/v2.0/networks?router:external=true')).body as { networks: { id: string }[] };
    const { network_ip_availability: ips } = (await this.ask('network', `/v2.0/network-ip-availabilities/${networks[0]?.id}`)).body;
    return {
      cores: sum.cores,
      memory_gb: [Math.floor(sum.mb[0] / 1_024), Math.ceil(sum.mb[1] / 1_024)],
      disk_gb: Math.floor(thin.reduce((all, one) => all + one, 0)),
      addresses: [ips.total_ips, ips.used_ips],
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
