// A host's system anew: its owner reads what is lost and what stays, types a key and the name of the
// host, and gets in another way; others of the unit may not, and strangers find nothing.
import { until } from '../support/acts.ts';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn } from '../support/helpers.ts';
import { type Host, deliveredHost, orderByPage } from '../support/order.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang';

test('a host is installed anew with a key, and keeps everything but its system', async ({ page, server }, info) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const name = `anew-${info.project.name}`;
  await signIn(page, 'clerk');
  await orderByPage(page, where, name, '重装系统', '一台主机和一块数据盘，用于核验重装系统。', 20);

  const clerk = await session(where(), 'clerk');
  const host = await deliveredHost(where, clerk, name);
  const see = async () => (await call(where, clerk, 'GET', `/resources/${host.id}`)).body;
  const before = await see();

  // From the page of the host. What the cloud can do is read within a minute of the start.
  await page.goto(`/resources/${host.id}`);
  const link = page.locator(`main a[href="/resources/${host.id}/reinstall"]`);
  await until(page, () => expect(link).toHaveCount(1, { timeout: 500 }));
  await link.click();
  await expect(page).toHaveURL(/\/reinstall$/);
  await expect(page.locator('main')).toContainText('系统盘上的全部内容');
  await expect(page.locator('main')).toContainText('重装不收费');
  await expect(page.locator('main')).toContainText('不占新的配额');
  await fitsTheWindow(page);
  await axeClean(page);

  // A key that is none, and a name that is not its: both are said, and what was typed stays.
  await page.locator('label').filter({ has: page.locator('input[name=access][value=ssh_key]') }).click();
  await page.locator('input[name=ssh_key]').fill('ssh-rsa AAAA');
  await page.locator('input[name=confirm]').fill('something');
  await page.locator('button[name=do][value=reinstall]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('#f-ssh-key-e')).not.toBeEmpty();
  await expect(page.locator('#f-confirm-e')).toContainText(name);
  await expect(page.locator('input[name=ssh_key]')).toHaveValue('ssh-rsa AAAA');
  await expect(page.locator('input[name=access][value=ssh_key]')).toBeChecked();
  await fitsTheWindow(page);
  await axeClean(page);

  // The leader reads it and may not.
  const leader = await session(where(), 'leader.tjj');
  const read = await call(where, leader, 'GET', `/resources/${host.id}/reinstall`);
  expect([read.status, read.body.may]).toEqual([200, false]);
  const tried = await call(where, leader, 'POST', `/resources/${host.id}/reinstall`, { access: 'password', confirm: name });
  expect(tried.status).toBe(403);

  await page.locator('input[name=ssh_key]').fill(KEY);
  await page.locator('input[name=confirm]').fill(name);
  await page.locator('button[name=do][value=reinstall]').click();
  await expect(page).toHaveURL(new RegExp(`/resources/${host.id}$`));
  await expect.poll(async () => (await see()).events[0]?.kind, { timeout: 60_000 }).toBe('reinstalled');
  const after = await see();
  for (const same of ['name', 'address', 'month', 'expires_at', 'service', 'billing']) {
    expect(after.row[same], same).toEqual(before.row[same]);
  }
  expect(after.attachments).toEqual(before.attachments);
  expect([before.secret_waits, after.secret_waits]).toEqual([true, false]);
  await page.goto(`/resources/${host.id}`);
  await expect(page.locator('main')).toContainText(KEY.slice(0, 40));
  await expect(page.locator('button[name=do][value=secret]')).toHaveCount(0);
  await fitsTheWindow(page);
  await axeClean(page);
});

test('installing a host anew is not there for others @once', async ({ server }) => {
  const where = () => server.url;
  const clerk = await session(where(), 'clerk');
  const { body } = await call(where, clerk, 'GET', '/resources?kind=server&state=running');
  const host = (body.rows as Host[])[0]!;
  const stranger = await session(where(), 'clerk.rsj');
  const answers = [
    await call(where, stranger, 'GET', `/resources/${host.id}/reinstall`),
    await call(where, stranger, 'POST', `/resources/${host.id}/reinstall`, { access: 'password', confirm: host.name }),
  ];
  expect(answers.map((answer) => answer.status)).toEqual([404, 404]);
});
