// Clouds are away while they build: one takes every connection and says nothing for a minute, of the
// other Keystone is stopped. Pages say so and stand, what runs elsewhere goes on, and when they are back
// everything is there once.
import { readFileSync } from 'node:fs';
import type { Browser, Page } from '@playwright/test';
import { call, session } from '../../support/api.ts';
import { signIn } from '../../support/helpers.ts';
import { approveAll, order, orderHosts } from '../../support/order.ts';
import { startPostgres } from '../../support/postgres.ts';
import { access } from '../cloud.ts';
import { Proxy } from '../proxy.ts';
import { answerQuickly, byItself, delivered, exactly, expect, lab, read, RUN, SMALL, test, things, Town } from '../world.ts';

const HANG_MS = 60_000;
/** Hosts that are being built when the clouds go away. */
const MORE = 4;
/** Clouds are looked at at the beginning of each minute; a look ends with its time-out. */
const LOOK_MS = 100_000;

/** One portal, and what its clerk has and asks for. */
interface Side {
  town: Town;
  /** How everything is called that it orders. */
  name: string;
  clerk: string;
  operator: string;
  /** The host that stands. */
  host: string;
  /** Its last request. */
  request: string;
}

/** Of each cloud of a portal, whether it answers. */
async function answers({ town, operator }: Side): Promise<Record<string, boolean>> {
  const { backends } = (await call(town.where, operator, 'GET', '/clouds')).body as { backends: { name: string; error?: string | null }[] };
  return Object.fromEntries(backends.map((one) => [one.name, !one.error]));
}

/** The clerk reads it on the page of the host, operators on theirs; and every page answers at once. */
async function pagesSayIt(side: Side): Promise<void> {
  const { town, clerk, operator, host, request } = side;
  await answerQuickly(town.where, clerk, ['/', '/resources', `/resources/${host}`, `/requests/${request}`, '/catalogue/C-ECS']);
  expect(await read(town.where, clerk, `/resources/${host}`), 'the page of a host').toContain('起没有应答');
  expect(await read(town.where, operator, '/operations'), 'the page of the operators').toContain('1 个后端不应答');
  expect(await read(town.where, operator, '/operations/clouds'), 'the page of the clouds').toContain('不应答');
}

/** In Chromium, a clerk's page of the request that is being built; it stays open while the cloud is away,
 *  and is loaded once. Before it, the clerk looks at the host that stands. */
async function openOf(browser: Browser, { town, host, request }: Side): Promise<Page> {
  const page = await (await browser.newContext({ baseURL: town.where() })).newPage();
  await signIn(page, 'clerk');
  await page.goto(`/resources/${host}`);
  await expect(page.locator('main')).toContainText('起没有应答');
  const listens = page.waitForResponse(/\/events\?/);
  await page.goto(`/requests/${request}`);
  expect((await listens).status()).toBe(200);
  await page.evaluate(() => Object.assign(window, { opened: 'once' }));
  await expect(page.locator('button[name=do][value=confirm]'), 'nothing to confirm yet').toHaveCount(0);
  return page;
}

/** The cloud is back: the page that stood open says so by itself, and what was ordered is confirmed there. */
async function finishesOn(page: Page, request: string): Promise<void> {
  const confirm = page.locator('button[name=do][value=confirm]');
  await expect(confirm).toBeVisible({ timeout: 60_000 });
  expect(await page.evaluate(() => (window as unknown as { opened?: string }).opened), 'the page was not loaded again').toBe('once');
  await confirm.click();
  await expect(confirm).toHaveCount(0);
  await page.goto('/resources');
  await expect(page.locator('main')).not.toContainText('起没有应答');
  await page.goto(`/requests/${request}`);
  await expect(confirm).toHaveCount(0);
  await page.context().close();
}

/** A portal whose clerk has a host. */
async function begin(town: Town, name: string): Promise<Side> {
  const { where } = town;
  const [clerk, operator] = [await session(where(), 'clerk'), await session(where(), 'operator')];
  const first = await orderHosts(where, clerk, `${name}-first`, 1, SMALL);
  await approveAll(where, first, 'leader.tjj');
  await delivered(where, clerk, first);
  const [host] = await things(where, clerk);
  // While the cloud answers, no page says otherwise.
  for (const [cookie, path, words] of [[clerk, `/resources/${host!.id}`, '起没有应答'], [operator, '/operations', '个后端不应答'], [operator, '/operations/clouds', '不应答']] as const) {
    expect(await read(where, cookie, path), path).not.toContain(words);
  }
  return { town, name, clerk, operator, host: host!.id, request: first };
}

/** More hosts are ordered and agreed to. */
async function orderMore(side: Side): Promise<void> {
  const { where } = side.town;
  side.request = await orderHosts(where, side.clerk, `${side.name}-more`, MORE, SMALL);
  await approveAll(where, side.request, 'leader.tjj');
}

test('one cloud hangs for a minute, the Keystone of another is stopped: pages say so, the simulated cloud goes on, and nothing is there twice @long', async ({ browser, cloud }) => {
  test.setTimeout(600_000);
  const postgres = startPostgres();
  const proxy = await Proxy.open();
  const it = JSON.parse(readFileSync(access(), 'utf8'));
  const hung = new Town([
    `database.url=${JSON.stringify(postgres.url)}`,
    `backends.openstack.url=${JSON.stringify(proxy.through(it.auth_url))}`,
    'backends.simulator.kind="simulator"',
  ]);
  const denied = new Town();
  try {
    await hung.start();
    await denied.start();
    // A pool is a row: this one stands on the simulated cloud.
    postgres.rows(`UPDATE pool SET backend = 'simulator' WHERE backend_pool = 'internet-general'`);

    const sides = await Promise.all([begin(hung, `hang-${RUN}`), begin(denied, `auth-${RUN}`)]);
    const [silent, refused] = sides;
    // From the second server on everything is done by the cloud and answered by nobody.
    let [hanging, posted] = [false, 0];
    proxy.weather = (method, path) => {
      posted += method === 'POST' && /\/servers(\?|$)/.test(path) ? 1 : 0;
      hanging ||= posted > 1;
      return hanging ? 'hang' : 'pass';
    };
    await orderMore(silent);
    await expect.poll(() => hanging, { message: 'the second server is being asked for', timeout: 60_000, intervals: [100] }).toBe(true);
    const since = Date.now();
    await orderMore(refused);
    await expect.poll(async () => (await cloud.servers(`${refused.name}-more`)).length, { message: 'some are on their way', timeout: 60_000, intervals: [100] }).toBeGreaterThan(0);
    await denied.fall();
    let open: Page;
    lab('stop', 'keystone');
    try {
      // It has no token any more, and has to sign in.
      await denied.start();
      for (const side of sides) {
        const { row } = (await call(side.town.where, side.clerk, 'GET', `/requests/${side.request}`)).body;
        expect(row.status, `${side.name} is still being built`).toBe('approved');
      }
      for (const side of sides) await expect.poll(async () => (await answers(side)).openstack, { message: `${side.name}: the cloud is away`, timeout: LOOK_MS }).toBe(false);
      for (const side of sides) await pagesSayIt(side);
      open = await openOf(browser, refused);
    } finally {
      lab('start', 'keystone');
    }

    // Meanwhile, on the other cloud of the one that hangs.
    const { where } = hung;
    const pools = (await call(where, silent.operator, 'GET', '/overview')).body.pools as { pool: string; name: { zh: string } }[];
    const pool = pools.find((one) => one.name.zh === '互联网通用池')!.pool;
    const other = await session(where(), 'clerk.rsj');
    const cell = new RegExp(`value="([^"]+/2/${pool})"`).exec(await read(where, other, '/catalogue/C-ECS'))?.[1];
    expect(cell, 'a place in that pool').toBeTruthy();
    const elsewhere = await order(where, other, `sim-${RUN}`, [{ item: 'C-ECS', name: `sim-${RUN}`, typed: SMALL, cell }]);
    await approveAll(where, elsewhere.id, 'leader.rsj');
    await delivered(where, other, elsewhere.id, 45_000);
    expect((await things(where, other)).map((one) => one.name)).toEqual([`sim-${RUN}`]);
    expect(await cloud.servers(`sim-${RUN}`), 'built in the other cloud').toEqual([]);
    expect(await answers(silent)).toEqual({ openstack: false, simulator: true });
    await pagesSayIt(silent);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, since + HANG_MS - Date.now())));
    expect(proxy.seen.hang, 'what was asked in vain').toBeGreaterThan(0);
    proxy.weather = () => 'pass';

    for (const side of sides) {
      await delivered(side.town.where, side.clerk, side.request);
      await exactly(side.town.where, side.clerk, cloud, side.name, 1 + MORE);
      await byItself(side.town.where);
      expect((await answers(side)).openstack).toBe(true);
    }
    await finishesOn(open, refused.request);
  } finally {
    await hung.end();
    await denied.end();
    await proxy.close();
    postgres.stop();
  }
});
