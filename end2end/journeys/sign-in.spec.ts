import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, look, shots } from '../support/helpers.ts';

test('the sign-in page stands whole in every world', async ({ page }) => {
  const answer = await page.goto('/sign-in');
  expect(answer?.status()).toBe(200);
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('登录');
  await expect(page.getByLabel('账号')).toBeVisible();
  await expect(page.getByLabel('密码')).toHaveAttribute('type', 'password');
  // The style arrived and the policy let it: the main button is not the browser's own grey.
  const button = page.locator('.door-form form button');
  expect(await button.evaluate((one) => getComputedStyle(one).backgroundColor)).not.toMatch(/rgb\(239, 239, 239\)|rgba\(0, 0, 0, 0\)/);
  await fitsTheWindow(page);
  await axeClean(page);
});

test('the sign-in page speaks English to who asks for it', async ({ page }) => {
  await page.goto('/sign-in');
  await look(page, '-', 'en');
  await page.goto('/sign-in');
  await expect(page.locator('html')).toHaveAttribute('lang', /^en/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in');
  await axeClean(page);
});

test('pictures of the sign-in page @shots', async ({ page }) => {
  await page.goto('/sign-in');
  await shots(page, 'sign-in');
});
