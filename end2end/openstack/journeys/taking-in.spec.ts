// Servers that people made in the cloud itself are taken in, given more, released and erased; and the
// cloud lists everything a few things at a time, as one does whose `osapi_max_limit` is low.
import { readFileSync } from 'node:fs';
import { call, session } from '../../support/api.ts';
import { approveAll } from '../../support/order.ts';
import { access } from '../cloud.ts';
import { Direct } from '../direct.ts';
import { Proxy } from '../proxy.ts';
import { able, act, became, booked, byItself, expect, giveBackAll, read, RUN, test, things, Town } from '../world.ts';

/** A thing that is nobody's, as operators read it. */
interface Stranger {
  external_id: string;
  name: string;
  thing: string;
  state: string;
  project: string;
}

test('servers made by hand in a tagged project are taken in, undone, taken in again, resized and erased with the disks from which they start', async ({ cloud }) => {
  const proxy = await Proxy.open();
  const it = JSON.parse(readFileSync(access(), 'utf8'));
  const town = new Town([`backends.openstack.url=${JSON.stringify(proxy.through(it.auth_url))}`]);
  const name = `hand-${RUN}`;
  const [fromImage, fromVolume, another] = [`${name}-1`, `${name}-2`, `${name}-3`];
  try {
    // As Horizon makes them: the volume from which one starts is to stay when the server goes.
    const hand = await Direct.open(name, 'kylin-v10', 'lb.1c2g', ['lingbao']);
    const [, made, loose] = await Promise.all([
      town.start(),
      hand.byHand({ [fromImage]: 'image', [fromVolume]: 'volume', [another]: 'image' }),
      hand.loose([1, 2, 3].map((n) => `${name}-loose-${n}`)),
    ]);
    const { where } = town;
    const [clerk, operator] = [await session(where(), 'clerk'), await session(where(), 'operator')];
    const volumes = async () => (await cloud.volumes(hand.project)).map((one) => one.id).sort();
    expect(await volumes(), 'a boot volume beside the loose ones').toHaveLength(4);

    // A third of all servers a page: the rounds have to read on.
    proxy.most = Math.ceil((await cloud.servers('')).length / 3);
    const readOn = (list: string) => Object.entries(proxy.readOn).filter(([path]) => path.endsWith(list)).reduce((sum, [, n]) => sum + n, 0);
    const strangers = async () => {
      const { body } = await call(where, operator, 'GET', '/imports/things?limit=200');
      return (body.rows as Stranger[]).filter((row) => row.project === hand.project && row.thing === 'server').sort((a, b) => a.name.localeCompare(b.name));
    };
    const all = Object.entries(made).map(([called, id]) => [called, id, 'running']).sort();
    const listed = async () => (await strangers()).map((row) => [row.name, row.external_id, row.state]);
    await expect.poll(async () => {
      // A round that had begun before they ran may have met them still being built.
      await call(where, operator, 'POST', '/differences/compare', {});
      return listed();
    }, { message: 'what the rounds found', timeout: 90_000, intervals: [2_000] }).toEqual(all);
    const disks = async () => {
      const { body } = await call(where, operator, 'GET', '/differences?kind=foreign&limit=200');
      return (body.rows as { external_id: string }[]).map((row) => row.external_id).filter((id) => loose.includes(id)).sort();
    };
    await expect.poll(disks, { message: 'disks on all pages', timeout: 30_000, intervals: [250] }).toEqual([...loose].sort());
    expect([readOn('/servers/detail') > 0, readOn('/volumes/detail') > 0], 'lists were read on').toEqual([true, true]);

    // A round on its way would write down what it read before.
    const rounds = async () => {
      const jobs = await Promise.all(['running', 'ready'].map((state) => call(where, operator, 'GET', `/jobs?state=${state}&limit=200`)));
      return jobs.flatMap(({ body }) => body.rows as { kind: string }[]).filter(({ kind }) => ['upkeep.foreign', 'upkeep.compare'].includes(kind)).length;
    };
    await expect.poll(rounds, { message: 'rounds on their way', timeout: 60_000, intervals: [250] }).toBe(0);

    // Of these Nova tells neither image nor system disk; of the zone's three pools the row names one.
    const row = (called: string, more: Record<string, string>, line = 1) => ({
      line, cloud: 'openstack', external_id: called, unit: '区统计局', system: '统计联网直报平台', pool: 'public-general', more,
    });
    const rows = [fromImage, fromVolume, another].map((called, at) => row(called, { image: 'kylin-v10', system_disk_gb: '40' }, at + 1));
    const incomplete = (await call(where, operator, 'POST', '/imports/preview', { rows: [row(fromImage, {})] })).body;
    expect([incomplete.good, incomplete.lines[0].errors.map((one: { field: string }) => one.field).sort()]).toEqual([0, ['image', 'system_disk_gb']]);
    const preview = async () => (await call(where, operator, 'POST', '/imports/preview', { rows })).body;
    const shown = await preview();
    expect(shown.lines.flatMap((line: { errors: unknown[] }) => line.errors), JSON.stringify(shown)).toEqual([]);
    expect([shown.good, shown.month > 0]).toEqual([3, true]);
    expect(await things(where, clerk), 'a preview writes nothing').toEqual([]);

    const take = async (): Promise<string> => {
      const taken = await call(where, operator, 'POST', '/imports', { rows });
      expect(taken.status, JSON.stringify(taken.body)).toBe(200);
      return taken.body.batch.id;
    };
    const names = async () => (await things(where, clerk)).map((one) => one.name).sort();
    const batch = await take();
    expect(await names()).toEqual([fromImage, fromVolume, another].sort());
    expect(await listed()).toEqual([]);
    const undone = await call(where, operator, 'POST', `/imports/${batch}/undo`, {});
    expect(undone.status, JSON.stringify(undone.body)).toBe(200);
    expect(await names()).toEqual([]);
    expect(await listed(), 'strangers again, as they were').toEqual(all);
    expect((await cloud.servers(name)).map((one) => one.status), 'the cloud keeps them').toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE']);
    expect((await preview()).good).toBe(3);
    await take();

    // One that starts from an image and one that starts from a volume get more.
    const mine = await things(where, clerk);
    const id = (called: string) => mine.find((one) => one.name === called)!.id;
    const cookies: Record<string, string> = {};
    const grown = [fromImage, fromVolume];
    for (const called of grown) {
      await able(where, clerk, id(called), ['resize']);
      const change = await act(where, clerk, id(called), 'changes', { what: 'resize', typed: { vcpus: '2', memory_gb: '4' }, reason: '汇总期间计算能力不足。' });
      await approveAll(where, change.request, 'leader.tjj', cookies);
    }
    for (const called of grown) await became(where, clerk, id(called), 'resized');
    for (const called of grown) expect(await cloud.size((await cloud.servers(called))[0]!), called).toEqual([2, 4]);
    const { cores, memory_gb } = await cloud.figures(hand.project);
    expect([cores, memory_gb]).toEqual([5, 10]);
    expect((await booked(where, clerk)).used, 'the disks as the sheet tells them').toEqual({ cores, memory_gb, disk_gb: 120, addresses: 0 });

    // Erased: nothing of theirs is left, the disk that was to stay included; strangers' disks stand.
    const release = await giveBackAll(where, clerk);
    await approveAll(where, release, 'leader.tjj', cookies);
    await expect.poll(names, { message: 'what the portal lists', timeout: 120_000, intervals: [250] }).toEqual([]);
    await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 60_000, intervals: [250] }).toBe(0);
    await expect.poll(volumes, { message: 'what Cinder holds', timeout: 30_000, intervals: [250] }).toEqual([...loose].sort());
    await expect.poll(() => cloud.figures(hand.project), { timeout: 30_000, intervals: [250] }).toEqual({ cores: 0, memory_gb: 0, disk_gb: loose.length, addresses: 0 });
    expect((await booked(where, clerk)).used).toEqual({ cores: 0, memory_gb: 0, disk_gb: 0, addresses: 0 });
    const certificates = (await call(where, clerk, 'GET', `/requests/${release}/certificates`)).body.rows as { intact: boolean; facts: { external_id: string; method: string; absent_at?: number | null } }[];
    expect(certificates.map((one) => [one.facts.external_id, one.facts.method, one.intact, !!one.facts.absent_at]).sort()).toEqual(Object.values(made).map((external) => [external, 'deleted', true, true]).sort());
    const list = await read(where, clerk, `/requests/${release}/certificates`);
    for (const external of Object.values(made)) expect(list, 'the list of what is erased').toContain(external);
    const paper = await read(where, clerk, `/resources/${id(fromVolume)}/certificate`);
    for (const told of [made[fromVolume]!, '系统盘随主机删除']) expect(paper, 'the certificate').toContain(told);
    await byItself(where);
  } finally {
    await town.end();
    await proxy.close();
  }
});
