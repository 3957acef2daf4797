// What scripts add to pages that work without them: the next page comes without loading the document
// anew, the way back leads to where one read, and news touch nothing that a person has begun.
import type { Page } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { signIn } from '../support/helpers.ts';

/** Marks the document: the mark is gone when it is loaded anew. */
const mark = (page: Page) => page.evaluate(() => Object.assign(window, { opened: 'once' }));
const marked = (page: Page) => page.evaluate(() => (window as unknown as { opened?: string }).opened === 'once');

/** The page listens to the server: from here on its scripts are awake. */
async function awake(page: Page, path: string): Promise<void> {
  const listens = page.waitForResponse(/\/events\?/);
  await page.goto(path);
  expect((await listens).status()).toBe(200);
}

/** Fields that the panel beside a form says are not filled in, or wrongly. */
const unfinished = async (page: Page) => Number(/还有 (\d+) 处没有填好/.exec(await page.locator('.verdict').first().innerText())?.[1] ?? 0);

test('a count and a term out of range are not reckoned as if they were in it @live @once', async ({ page }) => {
  await signIn(page, 'clerk');
  await awake(page, '/catalogue/C-ECS');
  const left = await unfinished(page);
  for (const [name, wrong, right] of [['count', '9999', '2'], ['count', '一', '2'], ['term_months', '13', '６']] as const) {
    const field = page.locator(`main [name=${name}]`);
    await field.fill(wrong);
    await expect.poll(() => unfinished(page), `${name} ${wrong}`).toBe(left + 1);
    await field.fill(right);
    await expect.poll(() => unfinished(page), `${name} ${right}`).toBe(left);
  }
});

test('links and searches bring the next page without loading the document anew, and back leads to where one read @live @once', async ({ page }) => {
  await signIn(page, 'clerk');
  await awake(page, '/resources');
  await mark(page);
  const rows = page.locator('main tbody tr');
  const before = await rows.count();
  expect(before).toBeGreaterThan(10);

  // A search, by its button and by the Enter key.
  await page.locator('main form[role=search] input[type=search]').fill('web');
  await page.locator('main form[role=search] input[type=search]').press('Enter');
  await expect(page).toHaveURL(/\/resources\?.*q=web/);
  await expect(rows).not.toHaveCount(before);

  // A link: the title, the place in the navigation and the focus go with it, and it begins at its top.
  await page.evaluate(() => window.scrollTo(0, 200));
  const read = await page.evaluate(() => window.scrollY);
  await page.locator('.side a[href="/quota"]').click();
  await expect(page).toHaveURL(/\/quota$/);
  await expect(page).toHaveTitle(/配额/);
  await expect(page.locator('.side a[aria-current=page]')).toHaveText(/配额/);
  await expect(page.locator('#main')).toBeFocused();
  expect(await page.evaluate(() => window.scrollY)).toBe(0);

  await page.goBack();
  await expect(page).toHaveURL(/\/resources\?.*q=web/);
  await expect(page.locator('main form[role=search] input[type=search]')).toHaveValue('web');
  await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(read);
  await page.goBack();
  await expect(rows).toHaveCount(before);
  await page.goForward();
  await expect(page).toHaveURL(/\/resources\?.*q=web/);
  expect(await marked(page)).toBe(true);

  // What is long on its way is seen to be; a page that is asked for again is no step of the way back.
  const waits = page.locator('html[data-waits]');
  let release = () => {};
  const held = new Promise<void>((go) => (release = go));
  await page.route('**/quota', async (route) => {
    await held;
    await route.continue();
  });
  await page.locator('.side a[href="/quota"]').click();
  await expect(waits).toHaveCount(1);
  release();
  await expect(page).toHaveURL(/\/quota$/);
  await expect(waits).toHaveCount(0);
  await page.unroute('**/quota');
  const steps = await page.evaluate(() => history.length);
  const again = page.waitForResponse(/\/quota$/);
  await page.locator('.side a[href="/quota"]').click();
  expect((await again).status()).toBe(200);
  await expect(page.locator('#main')).toBeFocused();
  expect(await page.evaluate(() => history.length)).toBe(steps);
  expect(await marked(page)).toBe(true);

  // A form is the browser's: what it leads to is a document of its own.
  await page.goto('/catalogue/C-ECS');
  await expect(page.locator('leptos-island[data-awake]')).toHaveCount(1);
  // Brought instead of loaded, the panel reckons as well.
  await page.locator('.side a[href="/catalogue"]').click();
  await expect(page).toHaveURL(/\/catalogue$/);
  await mark(page);
  await page.locator('main a[href^="/catalogue/C-ECS"]').first().click();
  await expect(page.locator('leptos-island[data-awake]')).toHaveCount(1);
  const sum = page.locator('.price .sum b');
  const cheap = await sum.textContent();
  await page.locator('button[aria-controls=f-vcpus][value="vcpus+"]').click();
  await expect(sum).not.toHaveText(cheap ?? '');
  expect(await marked(page)).toBe(true);
});

test('news change what they are about and leave what somebody has begun @live @once', async ({ page, server }) => {
  const where = () => server.url;
  const clerk = await session(server.url, 'clerk');
  const host = (await call(where, clerk, 'GET', '/resources?kind=server&state=running')).body.rows[0] as { id: string };
  await signIn(page, 'clerk');
  await awake(page, `/resources/${host.id}`);
  await mark(page);
  const unfolded = page.locator('main details').filter({ has: page.locator('button[value=restart]') });
  await unfolded.locator('summary').click();
  await expect(unfolded.locator('button[value=restart]')).toBeVisible();
  await page.locator('#search').fill('写到一半');

  const stopped = await call(where, clerk, 'POST', `/resources/${host.id}/stop`, {});
  expect(stopped.status).toBeLessThan(300);
  await expect(page.locator('main button[value=start]')).toBeVisible({ timeout: 30_000 });
  await expect(page.locator('#search')).toHaveValue('写到一半');
  expect(await marked(page)).toBe(true);

  await call(where, clerk, 'POST', `/resources/${host.id}/start`, {});
  await expect(page.locator('main button[value=stop]')).toHaveCount(1, { timeout: 30_000 });

  // News of a page that come when the next one stands there already are of no use any more.
  const gates = { next: () => {}, news: () => {} };
  const next = new Promise<void>((go) => (gates.next = go));
  const late = new Promise<void>((go) => (gates.news = go));
  await page.route('**/quota', async (route) => {
    await next;
    await route.continue();
  });
  await page.route(`**/resources/${host.id}`, async (route) => {
    const answer = await route.fetch();
    await late;
    await route.fulfill({ response: answer });
  });
  await page.locator('.side a[href="/quota"]').click();
  await expect(page.locator('html[data-waits]')).toHaveCount(1);
  const asked = page.waitForRequest((one) => one.url().endsWith(`/resources/${host.id}`) && one.headers()['x-live'] === '1');
  await call(where, clerk, 'POST', `/resources/${host.id}/stop`, {});
  await asked;
  gates.next();
  await expect(page).toHaveTitle(/配额/);
  const came = page.waitForResponse(new RegExp(`/resources/${host.id}$`));
  gates.news();
  await came;
  // Whatever would be put there is put there within a frame or two.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  await expect(page).toHaveTitle(/配额/);
  await expect(page.locator('main h1')).toContainText('配额');
  await page.unrouteAll();
  await call(where, clerk, 'POST', `/resources/${host.id}/start`, {});
});

test('a session that ended leads to the door, whatever link is followed @live @once', async ({ page }) => {
  await signIn(page, 'clerk');
  await awake(page, '/resources');
  await page.context().clearCookies();
  await page.locator('.side a[href="/quota"]').click();
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fquota/);
  await expect(page.locator('input[name=account]')).toBeVisible();
});

test('the first page loads at most 300 KB of code and style, each further area at most 80 @live @once', async ({ browser, server, page }) => {
  await signIn(page, 'clerk');
  // An empty cache, and somebody who is signed in already.
  const context = await browser.newContext({ storageState: await page.context().storageState(), baseURL: server.url });
  const fresh = await context.newPage();
  let bytes = 0;
  const sizes: Promise<void>[] = [];
  fresh.on('requestfinished', (request) => {
    if (!/\.(wasm|js|css)(\?|$)|\/locale\//.test(request.url())) return;
    sizes.push(
      request.sizes().then((size) => {
        // What came out of the cache did not travel.
        if (size.responseBodySize > 0) bytes += size.responseBodySize + size.responseHeadersSize;
      }),
    );
  });
  const loads = async (path: string) => {
    bytes = 0;
    await fresh.goto(path);
    await expect(fresh.locator('leptos-island:not([data-awake])')).toHaveCount(0);
    // The stream of news is never over, so that the network is never idle.
    await fresh.waitForTimeout(1_000);
    await Promise.all(sizes.splice(0));
    return bytes;
  };
  const first = await loads('/catalogue');
  const table = [`catalogue ${first}`];
  expect(first, 'the first load was measured').toBeGreaterThan(50_000);
  expect(first).toBeLessThanOrEqual(300_000);
  for (const path of ['/', '/catalogue/C-ECS', '/cart', '/requests', '/resources', '/quota', '/usage', '/notices', '/me', '/help']) {
    const more = await loads(path);
    table.push(`${path} ${more}`);
    expect(more, path).toBeLessThanOrEqual(80_000);
  }
  console.log(table.join('\n'));
  await context.close();
});
