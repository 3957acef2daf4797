// Over quota is no dead end: the answer says what is missing, and the change is asked for in the
// same request.
import { expect, test } from '../support/fixtures.ts';
import { signIn, signOut } from '../support/helpers.ts';
import type { Page } from '@playwright/test';

test.use({ city: 'quota' });

/** The unit's limit of cores in the first pool, as its quota page shows it. */
async function coresLimit(page: Page): Promise<number> {
  await page.goto('/quota');
  const row = page.locator('main table').first().getByRole('row').filter({ hasText: '处理器' });
  return Number((await row.getByRole('cell').nth(1).innerText()).replaceAll(',', ''));
}

test('what is beyond the quota names what is missing and asks for it in the same request @once', async ({ page, baseURL }) => {
  test.setTimeout(150_000);
  await signIn(page, 'clerk');
  const before = await coresLimit(page);
  expect(before).toBeGreaterThan(0);
  await page.goto('/drafts');
  await page.locator('button[name=do][value=new]').click();
  await page.goto('/catalogue/C-ECS');
  await page.locator('input[name=name]').fill('big');
  await page.locator('input[name=count]').fill('20');
  await page.locator('input[name=vcpus]').fill('8');
  await page.locator('button[name=do][value=put]').first().click();
  await expect(page).toHaveURL(/\/cart\//);
  const verdict = page.locator('.verdict-bad');
  await expect(verdict).toContainText('处理器');
  await expect(verdict).toContainText('160');

  const fill = async () => {
    await page.locator('select[name=system]').selectOption({ index: 1 });
    await page.locator('input[name=title]').fill('数据汇聚扩容');
    await page.locator('textarea[name=reason]').fill('全市普查数据集中汇聚，计算能力需要扩大。');
  };
  await fill();
  await page.locator('button[name=do][value=submit]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(page.locator('input[name=title]')).toHaveValue('数据汇聚扩容');
  await page.locator('input[name=with_quota_change]').check({ force: true });
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await signOut(page);

  for (const login of ['leader.tjj', 'reviewer', 'security', 'finance', 'leader']) {
    await signIn(page, login);
    await page.goto(request);
    const decide = page.locator('a[href^="/todo/"]').first();
    if (await decide.isVisible()) {
      await page.goto(new URL((await decide.getAttribute('href')) ?? '', baseURL).href);
      await page.locator('button[name=do][value=approve]').click();
      await expect(page).toHaveURL(/\/todo/);
    }
    await signOut(page);
  }
  await signIn(page, 'clerk');
  await page.goto(request);
  await expect(page.locator('main')).not.toContainText('审批中');
  expect(await coresLimit(page)).toBeGreaterThan(before);
});
