// An approval policy is changed by page alone: one person writes a stricter threshold, another
// publishes it, and what was approved by itself before waits for the leader. What is under way keeps
// the version by which it was routed.
import { call, session } from '../support/api.ts';
import { press } from '../support/acts.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { order, orderHost, SMALL } from '../support/order.ts';
import type { Page } from '@playwright/test';

test.use({ city: 'policy' });

const PAGE = '/admin/policies/new';
const FORM = `${PAGE}?as=form`;

/** The amount up to which nobody is asked. */
const threshold = (page: Page) => page.locator('input[name^="automatic.t"][name$=".value"]');
const button = (page: Page, act: string) => page.locator(`main button[name=do][value="${act}"]:not([aria-hidden])`).first();

/** Asks the example of the form, and says whether somebody would be asked. */
async function asksSomebody(page: Page): Promise<boolean> {
  await page.locator('input[name="try.month"]').fill('108');
  await button(page, 'try').click();
  await expect(page.locator('main [role=status] .banner, #route').first()).toBeVisible();
  return (await page.locator('#route').count()) > 0;
}

test('rows of the form come and go, and what was typed stays', async ({ page }) => {
  await signIn(page, 'reviewer');
  await page.goto(FORM);
  await page.locator('input[name="s0.due_days"]').fill('7');
  await page.locator('select[name="s0.g0.new"]').selectOption('unit_level');
  await button(page, 'test s0.g0').click();
  const level = page.locator('input[name="s0.g0.t0.value"][value=county]');
  await expect(level).toBeVisible();
  await level.check();
  await button(page, 'stage').click();
  await expect(level).toBeChecked();
  await expect(page.locator('input[name="s0.due_days"]')).toHaveValue('7');
  await page.locator('input[name="s5.name"]').fill('复核');
  await button(page, 'up s5').click();
  const names = page.locator('input[name$=".name"]:not([name*=".g"])');
  await expect(names.nth(4)).toHaveValue('复核');
  await fitsTheWindow(page);
  await axeClean(page);

  // The new group has no name: that is told, with a way there.
  await button(page, 'write').click();
  const summary = page.locator('.summary');
  await expect(summary).toContainText('必填');
  await expect(summary.locator('a[href="#f-s5-g0-name"]')).toHaveCount(1);
  await expect(page.locator('input[name="s0.due_days"]')).toHaveValue('7');
  await axeClean(page);
  await button(page, 'remove s5').click();
  await expect(page.locator('input[name="s5.name"]')).toHaveCount(0);
});

test('a threshold is changed by one person, published by another, and holds for what is asked later @once', async ({ page, server }) => {
  test.setTimeout(120_000);
  const where = () => server.url;
  const clerk = await session(server.url, 'clerk');
  const status = async (id: string) => (await call(where, clerk, 'GET', `/requests/${id}`)).body.row.status as string;
  const before = await orderHost(server.url, clerk, 'before');
  expect(await status(before.id)).not.toBe('in_approval');
  // Eight of them wait for the leader already.
  const waiting = await order(where, clerk, 'waiting', [{ item: 'C-ECS', name: 'waiting', count: '8', typed: SMALL }]);
  expect(await status(waiting.id)).toBe('in_approval');
  const steps = async () => (await call(where, clerk, 'GET', `/requests/${waiting.id}`)).body.steps.length as number;
  const asked = await steps();

  await signIn(page, 'reviewer');
  await page.goto('/admin/items');
  await page.locator('.tabs').getByRole('link', { name: '审批策略' }).click();
  await expect(page).toHaveURL(/\/admin\/policies$/);
  await expect(page.locator('main h1')).toHaveText('审批策略');
  await page.getByRole('link', { name: '新开的审批策略' }).click();
  await expect(page.locator('main')).toContainText('500.00');
  await page.getByRole('link', { name: '编写新版本' }).click();
  await expect(threshold(page)).toHaveValue('500.00');
  expect(await asksSomebody(page)).toBe(false);
  await threshold(page).fill('50');
  expect(await asksSomebody(page)).toBe(true);
  await press(page, button(page, 'write'));
  await press(page, button(page, 'propose'));
  await expect(button(page, 'publish')).toHaveCount(0);
  await fitsTheWindow(page);
  await axeClean(page);
  await signOut(page);

  await signIn(page, 'reviewer2');
  await page.goto('/');
  await page.getByRole('link', { name: /待第二人发布的审批策略/ }).click();
  await page.getByRole('link', { name: '新开的审批策略' }).click();
  // The second person reads what is otherwise before it is published.
  await expect(page.locator('main .panel').filter({ hasText: '待第二人发布' })).toContainText('50.00');
  await press(page, button(page, 'publish'));
  await expect(page.locator('main')).toContainText('第 2 版');
  await page.goto(`${PAGE}?as=paper`);
  await expect(page.locator('.sheet')).toContainText('50.00');
  await axeClean(page);
  await signOut(page);

  const after = await orderHost(server.url, clerk, 'after');
  expect(await status(after.id)).toBe('in_approval');
  expect(await steps()).toBe(asked);
  const leader = await session(server.url, 'leader.tjj');
  const todos = (await call(where, leader, 'GET', '/todos')).body.rows as { request: string }[];
  expect(todos.some((todo) => todo.request === after.id)).toBe(true);
});
