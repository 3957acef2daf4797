// Who comes in to a host: its owner opens a port to a network, is told what the law forbids, closes
// it again, and sets a new password; others of the unit read the rules and change none.
import type { Page } from '@playwright/test';
import { confirm, press, until } from '../support/acts.ts';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn } from '../support/helpers.ts';
import { type Host, deliveredHost, orderByPage } from '../support/order.ts';

/** Fills the form of a rule. */
async function fill(page: Page, protocol: string, ports: string, source: string): Promise<void> {
  await page.locator('label').filter({ has: page.locator(`input[name=protocol][value=${protocol}]`) }).click();
  await page.locator('input[name=ports]').fill(ports);
  await page.locator('input[name=source]').fill(source);
}

test('a port is opened to a network and closed again; a password is set anew', async ({ page, server }, info) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const name = `gate-${info.project.name}`;
  await signIn(page, 'clerk');
  await orderByPage(page, where, name, '访问规则', '一台主机，用于核验访问规则。', 0);

  const clerk = await session(where(), 'clerk');
  const host = await deliveredHost(where, clerk, name);

  // From the page of the host. What the cloud can do is read within a minute of the start.
  await page.goto(`/resources/${host.id}`);
  await page.locator(`main a[href="/resources/${host.id}/rules"]`).click();
  await expect(page).toHaveURL(/\/rules$/);
  await until(page, () => expect(page.locator('input[name=ports]')).toHaveCount(1, { timeout: 500 }));
  await expect(page.locator('main')).toContainText('TCP 22（SSH）');
  await expect(page.locator('main')).toContainText('不收费，不占配额');
  await fitsTheWindow(page);
  await axeClean(page);

  // What the law forbids, and what is no network, is said beside the field; what was typed stays.
  await fill(page, 'tcp', '22', '0.0.0.0/0');
  await page.locator('button[name=do][value=add]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('main')).toContainText('SSH');
  await expect(page.locator('input[name=source]')).toHaveValue('0.0.0.0/0');
  await axeClean(page);
  await fill(page, 'tcp', '8000-8100', '10.8.0.9/24');
  await page.locator('button[name=do][value=add]').click();
  await expect(page.locator('#f-source-e')).toContainText('10.8.0.0/24');

  await fill(page, 'tcp', '8000-8100', '10.8.0.0/24');
  await page.locator('input[name=note]').fill('数据接口');
  await press(page, page.locator('button[name=do][value=add]'));
  await page.goto(`/resources/${host.id}/rules`);
  await until(page, () => expect(page.locator('table button[value=remove]')).toHaveCount(1, { timeout: 500 }));
  await expect(page.locator('table')).toContainText('TCP 8000-8100');
  await expect(page.locator('table')).toContainText('数据接口');
  await fitsTheWindow(page);
  await axeClean(page);

  // The leader reads it and changes nothing.
  const leader = await session(where(), 'leader.tjj');
  const read = await call(where, leader, 'GET', `/resources/${host.id}/rules`);
  expect([read.status, read.body.may, read.body.own.length]).toEqual([200, false, 1]);
  const tried = await call(where, leader, 'POST', `/resources/${host.id}/rules`, { protocol: 'tcp', ports: '1', source: '10.0.0.0/8' });
  expect(tried.status).toBe(403);

  await confirm(page, 'remove');
  await page.goto(`/resources/${host.id}/rules`);
  await until(page, () => expect(page.locator('input[name=ports]')).toHaveCount(1, { timeout: 500 }));
  await expect(page.locator('table')).toHaveCount(0);

  // A new password, said beforehand what it leads to, and waiting to be shown once.
  await page.goto(`/resources/${host.id}`);
  await until(page, () => expect(page.locator('button[value=new_password]')).toHaveCount(1, { timeout: 500 }));
  await confirm(page, 'new_password');
  const events = async () => (await call(where, clerk, 'GET', `/resources/${host.id}`)).body.events as { kind: string }[];
  await expect.poll(async () => (await events())[0]?.kind, { timeout: 60_000 }).toBe('password_renewed');
  await page.goto(`/resources/${host.id}`);
  await until(page, () => expect(page.locator('button[name=do][value=secret]')).toHaveCount(1, { timeout: 500 }));
});

test('the rules of a host are not there for others @once', async ({ server }) => {
  const where = () => server.url;
  const clerk = await session(where(), 'clerk');
  const { body } = await call(where, clerk, 'GET', '/resources?kind=server&state=running');
  const host = (body.rows as Host[])[0]!;
  const stranger = await session(where(), 'clerk.rsj');
  const answers = [
    await call(where, stranger, 'GET', `/resources/${host.id}/rules`),
    await call(where, stranger, 'POST', `/resources/${host.id}/rules`, { protocol: 'tcp', ports: '1', source: '10.0.0.0/8' }),
    await call(where, stranger, 'POST', `/resources/${host.id}/password`, {}),
  ];
  expect(answers.map((answer) => answer.status)).toEqual([404, 404, 404]);
});
