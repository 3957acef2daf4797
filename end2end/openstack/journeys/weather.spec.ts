// The cloud fails in the middle of what it is asked for: whatever the weather, what was ordered is
// there once, what was pressed is done, and what was given back is gone.
import { readFileSync } from 'node:fs';
import { session } from '../../support/api.ts';
import { approveAll, order } from '../../support/order.ts';
import { access } from '../cloud.ts';
import { Proxy, type Fault } from '../proxy.ts';
import { able, act, balanced, became, byItself, delivered, exactly, expect, giveBackAll, nothingLeft, RUN, SMALL, test, things, Town } from '../world.ts';

/** Each in its turn. */
const FAULTS: Fault[] = ['slow', 'drop', 'lose', 'error', 'storm', 'expired', 'wrong', 'half', 'garbage'];
/** Rougher than one in twelve is no weather: a step of ten requests would never come through whole. */
const ONE_IN = 12;
/** A storm takes the requests that follow along. */
const STORM = 3;

/** One request in twelve goes wrong, in every way there is, one after the other. */
function weather(): () => Fault {
  let requests = 0;
  let storm = 0;
  return () => {
    if (storm > 0) {
      storm -= 1;
      return 'storm';
    }
    requests += 1;
    if (requests % ONE_IN !== 0) return 'pass';
    const fault = FAULTS[(requests / ONE_IN - 1) % FAULTS.length] ?? 'pass';
    if (fault === 'storm') storm = STORM - 1;
    return fault;
  };
}

test('six servers, a disk and an address are built, changed and given back through losses, storms and half answers, each of them once @long', async ({ cloud }) => {
  test.setTimeout(900_000);
  const proxy = await Proxy.open();
  const it = JSON.parse(readFileSync(access(), 'utf8'));
  const town = new Town([`backends.openstack.url=${JSON.stringify(proxy.through(it.auth_url))}`]);
  try {
    await town.start();
    const { where } = town;
    const name = `rain-${RUN}`;
    const clerk = await session(where(), 'clerk');
    const cookies: Record<string, string> = {};
    /** One weather for the whole day: it goes on where it stopped. */
    const bad = weather();
    const fallen = () => FAULTS.reduce((sum, fault) => sum + (proxy.seen[fault] ?? 0), 0);
    /** Does something in this weather; at least one request of it goes wrong. */
    const inTheRain = async (what: string, doing: () => Promise<void>) => {
      const [begun, before] = [Date.now(), fallen()];
      proxy.weather = bad;
      await doing();
      proxy.weather = () => 'pass';
      expect(fallen() - before, `what went wrong while ${what}`).toBeGreaterThan(0);
      console.log(`${what}: ${fallen() - before} requests went wrong in ${Math.round((Date.now() - begun) / 1_000)} s`);
    };

    const { id } = await order(where, clerk, name, [
      { item: 'C-ECS', name: `${name}-first`, typed: SMALL },
      { item: 'C-ECS', name: `${name}-more`, count: '5', typed: SMALL },
      { item: 'S-EVS', name: `${name}-disk`, typed: { attach_to: '#1', disk_class: 'ssd', size_gb: '20' } },
      { item: 'N-EIP', name: `${name}-address`, typed: { attach_to: '#1', carrier: 'three_line', bandwidth_mbps: '2' } },
    ]);
    // From the approval on until most of the servers are there and everything has gone wrong once.
    await inTheRain('building', async () => {
      await approveAll(where, id, 'leader.tjj', cookies);
      await expect.poll(() => cloud.running(name), { timeout: 180_000 }).toBeGreaterThan(3);
      await expect.poll(() => FAULTS.filter((fault) => !proxy.seen[fault]), { message: 'what did not happen yet', timeout: 120_000 }).toEqual([]);
    });
    await delivered(where, clerk, id);
    await exactly(where, clerk, cloud, name, 6);
    await byItself(where);

    const all = await things(where, clerk);
    const disk = all.find((one) => one.kind === 'volume')!.id;
    const address = all.find((one) => one.kind === 'address')!.id;
    const hosts = all.filter((one) => one.kind === 'server' && one.name.startsWith(`${name}-more`));
    const [grown, ruled, second, third] = hosts.map((one) => one.id) as [string, string, string, string];
    await able(where, clerk, disk, ['snapshot', 'detach']);
    await able(where, clerk, address, ['detach']);
    await able(where, clerk, ruled, ['rules', 'resize']);
    const servers = await cloud.servers(name);
    const server = (host: string) => servers.find((one) => one.name === hosts.find((it) => it.id === host)?.name)!;
    const project = servers[0]!.tenant_id;
    const done = (thing: string, event: string) => became(where, clerk, thing, event, 180_000);

    await inTheRain('changing what stands', async () => {
      // On four things at once; then the disk and the address move on to other hosts.
      await act(where, clerk, disk, 'snapshots', { name: 'before' });
      await act(where, clerk, ruled, 'rules', { protocol: 'tcp', ports: '8000', source: '10.8.0.0/24' });
      const change = await act(where, clerk, grown, 'changes', { what: 'resize', typed: { vcpus: '2', memory_gb: '4' }, reason: '汇总期间计算能力不足。' });
      await approveAll(where, change.request, 'leader.tjj', cookies);
      await act(where, clerk, address, 'detach');
      await done(address, 'detached');
      await act(where, clerk, address, 'attach', { host: second });
      await done(disk, 'snapshot_taken');
      await act(where, clerk, disk, 'detach');
      await done(disk, 'detached');
      await act(where, clerk, disk, 'attach', { host: third });
      await done(disk, 'attached');
      await done(address, 'attached');
      await done(ruled, 'rules_changed');
      await done(grown, 'resized');
    });
    await byItself(where);
    // Each of it happened, and once.
    expect(await cloud.size((await cloud.servers(server(grown).name))[0]!)).toEqual([2, 4]);
    expect((await cloud.snapshots(project)).map((one) => [one.status, one.size])).toEqual([['available', 20]]);
    const counts = (await cloud.servers(name)).map((one) => [one.name, one.status, one['os-extended-volumes:volumes_attached'].length]);
    expect(counts.sort()).toEqual(servers.map((one) => [one.name, 'ACTIVE', one.id === server(third).id ? 2 : 1]).sort());
    const [ports, addresses, groups] = [await cloud.ports(project), await cloud.addresses(project), await cloud.groups(project)];
    expect(addresses.map((one) => ports.find((port) => port.id === one.port_id)?.device_id)).toEqual([server(second).id]);
    const own = groups.filter((group) => group.name.startsWith('lingbao-host-'));
    expect(own.map((group) => [group.name, group.security_group_rules.filter((rule) => rule.direction === 'ingress').length])).toEqual([[`lingbao-host-${server(ruled).id}`, 1]]);
    expect(await balanced(where, clerk, cloud, project)).toEqual({ cores: 7, memory_gb: 14, disk_gb: 260, addresses: 1 });

    await inTheRain('giving everything back', async () => {
      await approveAll(where, await giveBackAll(where, clerk), 'leader.tjj', cookies);
      await expect.poll(async () => (await things(where, clerk)).map((one) => one.name), { timeout: 280_000 }).toEqual([]);
    });
    await nothingLeft(where, clerk, cloud, name, project);
    await byItself(where);
  } finally {
    await town.end();
    await proxy.close();
  }
});
