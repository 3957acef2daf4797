// Every page, by the people who use it: it answers, fits the window, and axe finds nothing.
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, look, shots, signIn } from '../support/helpers.ts';

const PAGES: Record<string, string[]> = {
  clerk: ['/', '/catalogue', '/catalogue/C-ECS', '/catalogue/S-EVS', '/catalogue/M-MIG', '/cart', '/drafts', '/requests', '/resources', '/usage', '/usage/units', '/quota', '/notices', '/me', '/me/password', '/me/tokens', '/search?q=web', '/help'],
  'leader.tjj': ['/', '/todo', '/done', '/quota'],
  reviewer: ['/todo', '/done', '/overview', '/admin/items', '/admin/items/C-ECS', '/quota'],
  finance: ['/admin/items/C-ECS'],
  operator: ['/operations', '/operations?state=done', '/operations/jobs', '/operations/jobs?state=done', '/operations/clouds', '/operations/differences', '/operations/differences?past=yes&kind=changed', '/work-orders', '/overview'],
  leader: ['/overview', '/usage', '/usage/units', '/todo'],
  auditor: ['/admin/audit'],
  sysadmin: ['/admin/units', '/admin/users'],
};

/** Lists whose first row is opened too. */
const FIRST: Record<string, string[]> = {
  clerk: ['/requests', '/resources'],
  'leader.tjj': ['/todo'],
  operator: ['/operations?state=done', '/work-orders'],
  sysadmin: ['/admin/units', '/admin/users'],
};

for (const [login, paths] of Object.entries(PAGES)) {
  test(`the pages of ${login} stand whole`, async ({ page }) => {
    test.setTimeout(240_000);
    await signIn(page, login);
    for (const path of paths) {
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(200);
      await expect(page.getByRole('heading', { level: 1 }), path).toHaveCount(1);
      await fitsTheWindow(page);
      await axeClean(page);
      // English words are longer.
      await look(page, '-', 'en');
      await page.goto(path);
      await fitsTheWindow(page);
      await look(page, '-', 'zh');
      await page.goto(path);
      if (!FIRST[login]?.includes(path)) continue;
      const first = await page.locator('main tbody th a, main .rows a.lead').first().getAttribute('href');
      expect((await page.goto(first ?? ''))?.status(), first ?? path).toBe(200);
      await expect(page.getByRole('heading', { level: 1 }), path).toHaveCount(1);
      await fitsTheWindow(page);
      await axeClean(page);
    }
  });

  test(`pictures for ${login} @shots`, async ({ page }) => {
    test.setTimeout(600_000);
    await signIn(page, login);
    for (const path of paths) {
      await page.goto(path);
      await shots(page, `${login}-${path.replaceAll(/[^a-zA-Z0-9]+/g, '_')}`);
    }
  });
}

test('what is not allowed and what is not there look the same', async ({ page }) => {
  await signIn(page, 'clerk');
  for (const path of ['/requests/NB-20200101-9999', '/resources/none', '/todo/none']) {
    expect((await page.goto(path))?.status(), path).toBe(404);
  }
  expect((await page.goto('/operations'))?.status()).toBe(403);
  await axeClean(page);
});
