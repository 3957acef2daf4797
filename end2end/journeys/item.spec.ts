// A new item, with a parameter that depends on another, is made, published by a second person,
// ordered and delivered, by page alone.
import { until } from '../support/acts.ts';
import { expect, test } from '../support/fixtures.ts';
import { signIn, signOut } from '../support/helpers.ts';
import type { Page } from '@playwright/test';

test.use({ city: 'item' });

const CODE = 'S-SAFE';

const ITEM = `/admin/items/${CODE}`;

/** One side, written by one person, proposed, and published by another. */
async function publish(page: Page, side: 'content' | 'price', writer: string, second: string, write: (page: Page) => Promise<void>): Promise<void> {
  const act = (name: string) => page.locator(`form:has(input[name=side][value=${side}]) button[value=${name}]`).first();
  await signIn(page, writer);
  await page.goto(ITEM);

  // As JSON, for those who like it: what can't be read is refused beside the field, and stands there still.
  const text = page.locator(`textarea[name=text_${side}]`);
  await page.locator('details', { has: text }).locator('summary').click();
  await text.fill('{ "name": ');
  await act('write').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(text).toHaveValue('{ "name": ');

  await page.goto(`${ITEM}?as=${side}`);
  await write(page);
  await press(page, 'write');
  await expect(page).toHaveURL(new RegExp(`/${CODE}(#.*)?$`));
  await act('propose').click();
  await expect(act('propose')).toHaveCount(0);
  // Who has written does not publish.
  if ((await act('publish').count()) > 0) {
    await act('publish').click();
    await expect(page.locator('main')).toContainText('编写的人不能发布');
  }
  await signOut(page);

  await signIn(page, second);
  await page.goto(ITEM);
  await act('publish').click();
  await expect(act('publish')).toHaveCount(0);
  await signOut(page);
}

/** Presses a button of the form. */
async function press(page: Page, act: string): Promise<void> {
  await page.locator(`button[name=do][value="${act}"]`).last().click();
}

/** A new parameter, filled in; its name among the rows. */
async function parameter(page: Page, key: string, name: string, type: string, shows: string): Promise<string> {
  const rows = page.locator('input[name=row]');
  const names = () => rows.evaluateAll((all) => all.map((one) => (one as HTMLInputElement).value));
  const before = await names();
  await press(page, 'param');
  await expect(rows).toHaveCount(before.length + 1);
  const row = (await names()).find((one) => !before.includes(one)) ?? '';
  await page.locator(`[name="${row}.key"]`).fill(key);
  await page.locator(`[name="${row}.name"]`).fill(name);
  await page.locator(`[name="${row}.section"]`).fill('磁盘');
  await page.locator(`[name="${row}.type"]`).selectOption(type);
  await press(page, `show ${row}`);
  await expect(page.locator(`[name="${row}.${shows}"]:not([type=hidden])`)).toHaveCount(1);
  return row;
}

/** A disk that is not attached, and may be encrypted, by one of two ciphers. */
async function encrypted(page: Page): Promise<void> {
  await page.locator('[name=name]').fill('加密云硬盘');
  await page.locator('[name=name_en]').fill('Encrypted disk');
  const attach = await page.locator('input[value=attach_to]').getAttribute('name');
  await press(page, `remove ${attach?.split('.')[0]}`);
  await expect(page.locator('input[value=attach_to]')).toHaveCount(0);
  const flag = await parameter(page, 'encrypted', '加密', 'flag', 'default');
  await page.locator(`[name="${flag}.required"]`).uncheck({ force: true });
  const cipher = await parameter(page, 'cipher', '算法', 'choice', 'options');
  await page.locator(`[name="${cipher}.options"]`).fill('sm4 | SM4 | SM4\naes | AES-256 | AES-256');
  await page.locator(`[name="${cipher}.default"]`).fill('sm4');
  await page.locator(`[name="${cipher}.when"]`).selectOption('encrypted');
  await press(page, `show ${cipher}`);
  await page.locator(`[name="${cipher}.values"][value=true]`).check({ force: true });
  // What was typed before stands there still.
  await expect(page.locator('[name=name]')).toHaveValue('加密云硬盘');
}

/** A price of its own, tried before it is written. */
async function dearer(page: Page): Promise<void> {
  await page.locator('[name="p0.rate.ssd"]').fill('0.95');
  await page.locator('[name="try.size_gb"]').fill('200');
  await press(page, 'try');
  await expect(page.getByRole('table')).toContainText('190.00');
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

  await publish(page, 'content', 'reviewer', 'reviewer2', encrypted);
  // Without a published price it is not on offer.
  await signIn(page, 'clerk');
  expect((await page.goto(`/catalogue/${CODE}`))?.status()).toBe(404);
  await signOut(page);
  await publish(page, 'price', 'finance', 'finance2', dearer);

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
