// A new item, with a parameter that depends on another, is made, published by a second person,
// ordered and delivered, by page alone.
import { until } from '../support/acts.ts';
import { expect, test } from '../support/fixtures.ts';
import { signIn, signOut } from '../support/helpers.ts';
import type { Page } from '@playwright/test';

test.use({ city: 'item' });

const CODE = 'S-SAFE';

/** The side's text, changed and saved, proposed, and published by another person. */
async function publish(page: Page, side: 'content' | 'price', writer: string, second: string, change: (text: string) => string): Promise<void> {
  const path = `/admin/items/${CODE}`;
  const act = (name: string) => page.locator(`form:has(input[name=side][value=${side}]) button[value=${name}]`).first();
  await signIn(page, writer);
  await page.goto(path);
  const text = page.locator(`textarea[name=text_${side}]`);
  // It lies in a fold: most write in the form.
  await page.locator('details', { has: text }).locator('summary').click();
  const before = await text.inputValue();

  // What can't be read is refused beside the field, and stands there still.
  await text.fill('{ "name": ');
  await act('write').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(text).toHaveValue('{ "name": ');

  await text.fill(change(before));
  await act('write').click();
  await expect(page.locator('.summary')).toHaveCount(0);
  await act('propose').click();
  await expect(act('propose')).toHaveCount(0);
  // Who has written does not publish.
  if ((await act('publish').count()) > 0) {
    await act('publish').click();
    await expect(page.locator('main')).toContainText('编写的人不能发布');
  }
  await signOut(page);

  await signIn(page, second);
  await page.goto(path);
  await act('publish').click();
  await expect(act('publish')).toHaveCount(0);
  await signOut(page);
}

test('an item is made, published by a second person, ordered and delivered by page alone @once', async ({ page }) => {
  test.setTimeout(120_000);
  await signIn(page, 'reviewer');
  await page.goto('/admin/items');
  await page.locator('input[name=code]').fill(CODE);
  await page.locator('select[name=like]').selectOption('S-EVS');
  await page.locator('form:has(input[name=code]) button').click();
  await expect(page).toHaveURL(new RegExp(`/admin/items/${CODE}`));
  await signOut(page);

  await publish(page, 'content', 'reviewer', 'reviewer2', (text) => {
    const content = JSON.parse(text);
    content.name = { zh: '加密云硬盘', en: 'Encrypted disk' };
    content.schema = content.schema.filter((param: { type: string }) => param.type !== 'attach');
    const section = content.schema[0].section;
    content.schema.push(
      { key: 'encrypted', label: { zh: '加密', en: 'Encrypted' }, section, type: 'flag', default: false, required: false },
      {
        key: 'cipher', label: { zh: '算法', en: 'Cipher' }, section, type: 'choice', default: 'sm4', required: true,
        options: [{ value: 'sm4', label: { zh: 'SM4', en: 'SM4' } }, { value: 'aes', label: { zh: 'AES-256', en: 'AES-256' } }],
        depends_on: { if: 'one_of', param: 'encrypted', values: ['true'] },
      },
    );
    return JSON.stringify(content, null, 2);
  });
  // Without a published price it is not on offer.
  await signIn(page, 'clerk');
  expect((await page.goto(`/catalogue/${CODE}`))?.status()).toBe(404);
  await signOut(page);
  await publish(page, 'price', 'finance', 'finance2', (text) => text);

  await signIn(page, 'clerk');
  await page.goto('/catalogue');
  await expect(page.locator('main')).toContainText('加密云硬盘');
  await page.goto(`/catalogue/${CODE}`);
  const cipher = page.locator('.when').filter({ has: page.locator('[name=cipher]') });
  await expect(cipher).toBeHidden();
  await page.locator('input[name=encrypted]').check({ force: true });
  await expect(cipher).toBeVisible();
  await page.locator('input[name=cipher][value=aes]').check({ force: true });
  await page.locator('button[name=do][value=put]').first().click();
  await expect(page).toHaveURL(/\/cart\//);
  await expect(page.locator('main')).toContainText('AES-256');

  // The price that the second person published is the price of the cart, and what was chosen is built.
  await expect(page.locator('.price')).toContainText(/[1-9]/);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill('加密云硬盘核验');
  await page.locator('textarea[name=reason]').fill('新上架的加密云硬盘，核验从下单到交付。');
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await until(page, () => expect(page.locator('button[name=do][value=confirm]')).toBeVisible({ timeout: 500 }));
  await page.goto(`/deliveries/${request.split('/').pop()}`);
  await expect(page.locator('.sheet')).toContainText('加密云硬盘');
  await page.goto('/resources?kind=volume');
  await page.getByRole('row').filter({ hasText: '加密云硬盘' }).first().getByRole('link').first().click();
  await expect(page.locator('main')).toContainText('AES-256');
});
