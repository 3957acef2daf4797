// Day two on a real OpenStack: what is pressed in the portal happens to the servers and volumes of
// the cloud, and what is given back leaves nothing there.
import type { Page } from '@playwright/test';
import { press, until } from '../../support/acts.ts';
import { call, session } from '../../support/api.ts';
import { signIn, signOut } from '../../support/helpers.ts';
import { approveAll, order, orderByPage, place } from '../../support/order.ts';
import type { Cloud } from '../cloud.ts';
import { able, act, balanced, became, delivered, expect, giveBackAll, nothingLeft, read, RUN, SMALL, test, things } from '../world.ts';

/** From how much to how much. */
type Step = [number, number];

/** By the form of a host, as its clerk: so many cores and so much memory. 原 and 现 stand beside each
 *  other before it is asked for. Gives the page of the request. */
async function askForMore(page: Page, host: string, cores: Step, memory: Step): Promise<string> {
  await page.goto(`/resources/${host}`);
  await page.getByRole('link', { name: '变更规格' }).click();
  await expect(page).toHaveURL(/\/change\?what=resize/);
  await page.locator('input[name=vcpus]').fill(String(cores[1]));
  await page.locator('input[name=memory_gb]').fill(String(memory[1]));
  await page.locator('textarea[name=reason]').fill('汇总期间计算能力不足。');
  await page.locator('button.btn[name=do][value=try]').click();
  await expect(page.locator('input[name=vcpus]')).toHaveValue(String(cores[1]));
  await seesBoth(page, '.price .ba', cores, memory);
  await page.locator('button[name=do][value=submit]').first().click();
  await expect(page).toHaveURL(/\/requests\//);
  return page.url();
}

/** A table shows 原 and 现 of cores and memory. */
async function seesBoth(page: Page, table: string, cores: Step, memory: Step): Promise<void> {
  const shown = page.locator(table).first();
  for (const text of ['原', '现', ...cores.map((n) => `${n} 核`), ...memory.map((n) => `${n} GB`)]) await expect(shown).toContainText(text);
}

/** What the portal last read of its pool in the zone `gov` is what Placement, Cinder and Neutron count, and
 *  who asks for more than is left reads so before the submit. */
async function seesTheRoom(where: () => string, cloud: Cloud): Promise<void> {
  const [clerk, operator] = [await session(where(), 'clerk'), await session(where(), 'operator')];
  const pool = '公共通用池';
  type Load = { pool: string; name: { zh: string }; dimension: string; total: number; allocated: number; held: number };
  const loads = async () => ((await call(where, operator, 'GET', '/overview')).body.pools as Load[]).filter((one) => one.name.zh === pool);
  const room = await cloud.room('gov');
  const seen = async () => {
    const all = await loads();
    const of = (dimension: string) => all.find((one) => one.dimension === dimension);
    const both = (dimension: string) => [of(dimension)?.total, of(dimension)?.allocated];
    return { cores: both('vcpu'), memory_gb: both('memory_gb'), disk_gb: of('disk_gb')?.total, addresses: both('addresses') };
  };
  await expect.poll(seen, { message: 'the room of the pool', timeout: 70_000, intervals: [250] }).toEqual(room);
  expect(room.cores[1], 'what stands counts').toBeGreaterThan(0);
  const overview = await read(where, operator, '/overview');
  for (const figure of [room.cores[0], room.memory_gb[0], room.disk_gb]) expect(overview, 'the page of the overview').toContain(figure.toLocaleString('en'));

  // Four times the largest host: more memory than the zone has.
  const held = (await loads()).find((one) => one.dimension === 'memory_gb')?.held ?? 0;
  const left = room.memory_gb[0] - room.memory_gb[1] - held;
  const { cell, system } = await place(where(), clerk);
  expect(cell, 'the form proposes that pool').toContain((await loads())[0]!.pool);
  const line = (memory_gb: string) => ({ item: 'C-ECS', name: 'too-much', count: '4', cell, typed: { ...SMALL, memory_gb } });
  const draft = async (memory_gb: string) => {
    const made = await call(where, clerk, 'POST', '/drafts', { head: { system }, lines: [line(memory_gb)] });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return made.body as { id: string; verdict: { warns: { key: string }[] } };
  };
  const warned = async (memory_gb: string) => (await draft(memory_gb)).verdict.warns.map((one) => one.key);
  expect(await warned('2'), 'what fits').not.toContain('verdict.capacity');
  const much = await draft('512');
  expect(much.verdict.warns.map((one) => one.key)).toContain('verdict.capacity');
  const cart = await read(where, clerk, `/cart/${much.id}`);
  expect(cart, 'the cart').toContain(`${pool}的内存只剩 ${left.toLocaleString('en')}，要 2,048`);
}

/** The limits of a unit's project in the three services are the unit's quota in all pools of that cloud,
 *  and operators read that they are kept. */
async function keepsTheLimits(where: () => string, cookie: string, cloud: Cloud, project: string): Promise<void> {
  const rows = (await call(where, cookie, 'GET', '/quota')).body.rows as { dimension: string; standing: { limit: number; handed: number } }[];
  const sum = (...dimensions: string[]) => rows.filter((row) => dimensions.includes(row.dimension)).reduce((all, row) => all + row.standing.limit - row.standing.handed, 0);
  const wanted = { cores: sum('vcpu'), memory_gb: sum('memory_gb'), disk_gb: sum('ssd_gb', 'sas_gb', 'sata_gb'), addresses: sum('addresses') };
  expect(Object.values(wanted).every((limit) => limit > 0), JSON.stringify(wanted)).toBe(true);
  expect(await cloud.limits(project), 'Nova, Cinder and Neutron').toEqual(wanted);
  const operator = await session(where(), 'operator');
  const kept = (await call(where, operator, 'GET', '/clouds?limits=kept')).body.limits.rows as { project: string; written: Record<string, number>; said: Record<string, number> }[];
  const own = kept.find((one) => one.project === project);
  expect([own?.written, own?.said]).toEqual(Array(2).fill({ vcpus: wanted.cores, memory_gb: wanted.memory_gb, disk_gb: wanted.disk_gb, addresses: wanted.addresses }));
  expect(await read(where, operator, '/operations/clouds?limits=kept'), 'the page of the clouds').toContain(project);
}

test('a host is restarted, made larger by a signed request, and given back by page with its disk and snapshot', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `day-${RUN}`;
  await signIn(page, 'clerk');
  const request = await orderByPage(page, where, name, '日常运维', '在真实的 OpenStack 上核验日常运维。', 20);
  const clerk = await session(where(), 'clerk');
  await delivered(where, clerk, request);

  const all = await things(where, clerk);
  const host = all.find((row) => row.kind === 'server')!;
  const disk = all.find((row) => row.kind === 'volume')!;
  const see = async (id: string) => (await call(where, clerk, 'GET', `/resources/${id}`)).body;
  const server = (await cloud.servers(name))[0]!;
  const attached = async () => (await cloud.servers(name))[0]!['os-extended-volumes:volumes_attached'].length;
  const before = await attached();
  expect(await cloud.size(server)).toEqual([1, 2]);

  await able(where, clerk, host.id, ['restart', 'resize', 'console']);
  await act(where, clerk, host.id, 'restart');
  await became(where, clerk, host.id, 'restarted');
  expect((await cloud.servers(name))[0]?.status).toBe('ACTIVE');

  // Larger: so much more a month that the leader is asked, who sees before and after too.
  const cores: Step = [1, 8];
  const memory: Step = [2, 32];
  const change = await askForMore(page, host.id, cores, memory);
  expect(await cloud.size((await cloud.servers(name))[0]!), 'nothing is done before it is signed').toEqual([1, 2]);
  await signOut(page);
  await signIn(page, 'leader.tjj');
  await page.goto(change);
  await page.locator('a[href^="/todo/"]').first().click();
  await seesBoth(page, '.ask .ba', cores, memory);
  await press(page, page.locator('button[name=do][value=approve]'));
  await signOut(page);
  // Whoever else the policy asks.
  await approveAll(where, change.split('/').pop() ?? '', 'leader.tjj');
  await became(where, clerk, host.id, 'resized');
  const larger = (await cloud.servers(name))[0]!;
  expect([larger.id, larger.status, await cloud.size(larger)]).toEqual([server.id, 'ACTIVE', [8, 32]]);
  expect(await balanced(where, clerk, cloud, server.tenant_id)).toEqual({ cores: 8, memory_gb: 32, disk_gb: 60, addresses: 0 });
  await signIn(page, 'clerk');
  await page.goto(`/resources/${host.id}`);
  await expect(page.locator('main')).toContainText('1 核 → 8 核');

  // The console: a link of the cloud, given by the page in the answer to the press alone.
  await page.locator('button[name=do][value=console]').click();
  const link = page.locator('a[target=_blank][rel~=noreferrer]');
  await expect(link).toHaveAttribute('href', /^https?:/);
  await page.goto(`/resources/${host.id}`);
  await expect(link).toHaveCount(0);

  // A snapshot, from the page of the disk: Cinder has it, and the quota takes no notice.
  await page.goto(`/resources/${disk.id}`);
  await page.locator('input[name=name]').fill('before');
  await page.locator('input[name=note]').fill('升级之前');
  await press(page, page.locator('button[name=do][value=snapshot]'));
  await page.goto(`/resources/${disk.id}`);
  await until(page, () => expect(page.locator('a[href*="/snapshots/"]')).toHaveCount(1, { timeout: 500 }));
  const snapshots = (await see(disk.id)).snapshots as { id: string; state: string; size_gb: number }[];
  expect(snapshots.map((one) => [one.state, one.size_gb])).toEqual([['ready', 20]]);
  expect((await cloud.snapshots(server.tenant_id)).map((one) => [one.status, one.size])).toEqual([['available', 20]]);
  expect((await balanced(where, clerk, cloud, server.tenant_id)).disk_gb).toBe(60);

  // A new disk out of it, at the price that was told.
  const offer = (await call(where, clerk, 'GET', `/resources/${disk.id}/snapshots/${snapshots[0]!.id}/restore`)).body;
  expect(offer.blocks).toEqual([]);
  const made = await act(where, clerk, disk.id, `snapshots/${snapshots[0]!.id}/restore`, { name: `${name}-copy`, month: offer.quote.each });
  await became(where, clerk, disk.id, 'snapshot_restored');
  expect((await see(made.resource)).row.name).toBe(`${name}-copy`);

  await act(where, clerk, disk.id, 'detach');
  await became(where, clerk, disk.id, 'detached');
  expect(await attached()).toBe(before - 1);
  await act(where, clerk, disk.id, 'attach', { host: host.id });
  await became(where, clerk, disk.id, 'attached');
  expect(await attached()).toBe(before);

  // Its system anew, with a key: the server stays the same one, with its disk on it.
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang';
  await act(where, clerk, host.id, 'reinstall', { access: 'ssh_key', ssh_key: key, confirm: host.name });
  await became(where, clerk, host.id, 'reinstalled');
  const anew = (await cloud.servers(name))[0]!;
  expect([anew.id, anew.status, anew['os-extended-volumes:volumes_attached'].length]).toEqual([server.id, 'ACTIVE', before]);

  // Given back by the form, to be erased at once: neither server nor volumes are left, and the
  // snapshot went before its disk.
  await page.goto(`/requests/release?resource=${[host.id, disk.id, made.resource].join(',')}`);
  await expect(page.locator('main')).toContainText('1 个快照');
  await page.locator('textarea[name=reason]').fill('核验完毕，全部退回。');
  await page.locator('input[name=ending][value=erase]').check({ force: true });
  await page.locator('input[name=confirm]').check({ force: true });
  await press(page, page.locator('main form button').last());
  await expect(page).not.toHaveURL(/\/release/);
  await approveAll(where, page.url().split('/').pop() ?? '', 'leader.tjj');
  await nothingLeft(where, clerk, cloud, name, server.tenant_id);
});

test('what is given back lies switched off with its disk, comes back, and the leader has it erased before its time', async ({ town, cloud }) => {
  const { where } = town;
  const name = `bin-${RUN}`;
  const clerk = await session(where(), 'clerk');
  const request = await order(where, clerk, name, [
    { item: 'C-ECS', name, typed: SMALL },
    { item: 'S-EVS', name: `${name}-disk`, typed: { attach_to: '#1', disk_class: 'ssd', size_gb: '20' } },
  ]);
  await approveAll(where, request.id, 'leader.tjj');
  await delivered(where, clerk, request.id);
  const all = await things(where, clerk);
  const [host, disk] = ['server', 'volume'].map((kind) => all.find((row) => row.kind === kind)!);
  const service = async (id: string) => (await call(where, clerk, 'GET', `/resources/${id}`)).body.row.service as string;
  const server = (await cloud.servers(name))[0]!;
  const volumes = async () => (await cloud.volumes(server.tenant_id)).map((one) => one.id).sort();
  const before = await volumes();
  const giveBack = async () => {
    const asked = { resources: [host!.id, disk!.id], reason: '核验回收站。', erase_at_once: false };
    const made = await call(where, clerk, 'POST', '/releases', asked);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    await approveAll(where, made.body.request, 'leader.tjj');
    for (const one of [host!, disk!]) await expect.poll(() => service(one.id), { message: one.name, timeout: 90_000 }).toBe('recycled');
  };

  await giveBack();
  const lies = (await cloud.servers(name))[0]!;
  expect([lies.id, lies.status]).toEqual([server.id, 'SHUTOFF']);
  expect(await volumes(), 'what is on its disks is kept').toEqual(before);

  // Back as it was, switched off until somebody starts it; its disk comes with it.
  await act(where, clerk, host!.id, 'take-back');
  expect([await service(host!.id), await service(disk!.id)]).toEqual(['stopped', 'running']);
  await able(where, clerk, host!.id, ['start']);
  await act(where, clerk, host!.id, 'start');
  await became(where, clerk, host!.id, 'started');
  const back = (await cloud.servers(name))[0]!;
  expect([back.id, back.status]).toEqual([server.id, 'ACTIVE']);
  expect(await volumes()).toEqual(before);
  expect(await balanced(where, clerk, cloud, server.tenant_id)).toEqual({ cores: 1, memory_gb: 2, disk_gb: 60, addresses: 0 });

  // Before its time a leader alone has it erased, by its name: first what hangs on the host.
  await giveBack();
  const leader = await session(where(), 'leader.tjj');
  const own = await call(where, clerk, 'POST', `/resources/${disk!.id}/erase`, { confirm: disk!.name });
  expect(own.status, 'the clerk may not').toBe(403);
  for (const one of [disk!, host!]) {
    const erased = await call(where, leader, 'POST', `/resources/${one.id}/erase`, { confirm: one.name });
    expect(erased.status, JSON.stringify(erased.body)).toBe(200);
    await expect.poll(() => service(one.id), { message: one.name, timeout: 90_000 }).toBe('released');
  }
  const paper = await read(where, clerk, `/resources/${disk!.id}/certificate`);
  expect(paper).toContain('数据销毁证明');
  await nothingLeft(where, clerk, cloud, name, server.tenant_id);
});

test('a backup plan makes its first backups soon after delivery, Cinder holds exactly them, and erasing leaves none', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `plan-${RUN}`;
  const clerk = await session(where(), 'clerk');
  const request = await order(where, clerk, name, [
    { item: 'C-ECS', name, typed: SMALL },
    { item: 'S-EVS', name: `${name}-disk`, typed: { attach_to: '#1', disk_class: 'ssd', size_gb: '20' } },
    { item: 'D-LB', name: `${name}-plan`, typed: { attach_to: '#1', size_gb: '100', schedule: 'daily', keep_days: '7' } },
  ]);
  await approveAll(where, request.id, 'leader.tjj');
  await delivered(where, clerk, request.id);
  const all = await things(where, clerk);
  const [host, plan] = ['server', 'backup'].map((kind) => all.find((row) => row.kind === kind)!);
  const see = async () => (await call(where, clerk, 'GET', `/resources/${plan!.id}`)).body;
  const kept = async () => {
    const { backups } = await see();
    return (backups as { state: string; size_gb: number; of_kind: string }[]).map((one) => [one.of_kind, one.state, one.size_gb]).sort();
  };
  const wanted = [['server', 'kept', 40], ['volume', 'kept', 20]];
  // Before a backup is made: while it copies, Cinder has a disk of its own there, which would count.
  await keepsTheLimits(where, clerk, cloud, (await cloud.servers(name))[0]!.tenant_id);
  await expect.poll(kept, { message: 'the first backups', timeout: 200_000 }).toEqual(wanted);
  // They were made at a minute's beginning, as the clouds are read then.
  await seesTheRoom(where, cloud);
  await expect.poll(async () => (await see()).plan_runs.running, { timeout: 30_000 }).toBe(false);
  const { plan_runs } = await see();
  expect([plan_runs.rests, plan_runs.failures, plan_runs.next_at > plan_runs.done_at]).toEqual([false, 0, true]);

  // Exactly them, of exactly these volumes.
  const server = (await cloud.servers(name))[0]!;
  const there = await cloud.backups(server.tenant_id);
  expect(there.map((one) => [one.status, one.size]).sort()).toEqual([['available', 20], ['available', 40]]);
  const volumes = (await cloud.volumes(server.tenant_id)).map((one) => one.id).sort();
  expect(there.map((one) => one.volume_id).sort()).toEqual(volumes);

  // The page of the plan says so, and that of the host shows its own.
  await signIn(page, 'clerk');
  await page.goto(`/resources/${plan!.id}#backups`);
  await expect(page.locator('main')).toContainText('最近一次成功');
  await expect(page.locator('main')).toContainText('系统盘');
  await page.goto(`/resources/${host!.id}`);
  await expect(page.locator('main')).toContainText('备份对象');

  // A new disk out of the backup of the other one: Cinder writes the metadata of the backed up volume over
  // its own while it restores, and the portal gives them back.
  const disk = all.find((row) => row.kind === 'volume')!;
  const copies = (await see()).backups as { id: string; of: string; of_kind: string }[];
  const copy = copies.find((one) => one.of === disk.id)!;
  const offer = (await call(where, clerk, 'GET', `/resources/${disk.id}/backups/${copy.id}/restore`)).body;
  expect([offer.blocks, offer.size_gb]).toEqual([[], 20]);
  await act(where, clerk, disk.id, `backups/${copy.id}/restore`, { name: `${name}-copy`, month: offer.quote.each });
  await became(where, clerk, disk.id, 'backup_restored');
  const stand = await cloud.volumes(server.tenant_id);
  const restored = stand.filter((one) => !volumes.includes(one.id));
  expect(restored.map((one) => [one.name, one.status, one.size])).toEqual([[`${name}-copy`, 'available', 20]]);
  expect(new Set(stand.map((one) => one.metadata.lingbao_op)).size, 'each volume is of its own operation').toBe(3);
  expect((await balanced(where, clerk, cloud, server.tenant_id)).disk_gb, 'its space is booked').toBe(80);

  await approveAll(where, await giveBackAll(where, clerk), 'leader.tjj');
  await nothingLeft(where, clerk, cloud, name, server.tenant_id);
});
