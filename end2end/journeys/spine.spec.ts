// The outcome of the whole: a clerk orders, a leader signs on a phone, the office at a desk, the
// machines come up, and the bureau finds them in its resources.
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, look, signIn as enter } from '../support/helpers.ts';
import { session } from '../support/api.ts';
import { approveAll, order, put, SMALL } from '../support/order.ts';
import type { Locator, Page, TestInfo } from '@playwright/test';

/** How the portal is looked at, and what it calls there what the journey looks for. */
interface Look {
  language: 'zh' | 'en';
  theme: 'dark' | '-';
  cores: RegExp;
  confirmed: string;
}

const CHINESE: Look = { language: 'zh', theme: '-', cores: /处理器/, confirmed: '确认，试运行开始' };
const ENGLISH: Look = { language: 'en', theme: 'dark', cores: /processors/i, confirmed: 'Confirmed, trial run begins' };

/** The act can be pressed without scrolling: nothing of the page's own lies over it. */
async function underTheThumb(act: Locator): Promise<void> {
  await expect(act).toBeInViewport({ ratio: 1 });
  const free = await act.evaluate((element) => {
    const box = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
  });
  expect(free, 'something lies over the act').toBe(true);
}

/** What a leader decides by can be read without scrolling: it ends above the acts, which lie over the rest. */
async function aboveTheThumb(page: Page): Promise<void> {
  const thumb = await page.locator('.thumb').boundingBox();
  for (const part of ['.ask-what', '.ask-money', '.ask .ba', '.ask .flags']) {
    const box = await page.locator(part).first().boundingBox();
    expect((box?.y ?? Infinity) + (box?.height ?? 0), `${part} ends above the acts`).toBeLessThanOrEqual(thumb?.y ?? 0);
  }
}

/** Cores that the unit uses in the first pool, by its quota page. */
async function coresUsed(page: Page, { cores }: Look): Promise<number> {
  await page.goto('/quota');
  const row = page.locator('main table').first().getByRole('row').filter({ hasText: cores });
  return Number(((await row.locator('td').nth(2).textContent()) ?? '').replaceAll(',', ''));
}

/** One order from its first click to the machine, by everybody who takes part. */
async function fromTheCatalogue(page: Page, baseURL: string, info: TestInfo, seen: Look): Promise<void> {
  // The cookie of the look goes with the session's: whoever comes next chooses again.
  const signIn = async (login: string) => {
    await enter(page, login);
    if (seen === CHINESE) return;
    await look(page, seen.theme, seen.language);
    await page.goto('/');
    await expect(page.locator('html')).toHaveAttribute('lang', seen.language);
  };
  // A theme of one's own holds against the system's.
  const axe = () => axeClean(page, seen.theme === 'dark' ? ['dark'] : undefined);
  const signOut = () => page.context().clearCookies();
  const title = `普查数据采集 ${info.project.name} ${seen.language}`;
  await signIn('clerk');
  const used = await coresUsed(page, seen);

  // Two hosts, a disk on one of them, an address and a backup: one request.
  await page.goto('/drafts');
  await page.locator('button[name=do][value=new]').click();
  await expect(page).toHaveURL(/\/cart\//);
  await put(page, 'C-ECS', { name: 'web', count: '2', vcpus: '4', memory_gb: '8' });
  await put(page, 'S-EVS', { size_gb: '20' }, true);
  await put(page, 'N-EIP', { bandwidth_mbps: '40' }, true);
  await put(page, 'D-LB', { size_gb: '20' }, true);
  // 2 × (4 × 46 + 8 × 17 + 40 × 0.70) + 20 × 0.70 + (5 × 20 + 35 × 36) + 20 × 0.20: the price stands there
  // before anything is submitted, with what it takes of the quota.
  const price = page.locator('.price');
  await expect(price).toContainText('2,074.00');
  await expect(price).toContainText(seen.cores);
  await fitsTheWindow(page);
  await axe();
  const cart = page.url();

  // Bad input: the message stands beside the field, and what was typed is still there.
  await page.locator('input[name=title]').fill('普查数据采集');
  await page.locator('button[name=do][value=submit]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('input[name=title]')).toHaveValue('普查数据采集');

  await page.goto(cart);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill(title);
  await page.locator('textarea[name=reason]').fill('第五次全国经济普查数据采集，十月开始集中填报。');
  const form = page.locator('form:has(button[value=submit])');
  const fields = await form.evaluate((element) => Object.fromEntries(new FormData(element as HTMLFormElement)) as Record<string, string>);
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('普查数据采集');
  await fitsTheWindow(page);
  await axe();

  // The same form sent again (double click, back button, second tab) finds the request it made.
  const again = await page.request.post(cart, {
    form: { ...fields, do: 'submit' },
    headers: { 'sec-fetch-site': 'same-origin' },
    maxRedirects: 0,
  });
  expect(again.status()).toBe(303);
  expect(again.headers().location).toBe(new URL(request).pathname);
  await page.goto(`/requests?q=${encodeURIComponent(fields.title ?? '')}`);
  await expect(page.locator('main tbody tr')).toHaveCount(1);

  // A colleague of another bureau finds nothing under this address.
  await signOut();
  await signIn('clerk.rsj');
  expect((await page.goto(request))?.status()).toBe(404);
  await signOut();

  // It costs more than passes by itself, and more than a bureau may sign for alone: its leader signs on
  // a phone, the cloud office at a desk.
  const before = page.viewportSize();
  for (const [login, width, height] of [['leader.tjj', 360, 740], ['reviewer', 1440, 900]] as const) {
    await page.setViewportSize({ width, height });
    await signIn(login);
    await page.goto(request);
    const decide = page.locator('a[href^="/todo/"]').first();
    await expect(decide).toBeVisible();
    await page.goto(new URL((await decide.getAttribute('href')) ?? '', baseURL).href);
    await expect(page.locator('main')).toContainText('2,074.00');
    await fitsTheWindow(page);
    const approve = page.locator('button[name=do][value=approve]');
    if (width === 360) {
      await underTheThumb(approve);
      await aboveTheThumb(page);
    }
    await axe();
    await approve.click();
    await expect(page).toHaveURL(/\/todo/);
    await signOut();
  }
  if (before) await page.setViewportSize(before);

  // The machines come up by themselves.
  await signIn('clerk');
  await expect(async () => {
    await page.goto(request);
    await expect(page.locator('button[name=do][value=confirm]')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await page.locator('button[name=do][value=confirm]').click();
  await expect(page.locator('button[name=do][value=confirm]')).toHaveCount(0);

  // Delivery sheet, paper, resources.
  const id = request.split('/').pop();
  await page.goto(`/deliveries/${id}`);
  await expect(page.locator('.sheet')).toContainText('web');
  await axe();
  await page.goto(`/requests/${id}/print`);
  await expect(page.locator('.sheet').first()).toContainText('普查数据采集');
  await fitsTheWindow(page);
  await page.goto('/resources?q=web');
  await expect(page.getByRole('row').filter({ hasText: 'web' }).first()).toBeVisible();
  await page.getByRole('row').filter({ hasText: 'web' }).first().getByRole('link', { name: /^web/ }).first().click();
  await expect(page.locator('main')).toContainText(seen.confirmed);
  expect(await coresUsed(page, seen)).toBe(used + 8);
}

test('from the catalogue to a running machine', async ({ page, baseURL }, info) => {
  test.setTimeout(150_000);
  await fromTheCatalogue(page, baseURL ?? '', info, CHINESE);
});

test('from the catalogue to a running machine, in English and in the dark @once', async ({ page, baseURL }, info) => {
  test.setTimeout(150_000);
  await fromTheCatalogue(page, baseURL ?? '', info, ENGLISH);
});

test('a form that was changed keeps its price true @live', async ({ page }) => {
  await enter(page, 'clerk');
  await page.goto('/catalogue/C-ECS');
  const sum = page.locator('.price .sum, .price b').first();
  const before = await sum.textContent();
  await expect(async () => {
    await page.locator('input[name=vcpus]').fill('16');
    expect(await sum.textContent()).not.toBe(before);
  }).toPass({ timeout: 15_000 });
});

test('an open request follows its approval and its machine without a reload @live', async ({ page, server }) => {
  test.setTimeout(120_000);
  const where = () => server.url;
  const typed = { ...SMALL, vcpus: '8', memory_gb: '16' };
  const { id } = await order(where, await session(server.url, 'clerk'), 'follows', [{ item: 'C-ECS', name: 'follows', typed }]);
  await enter(page, 'clerk');
  const listens = page.waitForResponse(/\/events\?/);
  await page.goto(`/requests/${id}`);
  expect((await listens).status()).toBe(200);
  // What a page is told of is lost when it is loaded again.
  await page.evaluate(() => Object.assign(window, { opened: 'once' }));
  const state = page.locator('.acts-tail .chip').first();
  const before = await state.textContent();
  await expect(page.locator('button[name=do][value=confirm]')).toHaveCount(0);
  await approveAll(where, id, 'leader.tjj');
  await expect(state).not.toHaveText(before ?? '', { timeout: 15_000 });
  await expect(page.locator('button[name=do][value=confirm]')).toBeVisible({ timeout: 60_000 });
  expect(await page.evaluate(() => (window as unknown as { opened?: string }).opened)).toBe('once');
});
