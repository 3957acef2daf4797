// Every page, by the people who use it: it answers, fits the window, and axe finds nothing, in Chinese
// and in English.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, look, signIn } from '../support/helpers.ts';
import { everyPath, IN_JOURNEYS, OF_ONE, PAGES } from '../support/pages.ts';
import { ROOT } from '../support/server.ts';

test('no page is left out @once', () => {
  const looked = [...Object.values(PAGES).flat(), ...Object.values(OF_ONE).flatMap((one) => Object.values(one).flat()), ...Object.keys(IN_JOURNEYS)];
  const bare = looked.map((one) => one.split('?')[0] ?? '');
  // The word in the braces is the program's, or a column of the list from which the thing is taken.
  const shape = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
  const paths = everyPath();
  expect(paths.filter((path) => !bare.includes(path) && !(/\{(code|kind)\}/.test(path) && bare.some((one) => shape(path).test(one))))).toEqual([]);
  // And none that is gone is kept.
  expect(bare.filter((one) => !paths.some((path) => shape(path).test(one)))).toEqual([]);
  for (const [path, journey] of Object.entries(IN_JOURNEYS)) {
    const text = readFileSync(join(ROOT, 'end2end', 'journeys', `${journey}.spec.ts`), 'utf8');
    const last = path.split('/').filter((part) => !part.includes('{')).pop() ?? '';
    expect(text, `${path} is visited in ${journey}.spec.ts`).toContain(last);
    expect(text, `${journey}.spec.ts asks axe`).toContain('axeClean');
  }
});

for (const login of Object.keys({ ...PAGES, ...OF_ONE })) {
  test(`the pages of ${login} stand whole`, async ({ page, server }, info) => {
    test.setTimeout(600_000);
    const cookie = await session(server.url, login);
    const paths = [...(PAGES[login] ?? [])];
    for (const [list, ofOne] of Object.entries(OF_ONE[login] ?? {})) {
      const { rows } = (await call(() => server.url, cookie, 'GET', list)).body as { rows: Record<string, string>[] };
      expect(rows.length, list).toBeGreaterThan(0);
      paths.push(...ofOne.map((path) => path.replace(/\{(\w+)\}/, (_, column: string) => rows[0]?.[column] ?? '')));
    }
    await signIn(page, login);
    for (const path of paths) {
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(200);
      await expect(page.getByRole('heading', { level: 1 }), path).toHaveCount(1);
      await fitsTheWindow(page);
      await axeClean(page);
      // English words are longer; its names and labels are texts of their own, its colours are not.
      await look(page, '-', 'en');
      await page.goto(path);
      await expect(page.locator('html')).toHaveAttribute('lang', 'en');
      await fitsTheWindow(page);
      if (info.project.name === 'desktop') await axeClean(page, ['light'], false);
      await look(page, '-', 'zh');
    }
  });
}

test('the page of the programming interface stands whole, and is found', async ({ page }) => {
  test.setTimeout(180_000);
  await signIn(page, 'clerk');
  await page.goto('/me/tokens');
  await page.locator('a[href="/api/v1/docs"]').click();
  await expect(page).toHaveURL(/\/api\/v1\/docs$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('a[href="/me/tokens"]').click();
  await expect(page).toHaveURL(/\/me\/tokens$/);
});

test('what is not allowed and what is not there look the same', async ({ page }) => {
  await signIn(page, 'clerk');
  for (const path of ['/requests/NB-20200101-9999', '/resources/none', '/todo/none']) {
    expect((await page.goto(path))?.status(), path).toBe(404);
  }
  expect((await page.goto('/operations'))?.status()).toBe(403);
  await axeClean(page);
});
