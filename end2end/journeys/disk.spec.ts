// Day two of a host and its disk, all from the page of each: restart, snapshot, a new disk out of it
// with its price and quota told before, attaching, taking off, deleting.
import { confirm, press, until } from '../support/acts.ts';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn } from '../support/helpers.ts';
import { type Host, deliveredHost, hungDisk, orderByPage } from '../support/order.ts';

test('a host is restarted; its disk is kept, doubled, moved and freed', async ({ page, server }, info) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const name = `day-${info.project.name}`;
  await signIn(page, 'clerk');
  await orderByPage(page, where, name, '日常运维', '一台主机和一块云硬盘，用于日常运维核验。', true);

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
