// A host that grows and a term that goes on: asked for on the resource's page, signed on a phone with
// before and after side by side, done, and seen in price, quota and history.
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { call, session } from '../support/api.ts';
import { orderHost } from '../support/order.ts';

test('a host is made larger by request and renewed at once', async ({ page, server, baseURL }, info) => {
  test.setTimeout(150_000);
  const name = `grow-${info.project.name.replaceAll(/[^a-z0-9]/g, '')}`;
  await orderHost(server.url, await session(server.url, 'clerk'), name);
  await signIn(page, 'clerk');
  const row = page.getByRole('row').filter({ hasText: name }).first();
  await expect(async () => {
    await page.goto(`/resources?q=${name}`);
    await expect(row).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await row.getByRole('link', { name }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
  const resource = page.url();

  // The form shows 原 and 现, the difference and the verdict before anything is asked for.
  await page.getByRole('link', { name: '变更规格' }).click();
  await expect(page).toHaveURL(/\/change\?what=resize/);
  await fitsTheWindow(page);
  await page.locator('input[name=vcpus]').fill('16');
  await page.locator('input[name=memory_gb]').fill('32');
  await page.locator('textarea[name=reason]').fill('集中填报期间计算能力不足。');
  await page.locator('button.btn[name=do][value=try]').click();
  await expect(page.locator('input[name=vcpus]')).toHaveValue('16');
  const effect = page.locator('.price .ba');
  await expect(effect).toContainText('原');
  await expect(effect).toContainText('16 核');
  await axeClean(page);
  await page.locator('button[name=do][value=submit]').first().click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await expect(page.locator('main')).toContainText('16 核');
  await axeClean(page);

  // While it waits the resource can't be given back, and its page says why.
  await page.goto(resource);
  await expect(page.locator('main')).toContainText('正在办理');
  await expect(page.getByRole('link', { name: '申请退订' })).toHaveCount(0);
  await signOut(page);

  // The leader sees before and after on the phone.
  const window = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 740 });
  await signIn(page, 'leader.tjj');
  await page.goto(request);
  const decide = page.locator('a[href^="/todo/"]').first();
  await page.goto(new URL((await decide.getAttribute('href')) ?? '', baseURL).href);
  const steps = page.locator('.ask .ba').first();
  await expect(steps).toContainText('现');
  await expect(steps).toContainText('16 核');
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('button[name=do][value=approve]').click();
  await expect(page).toHaveURL(/\/todo/);
  await signOut(page);
  if (window) await page.setViewportSize(window);
  for (const login of ['reviewer', 'security', 'finance', 'leader']) {
    await signIn(page, login);
    await page.goto(request);
    const card = page.locator('a[href^="/todo/"]').first();
    if (await card.isVisible().catch(() => false)) {
      await page.goto(new URL((await card.getAttribute('href')) ?? '', baseURL).href);
      await page.locator('button[name=do][value=approve]').click();
      await expect(page).toHaveURL(/\/todo/);
    }
    await signOut(page);
  }

  // The host is larger, and its history says from what to what.
  await signIn(page, 'clerk');
  await expect(async () => {
    await page.goto(resource);
    await expect(page.locator('main')).toContainText('32 GB', { timeout: 500 });
    await expect(page.getByRole('link', { name: '变更规格' })).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await expect(page.locator('main')).toContainText('1 核 → 16 核');

  // Renewed: the whole month price goes on, so this one is signed too.
  await page.getByRole('link', { name: '续期' }).click();
  await page.locator('input[name=months]').fill('6');
  await page.locator('textarea[name=reason]').fill('普查延期半年。');
  await page.locator('button[name=do][value=submit]').first().click();
  await expect(page).toHaveURL(/\/requests\//);
  await expect(page.locator('main')).toContainText('到期');
  await fitsTheWindow(page);
});

test('price and verdict follow what is typed @live', async ({ page, server }) => {
  test.setTimeout(120_000);
  await orderHost(server.url, await session(server.url, 'clerk'), 'follow');
  await signIn(page, 'clerk');
  const row = page.getByRole('row').filter({ hasText: 'follow' }).first();
  await expect(async () => {
    await page.goto('/resources?q=follow');
    await expect(row).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await row.getByRole('link', { name: 'follow' }).click();
  await page.getByRole('link', { name: '变更规格' }).click();
  const sum = page.locator('.price .sum b').first();
  const before = await sum.textContent();
  await expect(async () => {
    await page.locator('input[name=vcpus]').fill('4');
    expect(await sum.textContent()).not.toBe(before);
  }).toPass({ timeout: 15_000 });
});

test('a backup plan runs otherwise, at once where it costs no more @once', async ({ page, server }) => {
  test.setTimeout(150_000);
  const clerk = await session(server.url, 'clerk');
  const plans = (await call(() => server.url, clerk, 'GET', '/resources?kind=backup&state=running')).body.rows as { id: string }[];
  const plan = `/resources/${plans[0]!.id}`;
  await signIn(page, 'clerk');
  // What the cloud can do is read within a minute of the start.
  await expect(async () => {
    await page.goto(plan);
    await page.getByRole('link', { name: '变更备份策略' }).click({ timeout: 500 });
  }).toPass({ timeout: 90_000 });
  await expect(page).toHaveURL(/\/change\?what=plan/);
  await fitsTheWindow(page);
  const weekly = page.locator('input[name=schedule][value=weekly]');
  const other = (await weekly.isChecked()) ? '每天一次' : '每周一次';
  await page.locator('label').filter({ hasText: other }).click();
  await page.locator('input[name=keep_days]').fill('45');
  await expect(page.locator('.price .ba')).toContainText(other);
  await expect(page.locator('.price .ba')).toContainText('45 天');
  await axeClean(page);
  await page.locator('textarea[name=reason]').fill('按新的保存要求调整。');
  await page.locator('button[name=do][value=submit]').first().click();
  await expect(page).toHaveURL(/\/requests\//);
  await expect(async () => {
    await page.goto(plan);
    await expect(page.locator('main')).toContainText('→ 45 天', { timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await fitsTheWindow(page);
});
