// A request that is not simply agreed to: returned for supplement, supplemented, refused; and taken back.
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { put } from '../support/order.ts';
import type { Page } from '@playwright/test';

// What is held is counted: nobody else may order in this city meanwhile.
test.use({ city: 'quota' });

/** Cores that are held for the unit in the first pool, by its quota page. */
async function coresHeld(page: Page): Promise<number> {
  await page.goto('/quota');
  const row = page.locator('main table').first().getByRole('row').filter({ hasText: '处理器' });
  return Number(((await row.locator('td').nth(3).textContent()) ?? '').replaceAll(',', ''));
}

/** A host that is dear enough for the leader of the bureau to be asked; gives the request's address. */
async function submit(page: Page, title: string): Promise<string> {
  await page.goto('/drafts');
  await page.locator('button[name=do][value=new]').click();
  await expect(page).toHaveURL(/\/cart\//);
  await put(page, 'C-ECS', { name: 'judged', count: '1', vcpus: '8', memory_gb: '16' });
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill(title);
  await page.locator('textarea[name=reason]').fill('普查数据核对需要一台主机。');
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  return page.url();
}

/** The leader's card of a request, on a phone. */
async function card(page: Page, request: string, baseURL: string | undefined): Promise<void> {
  await signIn(page, 'leader.tjj');
  await page.goto(request);
  const decide = page.locator('a[href^="/todo/"]').first();
  await page.goto(new URL((await decide.getAttribute('href')) ?? '', baseURL).href);
}

test('a request is returned, supplemented and refused, and nothing stays held', async ({ page, baseURL }, info) => {
  test.setTimeout(120_000);
  const window = page.viewportSize();
  const wide = async () => window && page.setViewportSize(window);
  await signIn(page, 'clerk');
  const before = await coresHeld(page);
  const title = `核对 ${info.project.name}`;
  const request = await submit(page, title);
  expect(await coresHeld(page)).toBe(before + 8);
  await signOut(page);

  // Returned, with words of the leader's own.
  await page.setViewportSize({ width: 360, height: 740 });
  await card(page, request, baseURL);
  await page.locator('textarea[name=opinion]').fill('请说明数据量和使用期限。');
  await page.locator('button[name=do][value=return]').click();
  await expect(page).toHaveURL(/\/todo/);
  await signOut(page);
  await wide();

  // The clerk reads why, and says more: what was typed before is still there.
  await signIn(page, 'clerk');
  await page.goto(request);
  await expect(page.locator('main')).toContainText('退回补正');
  await expect(page.locator('main')).toContainText('请说明数据量和使用期限。');
  await axeClean(page);
  await page.getByRole('link', { name: '补正', exact: true }).click();
  await expect(page).toHaveURL(/\/cart\//);
  await expect(page.locator('input[name=title]')).toHaveValue(title);
  await page.locator('textarea[name=reason]').fill('普查数据核对需要一台主机：数据 2 TB，用到明年六月。');
  await page.locator('button[name=do][value=resubmit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  await signOut(page);

  // The leader sees that it is the second time. Refused without a word it stays; refused with one it ends.
  await page.setViewportSize({ width: 360, height: 740 });
  await card(page, request, baseURL);
  await expect(page.locator('main')).toContainText('补正后第 2 次提交');
  await fitsTheWindow(page);
  await page.locator('button[name=do][value=reject]').click();
  await expect(page.locator('main .err, main .summary').first()).toBeVisible();
  await page.locator('textarea[name=opinion]').fill('市里已有同类数据，请共享使用。');
  await page.locator('button[name=do][value=reject]').click();
  await expect(page).toHaveURL(/\/todo/);
  await signOut(page);
  await wide();

  await signIn(page, 'clerk');
  await page.goto(request);
  await expect(page.locator('main')).toContainText('未通过');
  await expect(page.locator('main')).toContainText('市里已有同类数据，请共享使用。');
  await expect(page.locator('main')).toContainText('请说明数据量和使用期限。');
  await fitsTheWindow(page);
  await axeClean(page);
  expect(await coresHeld(page)).toBe(before);
});

test('a request is taken back until somebody has acted, and its to-do goes with it @once', async ({ page }) => {
  await signIn(page, 'clerk');
  const before = await coresHeld(page);
  const request = await submit(page, '撤回核对');
  const row = page.locator('button[value=withdraw]');
  if (!(await row.isVisible())) await page.locator('summary', { hasText: '撤回' }).click();
  await row.click();
  await expect(page.locator('main')).toContainText('已撤回');
  expect(await coresHeld(page)).toBe(before);
  await signOut(page);
  await signIn(page, 'leader.tjj');
  await page.goto(request);
  await expect(page.locator('a[href^="/todo/"]')).toHaveCount(0);
  await page.goto('/todo');
  await expect(page.locator('main')).not.toContainText('撤回核对');
});
