// Day two of a host and its disk, all from the page of each: restart, snapshot, a new disk out of it
// with its price and quota told before, attaching, taking off, deleting.
import { confirm, press, until } from '../support/acts.ts';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { type Host, SMALL, approveAll, deliveredHost, hungDisk, order, orderByPage } from '../support/order.ts';

test('a host is restarted; its disk is kept, doubled, moved and freed', async ({ page, server }, info) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const name = `day-${info.project.name}`;
  await signIn(page, 'clerk');
  await orderByPage(page, where, name, '日常运维', '一台主机和一块云硬盘，用于日常运维核验。', 20);

  const clerk = await session(where(), 'clerk');
  const host = await deliveredHost(where, clerk, name);
  const disk = await hungDisk(where, clerk, host.id);

  // Restart. What the cloud can do is read within a minute of the start.
  await page.goto(`/resources/${host.id}`);
  await until(page, () => expect(page.locator('button[value=restart]')).toHaveCount(1, { timeout: 500 }));
  await fitsTheWindow(page);
  await axeClean(page);
  await confirm(page, 'restart');
  await page.goto(`/resources/${host.id}`);
  const events = async () => (await call(where, clerk, 'GET', `/resources/${host.id}`)).body.events as { kind: string }[];
  await expect.poll(async () => (await events())[0]?.kind, { timeout: 60_000 }).toBe('restarted');
  await until(page, () => expect(page.locator('button[value=restart]')).toHaveCount(1, { timeout: 500 }));

  // A snapshot without a name is refused beside the field, and what was typed is still there.
  await page.goto(`/resources/${disk.id}`);
  await page.locator('input[name=note]').fill('升级之前');
  await page.locator('button[name=do][value=snapshot]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('input[name=note]')).toHaveValue('升级之前');
  await page.locator('input[name=name]').fill('before');
  await press(page, page.locator('button[name=do][value=snapshot]'));
  await page.goto(`/resources/${disk.id}`);
  const fresh = page.locator('a[href*="/snapshots/"]');
  await until(page, () => expect(fresh).toHaveCount(1, { timeout: 500 }));
  await fitsTheWindow(page);
  await axeClean(page);

  // A new disk: price and quota stand there before anything is pressed.
  const offer = (await fresh.getAttribute('href')) ?? '';
  await page.goto(offer);
  await expect(page.locator('main')).toContainText('20 GB');
  await expect(page.locator('svg.qbar').first()).toBeVisible();
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('input[name=name]').fill(`${name}-copy`);
  await press(page, page.locator('main form button').last());
  await expect(page).toHaveURL(new RegExp(`/resources/${disk.id}$`));
  let copy: Host | undefined;
  await expect(async () => {
    const { body } = await call(where, clerk, 'GET', `/resources?q=${name}-copy`);
    copy = (body.rows as Host[])[0];
    expect(copy?.name).toBe(`${name}-copy`);
  }).toPass({ timeout: 60_000 });

  // It hangs on nothing; it is attached to the host, and taken off again.
  await page.goto(`/resources/${copy!.id}`);
  await page.locator('select[name=host]').selectOption(host.id);
  await press(page, page.locator('button[name=do][value=attach]'));
  await page.goto(`/resources/${copy!.id}`);
  await until(page, () => expect(page.locator(`main a[href="/resources/${host.id}"]`)).toHaveCount(1, { timeout: 500 }));
  await until(page, () => expect(page.locator('button[value=detach]')).toHaveCount(1, { timeout: 500 }));
  await confirm(page, 'detach');
  await page.goto(`/resources/${copy!.id}`);
  await until(page, () => expect(page.locator('select[name=host]')).toHaveCount(1, { timeout: 500 }));

  // The snapshot goes; while it is there the release says that it goes with the disk.
  await page.goto(`/requests/release?resource=${disk.id}`);
  await expect(page.locator('main')).toContainText('1 个快照');
  await page.goto(`/resources/${disk.id}`);
  await confirm(page, 'delete_snapshot');
  await page.goto(`/resources/${disk.id}`);
  await until(page, () => expect(page.locator('a[href*="/snapshots/"]')).toHaveCount(0, { timeout: 500 }));
});

test('a disk to which somebody must agree is asked for, signed on a phone, and made @once', async ({ page, server, baseURL }) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const name = 'asked';
  await signIn(page, 'clerk');
  // 800 GB cost more than what is approved by itself.
  await orderByPage(page, where, name, '恢复演练', '一台主机和一块大云硬盘，用于核验审批后新建。', 800);
  const clerk = await session(where(), 'clerk');
  const host = await deliveredHost(where, clerk, name);
  const disk = await hungDisk(where, clerk, host.id);
  // What the cloud can do is read within a minute of the start.
  await expect(async () => {
    const taken = await call(where, clerk, 'POST', `/resources/${disk.id}/snapshots`, { name: 'before', note: '' });
    expect(taken.status, JSON.stringify(taken.body)).toBe(200);
  }).toPass({ timeout: 90_000 });
  await page.goto(`/resources/${disk.id}`);
  const fresh = page.locator('a[href*="/snapshots/"]');
  await until(page, () => expect(fresh).toHaveCount(1, { timeout: 500 }));

  // The same form says who must agree, and wants a reason; without one what was typed stays.
  await page.goto((await fresh.getAttribute('href')) ?? '');
  await expect(page.locator('main')).toContainText('个工作日内');
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('input[name=name]').fill(`${name}-copy`);
  await page.locator('main form button').last().click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('input[name=name]')).toHaveValue(`${name}-copy`);
  await page.locator('textarea[name=reason]').fill('季度恢复演练，需要一份数据副本。');
  await press(page, page.locator('main form button').last());
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await expect(page.locator('main')).toContainText(`${name}-copy`);
  await fitsTheWindow(page);
  await axeClean(page);

  // While it waits the snapshot stays.
  await page.goto(`/resources/${disk.id}`);
  const remove = page.locator('details.confirm').filter({ has: page.locator('button[value=delete_snapshot]') }).first();
  await remove.locator('summary').click();
  await remove.locator('button[value=delete_snapshot]').click();
  await expect(page.locator('.summary')).toContainText('办结或撤回后才能删除');
  await signOut(page);

  const window = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 740 });
  await signIn(page, 'leader.tjj');
  await page.goto(request);
  const decide = page.locator('a[href^="/todo/"]').first();
  await page.goto(new URL((await decide.getAttribute('href')) ?? '', baseURL).href);
  await expect(page.locator('.ask')).toContainText('用快照新建云硬盘');
  await expect(page.locator('.ask .ba').first()).toContainText(`${name}-copy`);
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('button[name=do][value=approve]').click();
  await expect(page).toHaveURL(/\/todo/);
  await signOut(page);
  if (window) await page.setViewportSize(window);
  await approveAll(where, request.split('/').pop() ?? '', 'leader.tjj');

  await expect(async () => {
    const { body } = await call(where, clerk, 'GET', `/resources?q=${name}-copy`);
    expect((body.rows as Host[])[0]?.name).toBe(`${name}-copy`);
  }).toPass({ timeout: 60_000 });
  await signIn(page, 'clerk');
  await page.goto(request);
  await expect(page.locator('main')).toContainText('新云硬盘已建成');
});

test('what is done at once is not there for others @once', async ({ page, server }) => {
  const where = () => server.url;
  const clerk = await session(where(), 'clerk');
  const { body } = await call(where, clerk, 'GET', '/resources?kind=server&state=running');
  const host = (body.rows as Host[])[0]!;
  const stranger = await session(where(), 'clerk.rsj');
  for (const act of ['restart', 'console', 'detach']) {
    const answer = await call(where, stranger, 'POST', `/resources/${host.id}/${act}`, {});
    expect(answer.status, act).toBe(404);
  }
  // The leader reads it and presses nothing; the simulated cloud has no consoles.
  await signIn(page, 'leader.tjj');
  await page.goto(`/resources/${host.id}`);
  await expect(page.locator('button[value=restart], button[value=console], button[value=stop]')).toHaveCount(0);
});

test('a disk is restored from its backup into a new one @once', async ({ page, server }) => {
  test.setTimeout(300_000);
  const where = () => server.url;
  const name = 'backed';
  const clerk = await session(where(), 'clerk');
  const on = { attach_to: '#1' };
  const { id } = await order(where, clerk, name, [
    { item: 'C-ECS', name, typed: SMALL },
    { item: 'S-EVS', name: `${name}-data`, typed: { ...on, disk_class: 'ssd', size_gb: '20' } },
    { item: 'D-LB', name: `${name}-plan`, typed: { ...on, size_gb: '100', schedule: 'daily', keep_days: '7' } },
  ]);
  await approveAll(where, id, 'leader.tjj');
  const host = await deliveredHost(where, clerk, name);
  const hung = (await call(where, clerk, 'GET', `/resources/${host.id}`)).body.attachments as Host[];
  const disk = hung.find((one) => one.kind === 'volume')!;

  // The plan makes its first backup within minutes of the delivery.
  await signIn(page, 'clerk');
  await page.goto(`/resources/${disk.id}`);
  const restore = page.locator('a[href*="/backups/"]');
  await expect(async () => {
    await page.reload();
    await expect(restore).toHaveCount(1, { timeout: 500 });
  }).toPass({ timeout: 180_000 });
  await fitsTheWindow(page);
  await axeClean(page);
  await page.goto((await restore.getAttribute('href')) ?? '');
  await expect(page.locator('main')).toContainText('20 GB');
  await expect(page.locator('svg.qbar').first()).toBeVisible();
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('input[name=name]').fill(`${name}-copy`);
  await press(page, page.locator('main form button').last());
  await expect(page).toHaveURL(new RegExp(`/resources/${disk.id}$`));
  await expect(async () => {
    const { body } = await call(where, clerk, 'GET', `/resources?q=${name}-copy`);
    expect((body.rows as Host[])[0]?.name).toBe(`${name}-copy`);
  }).toPass({ timeout: 60_000 });
});
