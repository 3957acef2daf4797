// Two copies of the portal on one PostgreSQL and one cloud. Each time a copy has something in hand that
// the cloud does and has not answered yet, it is killed: while project and network are made for the
// first time, while servers are built, while all is given back. The other copy ends it, once.
import { readFileSync } from 'node:fs';
import { session } from '../../support/api.ts';
import { approveAll, order, orderHosts } from '../../support/order.ts';
import { startPostgres } from '../../support/postgres.ts';
import { access } from '../cloud.ts';
import { Proxy } from '../proxy.ts';
import { byItself, delivered, exactly, expect, giveBackAll, nothingLeft, RUN, SMALL, test, Town } from '../world.ts';

/** A request at which a copy is killed: the cloud has done it, and the answer never comes. */
interface Point {
  what: string;
  method: string;
  path: RegExp;
  /** Of so many requests. */
  times: number;
}

const point = (what: string, method: string, path: RegExp, times = 1): Point => ({ what, method, path, times });

/** A copy of the portal, and its own way to the cloud. */
class Copy {
  /** The points at which it stands. */
  stands: string[] = [];

  private constructor(
    readonly town: Town,
    private readonly proxy: Proxy,
  ) {}

  /** Not started yet; with `beside` it shares key and secrets with that one. */
  static async open(name: string, changes: string[], beside?: Copy): Promise<Copy> {
    const proxy = await Proxy.open();
    const it = JSON.parse(readFileSync(access(), 'utf8'));
    const own = { LINGBAO_WORKER__NAME: name, LINGBAO_BACKENDS__OPENSTACK__URL: proxy.through(it.auth_url) };
    return new Copy(new Town(changes, own, beside?.town.folder), proxy);
  }

  /** From now on it comes no further than to one of these, each so often. */
  holdAt(points: Point[]): void {
    const left = points.map((one) => ({ ...one }));
    this.stands = [];
    this.proxy.weather = (method, path) => {
      const here = left.find((one) => one.times > 0 && one.method === method && one.path.test(path));
      if (!here) return 'pass';
      here.times -= 1;
      this.stands.push(here.what);
      return 'hang';
    };
  }

  /** Nothing more is held; what stands already goes on standing. */
  letGo(): void {
    this.proxy.weather = () => 'pass';
  }

  async end(): Promise<void> {
    await this.town.end();
    await this.proxy.close();
  }
}

test('two copies set up, build and give back while one after the other is killed in the middle: what was ordered is there once, and then nothing @long', async ({ cloud }) => {
  test.setTimeout(600_000);
  const postgres = startPostgres();
  // Whoever stands at a point stands there until he is killed.
  const changes = [`database.url=${JSON.stringify(postgres.url)}`, 'backends.openstack.timeout_ms=25000'];
  const first = await Copy.open('first', changes);
  const second = await Copy.open('second', changes, first);
  const copies = [first, second];
  /** As soon as so many requests stand, kills the copy that has most of them; gives where all stood. */
  const killWhere = async (many: number): Promise<string[]> => {
    await expect.poll(() => copies.flatMap((one) => one.stands).length, { message: 'what the copies stand at', timeout: 90_000 }).toBeGreaterThanOrEqual(many);
    const stood = copies.flatMap((one) => one.stands);
    for (const copy of copies) copy.letGo();
    const [victim] = [...copies].sort((one, other) => other.stands.length - one.stands.length);
    await victim!.town.kill();
    return stood;
  };
  try {
    await first.town.start();
    const { where } = first.town;
    const cookies: Record<string, string> = {};
    const sides = [
      { login: 'clerk', leader: 'leader.tjj', name: `twin-a-${RUN}`, hosts: 3 },
      { login: 'clerk.rsj', leader: 'leader.rsj', name: `twin-b-${RUN}`, hosts: 1 },
    ];
    const requests: { request: string; cookie: string }[] = [];

    // The first order of each unit: one project is made and the portal has no rights in it yet, of the
    // other the router has just got its foot into the network.
    const role = point('project', 'PUT', /\/projects\/[^/]+\/users\/[^/]+\/roles\//);
    const foot = point('network', 'PUT', /\/routers\/[^/]+\/add_router_interface/);
    first.holdAt([role, foot]);
    for (const { login, leader, name } of sides) {
      const cookie = (cookies[login] ??= await session(where(), login));
      const { id } = await order(where, cookie, name, [
        { item: 'C-ECS', name, typed: SMALL },
        { item: 'S-EVS', name: `${name}-disk`, typed: { attach_to: '#1', disk_class: 'ssd', size_gb: '20' } },
        { item: 'N-EIP', name: `${name}-address`, typed: { attach_to: '#1', carrier: 'three_line', bandwidth_mbps: '2' } },
      ]);
      await approveAll(where, id, leader, cookies);
      requests.push({ request: id, cookie });
    }
    expect((await killWhere(2)).sort()).toEqual(['network', 'project']);
    await second.town.start();

    // Whoever takes over comes to the servers; then more of them are ordered, for both copies.
    const servers = point('server', 'POST', /\/servers(\?|$)/, 3);
    for (const copy of copies) copy.holdAt([servers]);
    await expect.poll(() => copies.flatMap((one) => one.stands).length, { message: 'servers that are being asked for', timeout: 120_000 }).toBeGreaterThan(0);
    const a = sides[0]!;
    const more = await orderHosts(where, cookies[a.login]!, `${a.name}-more`, a.hosts - 1, SMALL);
    await approveAll(where, more, a.leader, cookies);
    requests.push({ request: more, cookie: cookies[a.login]! });
    await killWhere(3);
    for (const { request, cookie } of requests) await delivered(second.town.where, cookie, request);
    for (const { login, name, hosts } of sides) await exactly(where, cookies[login]!, cloud, name, hosts);
    await byItself(where);

    // All is given back: servers and disks go, and whoever had them deleted does not hear of it.
    const projects = await Promise.all(sides.map(async ({ name }) => (await cloud.servers(name))[0]!.tenant_id));
    for (const copy of copies) copy.holdAt([point('server', 'DELETE', /\/servers\/[^/]+$/), point('disk', 'DELETE', /\/volumes\/[^/?]+/)]);
    for (const { login, leader } of sides) await approveAll(where, await giveBackAll(where, cookies[login]!), leader, cookies);
    await killWhere(2);
    for (const [at, { login, name }] of sides.entries()) await nothingLeft(where, cookies[login]!, cloud, name, projects[at]!);
    await byItself(where);
  } finally {
    for (const copy of [second, first]) await copy.end();
    postgres.stop();
  }
});
