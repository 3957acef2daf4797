// What journeys on the lab share: a portal of its own for each, which may be killed and come back,
// and the administrator's view of the cloud.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import type { Server, Settings } from '../support/server.ts';
import { Cloud, type Figures, startPortal } from './cloud.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

/** Names differ from run to run: the lab may hold what an earlier run left. */
export const RUN = Date.now().toString(36).slice(-5);

/** The smallest host that the lab's images make. */
export const SMALL = { arch: 'general', vcpus: '1', memory_gb: '2', image: 'kylin-v10', system_disk_gb: '40', access: 'password' };

/** A portal of the demo town, its data in a folder that is thrown away. */
export class Town {
  private portal: Server | undefined;

  /** `changes` are put on top of its configuration: `section.key=TOML`; `settings` are of its process
   *  alone. Copies of one portal share the folder, for their key and secrets. */
  constructor(
    private readonly changes: string[] = [],
    private readonly settings: Settings = {},
    readonly folder = mkdtempSync(join(tmpdir(), 'lingbao-openstack-')),
  ) {}

  /** Starts it, or starts it again on what is there already. */
  async start(): Promise<void> {
    this.portal = await startPortal(this.folder, this.changes, this.settings);
  }

  /** Ends its process without a word. */
  async fall(): Promise<void> {
    await this.portal?.kill();
  }

  /** Ends its process without a word, and starts it again. */
  async kill(): Promise<void> {
    await this.fall();
    await this.start();
  }

  /** Where it answers now. */
  readonly where = (): string => {
    if (!this.portal) throw new Error('the portal was not started');
    return this.portal.url;
  };

  async end(): Promise<void> {
    await this.portal?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Stops or starts one service of the lab. */
export function lab(act: 'stop' | 'start', part: string): void {
  execFileSync(join(HERE, 'lab'), [act, part], { stdio: 'ignore' });
}

/** Waits until a request has been fulfilled whole. */
export async function delivered(where: () => string, cookie: string, request: string, timeout = 280_000): Promise<void> {
  await expect(async () => {
    const { body } = await call(where, cookie, 'GET', `/requests/${request}`);
    expect(body.row.status).toBe('delivered');
    expect(body.row.outcome ?? 'complete').toBe('complete');
  }).toPass({ timeout, intervals: [250] });
}

/** Nobody had to do anything, and nobody has to. */
export async function byItself(where: () => string): Promise<void> {
  const operator = await session(where(), 'operator');
  expect((await call(where, operator, 'GET', '/sagas?state=stuck')).body.rows, 'what waits for an operator').toEqual([]);
}

/** Pages answer from the portal's own rows and never wait for a cloud. */
export async function answerQuickly(where: () => string, cookie: string, paths: string[]): Promise<void> {
  for (const path of paths) {
    const begun = Date.now();
    const answer = await fetch(where() + path, { headers: { cookie } });
    await answer.text();
    expect(answer.status, path).toBe(200);
    expect(Date.now() - begun, path).toBeLessThan(3_000);
  }
}

/** The text of a page, as whoever has no scripts reads it. */
export async function read(where: () => string, cookie: string, path: string): Promise<string> {
  const answer = await fetch(where() + path, { headers: { cookie } });
  expect(answer.status, path).toBe(200);
  return answer.text();
}

/** A thing of a unit, as the portal lists it. */
export interface Thing {
  id: string;
  name: string;
  kind: string;
}

/** All that the caller's unit has. */
export async function things(where: () => string, cookie: string): Promise<Thing[]> {
  return (await call(where, cookie, 'GET', '/resources?limit=200')).body.rows;
}

/** Asks for something that is done to a thing at once; gives the answer. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export async function act(where: () => string, cookie: string, thing: string, path: string, body: unknown = {}): Promise<any> {
  const done = await call(where, cookie, 'POST', `/resources/${thing}/${path}`, body);
  expect(done.status, `${path}: ${JSON.stringify(done.body)}`).toBeLessThan(300);
  return done.body;
}

/** Waits until nothing is under way on a thing any more, and what came of it stands as the last event. */
export async function became(where: () => string, cookie: string, thing: string, event: string, timeout = 120_000): Promise<void> {
  const now = async () => {
    const { body } = await call(where, cookie, 'GET', `/resources/${thing}`);
    return [body.busy ?? null, body.events[0].kind];
  };
  await expect.poll(now, { message: `${thing} becomes ${event}`, timeout }).toEqual([null, event]);
}

/** Waits until a thing's owner may do all of this to it: what the cloud can do is read once a minute. */
export async function able(where: () => string, cookie: string, thing: string, acts: string[], timeout = 90_000): Promise<void> {
  const missing = async () => {
    const { may } = (await call(where, cookie, 'GET', `/resources/${thing}`)).body;
    return acts.filter((one) => !may.includes(one));
  };
  await expect.poll(missing, { message: `what can't be done to ${thing}`, timeout }).toEqual([]);
}

/** What the portal's ledger books for the caller's unit. */
export async function booked(where: () => string, cookie: string): Promise<{ used: Figures; held: Figures }> {
  const rows = (await call(where, cookie, 'GET', '/quota')).body.rows as { dimension: string; standing: { used: number; held: number } }[];
  const figures = (side: 'used' | 'held'): Figures => {
    const sum = (...dimensions: string[]) =>
      rows.filter((row) => dimensions.includes(row.dimension)).reduce((all, row) => all + row.standing[side], 0);
    return { cores: sum('vcpu'), memory_gb: sum('memory_gb'), disk_gb: sum('ssd_gb', 'sas_gb', 'sata_gb'), addresses: sum('addresses') };
  };
  return { used: figures('used'), held: figures('held') };
}

/** What the portal books for a unit is what Nova, Cinder and Neutron count in its project, and nothing
 *  is held for what has been done. */
export async function balanced(where: () => string, cookie: string, cloud: Cloud, project: string): Promise<Figures> {
  const { used, held } = await booked(where, cookie);
  expect(held, 'held by what is done').toEqual({ cores: 0, memory_gb: 0, disk_gb: 0, addresses: 0 });
  // Cinder counts what it deletes until it is gone.
  await expect.poll(() => cloud.figures(project), { message: 'the cloud counts what the portal books', timeout: 30_000 }).toEqual(used);
  return used;
}

/** How the security group of one host's own begins; the server's id follows. */
const OF_A_HOST = 'lingbao-host-';

/** In a project every port, router and security group belongs to something that stands: to each of
 *  these servers one port, to all of them one network with one router and one group of their level. */
export async function tidy(cloud: Cloud, project: string, servers: { id: string }[]): Promise<void> {
  const [networks, routers, ports] = [await cloud.networks(project), await cloud.routers(project), await cloud.ports(project)];
  expect([networks.length, routers.length], 'one network, one router').toEqual([1, 1]);
  const ids = servers.map((one) => one.id).sort();
  const ofServers = ports.filter((port) => port.device_owner.startsWith('compute:'));
  expect(ofServers.map((port) => port.device_id).sort(), 'a port for each server').toEqual(ids);
  const others = ports.filter((port) => !ofServers.includes(port));
  expect(others.map((port) => [port.device_owner, port.device_id]), 'beside them the router stands in the network').toEqual([
    ['network:router_interface', routers[0]?.id],
  ]);
  const groups = (await cloud.groups(project)).map((one) => one.name);
  const own = groups.filter((name) => name.startsWith(OF_A_HOST));
  expect(groups.filter((name) => !own.includes(name)), 'one group of the level').toEqual([expect.stringMatching(/^lingbao-level\d/)]);
  expect(new Set(own).size, 'one group a host').toBe(own.length);
  expect(own.filter((name) => !ids.includes(name.slice(OF_A_HOST.length))), 'groups of hosts that are gone').toEqual([]);
}

/** As many servers of a name as were ordered, on both sides; in their project nothing that the portal
 *  does not list, and the same figures. */
export async function exactly(where: () => string, cookie: string, cloud: Cloud, name: string, count: number): Promise<void> {
  const servers = await cloud.servers(name);
  expect(servers.map((one) => one.status)).toEqual(Array(count).fill('ACTIVE'));
  expect(new Set(servers.map((one) => one.name)).size).toBe(count);
  const projects = [...new Set(servers.map((one) => one.tenant_id))];
  expect(projects).toHaveLength(1);
  const project = projects[0] ?? '';
  const all = await things(where, cookie);
  const of = (kind: string) => all.filter((one) => one.kind === kind);
  expect(of('server').map((one) => one.name).sort()).toEqual(servers.map((one) => one.name).sort());
  expect(await cloud.volumes(project), 'one system disk each, and the disks').toHaveLength(count + of('volume').length);
  expect(await cloud.addresses(project)).toHaveLength(of('address').length);
  await tidy(cloud, project, servers);
  const { cores, memory_gb, disk_gb } = await balanced(where, cookie, cloud, project);
  expect(cores).toBe(count * Number(SMALL.vcpus));
  expect(memory_gb).toBe(count * Number(SMALL.memory_gb));
  expect(disk_gb).toBeGreaterThanOrEqual(count * Number(SMALL.system_disk_gb));
}

/** Gives back all that the caller's unit has, to be erased at once; gives the request. */
export async function giveBackAll(where: () => string, cookie: string): Promise<string> {
  const all = (await things(where, cookie)).map((one) => one.id);
  const release = await call(where, cookie, 'POST', '/releases', { resources: all, reason: '核验完毕，全部退回。', erase_at_once: true });
  expect(release.status, JSON.stringify(release.body)).toBe(201);
  return release.body.request;
}

/** All that was given back is gone: from the portal, and from the project, where network, router and the
 *  group of the level wait for the next order. */
export async function nothingLeft(where: () => string, cookie: string, cloud: Cloud, name: string, project: string, timeout = 120_000): Promise<void> {
  await expect.poll(async () => (await things(where, cookie)).map((one) => one.name), { message: 'what the portal lists', timeout }).toEqual([]);
  const left = async () => ({
    servers: (await cloud.servers(name)).length,
    volumes: (await cloud.volumes(project)).length,
    snapshots: (await cloud.snapshots(project)).length,
    backups: (await cloud.backups(project)).length,
    addresses: (await cloud.addresses(project)).length,
  });
  await expect.poll(left, { message: 'what the cloud has', timeout: 60_000 }).toEqual({ servers: 0, volumes: 0, snapshots: 0, backups: 0, addresses: 0 });
  await tidy(cloud, project, []);
  await balanced(where, cookie, cloud, project);
}

/** Each journey has a town of its own; pages open in it. */
export const test = base.extend<{ town: Town; cloud: Cloud }>({
  cloud: async ({}, use) => use(await Cloud.open()),
  town: async ({}, use) => {
    const town = new Town();
    try {
      await town.start();
      await use(town);
    } finally {
      await town.end();
    }
  },
  baseURL: async ({ town }, use) => use(town.where()),
});
export { expect };
