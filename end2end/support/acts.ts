// What is pressed on the page of a resource.
import { expect, type Locator, type Page } from '@playwright/test';

/** Presses a button, and goes on when the server has answered: taken is a redirect. */
export async function press(page: Page, button: Locator): Promise<void> {
  const answered = page.waitForResponse((response) => response.request().method() === 'POST' && !response.url().includes('/fn/'));
  await button.click();
  expect((await answered).status()).toBe(303);
}

/** Confirms an act that asks once more: the first press says what it leads to. */
export async function confirm(page: Page, act: string): Promise<void> {
  const asked = page.locator('details.confirm').filter({ has: page.locator(`button[value=${act}]`) }).first();
  await asked.locator('summary').click();
  await press(page, asked.locator(`button[name=do][value=${act}]`));
}

/** The page again, until something of it is so: without scripts nothing follows by itself. */
export async function until(page: Page, so: () => Promise<void>): Promise<void> {
  const here = page.url();
  await expect(async () => {
    await page.goto(here);
    await so();
  }).toPass({ timeout: 60_000 });
}
