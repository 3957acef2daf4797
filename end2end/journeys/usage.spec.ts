// What hosts use: without a Prometheus the pages say so and show no zeros; with one (a stand-in that
// answers as its HTTP API is documented) idle and busy hosts are listed, with the ways on.
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { call, session } from '../support/api.ts';
import { cityBeside, expect } from '../support/beside.ts';
import { inCloud } from '../support/cloud.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { startServer, type Server } from '../support/server.ts';

/** The servers of the cloud, by its own list. */
async function serversOf(cloud: Server): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor = ''; ; ) {
    const answer = await fetch(`${cloud.url}/v1/ask`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ask: 'list', project: null, cursor: cursor || null }),
    });
    const { Ok: page } = (await answer.json()) as { Ok: { objects: { kind: string; object: { id: string } }[]; next: string | null } };
    for (const { kind, object } of page.objects) if (kind === 'server') ids.push(object.id);
    if (page.next === null) return ids;
    cursor = page.next;
  }
}

interface Prometheus {
  url: string;
  /** What it knows of; each third is idle, each third ordinary, each third busy. */
  servers: string[];
  stop(): Promise<void>;
}

/** Percent of a server: its cores or its memory. */
function percent(at: number, query: string): number {
  const memory = query.includes('memory');
  return [memory ? 12 : 5, memory ? 50 : 40, memory ? 75 : 80][at % 3] ?? 0;
}

/** A stand-in that answers `POST /api/v1/query` as documented. */
async function startPrometheus(): Promise<Prometheus> {
  const world: Prometheus = { url: '', servers: [], stop: async () => {} };
  const http: HttpServer = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => (body += bytes));
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const [query, time] = [form.get('query') ?? '', Number(form.get('time'))];
      const value = (at: number) => {
        if (query.startsWith('count_over_time')) return '288';
        const mean = percent(at, query);
        return String(query.startsWith('quantile_over_time') ? mean + 10 : mean);
      };
      const result = world.servers.map((id, at) => ({ metric: { instance_id: id }, value: [time, value(at)] }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  world.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  world.stop = () =>
    new Promise((resolve) => {
      http.closeAllConnections();
      http.close(() => resolve());
    });
  return world;
}

const test = cityBeside.extend<{ prometheus: Prometheus }>({
  prometheus: async ({}, use) => {
    const prometheus = await startPrometheus();
    await use(prometheus);
    await prometheus.stop();
  },
});

test('without a Prometheus the pages say so and show no zeros @once', async ({ browser, folder, cloud }) => {
  test.setTimeout(180_000);
  const portal = await startServer(folder, inCloud(cloud));
  const context = await browser.newContext({ baseURL: portal.url, locale: 'zh-CN' });
  const page = await context.newPage();
  try {
    await signIn(page, 'leader');
    for (const path of ['/usage', '/usage/units']) {
      expect((await page.goto(path))?.status(), path).toBe(200);
      await expect(page.locator('main')).toContainText('Prometheus');
      // A unit that has handed on or used nothing has an allocation rate of 0.0 %; no rate of use is told.
      if (path === '/usage') await expect(page.locator('main')).not.toContainText('0.0%');
      else await expect(page.locator('main tbody tr').first()).toContainText('—');
      await fitsTheWindow(page);
      await axeClean(page);
    }
    // The allocation rate does not need one.
    await page.goto('/usage');
    await expect(page.locator('.tile').first()).toContainText('%');
  } finally {
    await context.close();
    await portal.stop();
  }
});

test('with a Prometheus idle and busy hosts are listed with the ways on @once', async ({ browser, folder, cloud, prometheus }) => {
  test.setTimeout(300_000);
  prometheus.servers = await serversOf(cloud);
  expect(prometheus.servers.length).toBeGreaterThan(100);
  const portal = await startServer(folder, { ...inCloud(cloud), LINGBAO_USAGE__PROMETHEUS_URL: prometheus.url });
  const where = () => portal.url;
  const context = await browser.newContext({ baseURL: portal.url, locale: 'zh-CN' });
  const page = await context.newPage();
  try {
    const clerk = await session(portal.url, 'clerk');
    const usage = async (query = '') => (await call(where, clerk, 'GET', `/usage${query}`)).body;
    // Looked at each minute; then 35 days are taken in.
    await expect.poll(async () => (await usage()).head.until, { timeout: 180_000, intervals: [500] }).not.toBeNull();
    await expect.poll(async () => (await usage()).counts.idle, { timeout: 120_000, intervals: [500] }).toBeGreaterThan(0);
    const idle = (await usage('?load=idle&limit=200')).rows;
    expect(idle.every((row: { cpu: { mean: number } }) => row.cpu.mean === 50)).toBe(true);
    expect(idle[0].may).toContain('release');

    await signIn(page, 'clerk');
    await page.goto('/usage?load=idle');
    await expect(page.locator('tbody tr').first()).toContainText('5.0% / 15.0%');
    await fitsTheWindow(page);
    await axeClean(page);
    // By its column, and the same as a file.
    await page.locator('thead a.sort').first().click();
    await expect(page).toHaveURL(/sort=cpu/);
    const file = await page.request.get('/usage.csv?load=idle');
    expect(file.status()).toBe(200);
    expect((await file.text()).trim().split('\n')).toHaveLength(idle.length + 1);
    // One host: a chart a day for each measure, the same numbers in a table.
    await page.locator('tbody th a').first().click();
    await expect(page).toHaveURL(/\/usage\/res_/);
    await expect(page.locator('.plot svg')).toHaveCount(2);
    await page.locator('details.fold summary').first().click();
    await expect(page.locator('details[open] tbody tr')).toHaveCount(30);
    await fitsTheWindow(page);
    await axeClean(page);
    // The page of the host leads here too.
    const host = /res_[A-Za-z0-9_]+/.exec(page.url())?.[0] ?? '';
    await page.goto(`/resources/${host}`);
    await expect(page.locator(`main a[href="/usage/${host}"]`)).toBeVisible();
    await signOut(page);

    await signIn(page, 'leader');
    await page.goto('/usage/units?sort=-idle');
    await expect(page.locator('tbody tr').first()).toContainText('%');
    await fitsTheWindow(page);
    await axeClean(page);
    await signOut(page);
  } finally {
    await context.close();
    await portal.stop();
  }
});
