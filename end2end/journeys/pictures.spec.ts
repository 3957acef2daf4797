// Pictures of the pages, to be looked at: `make shots` puts them into end2end/out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { destroy, inCloud, serversNamed, startCloud } from '../support/cloud.ts';
import { expect, test } from '../support/fixtures.ts';
import { shots, signIn } from '../support/helpers.ts';
import { approveAll, orderHosts, SMALL } from '../support/order.ts';
import { PAGES } from '../support/pages.ts';
import { copyCity, startServer } from '../support/server.ts';

const word = (path: string) => path.replaceAll(/[^a-zA-Z0-9]+/g, '_');

/** Every page of one person. */
async function album(page: Page, login: string, prefix: string, all: boolean): Promise<void> {
  await signIn(page, login);
  for (const path of PAGES[login] ?? []) {
    await page.goto(path);
    await shots(page, `${prefix}${login}-${word(path)}`, all);
  }
}

for (const login of Object.keys(PAGES)) {
  test(`pictures for ${login} @shots`, async ({ page }) => {
    test.setTimeout(600_000);
    await album(page, login, '', true);
  });
}

test('pictures of the door @shots', async ({ page }) => {
  await page.goto('/sign-in');
  await shots(page, 'door');
});

test('pictures of what runs, is changed, is kept and was lost @shots', async ({ page }) => {
  test.setTimeout(900_000);
  const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-pictures-'));
  copyCity(folder);
  const cloud = await startCloud(folder);
  const portal = await startServer(folder, inCloud(cloud));
  try {
    const where = () => portal.url;
    const clerk = await session(portal.url, 'clerk');
    const operator = await session(portal.url, 'operator');
    const request = await orderHosts(where, clerk, 'picture', 2, SMALL);
    await approveAll(where, request, 'leader.tjj');
    const rows = async () => (await call(where, clerk, 'GET', '/resources?q=picture')).body.rows as { id: string; name: string; kind: string; service: string }[];
    await expect.poll(async () => (await rows()).length, { timeout: 60_000 }).toBe(2);
    const [host, lost] = await rows();
    const disk = (await call(where, clerk, 'GET', '/resources?kind=volume&state=running')).body.rows[0];
    const shown = async (id: string) => (await call(where, clerk, 'GET', `/resources/${id}`)).body;
    await expect.poll(async () => (await shown(disk.id)).may, { timeout: 90_000 }).toContain('snapshot');
    await call(where, clerk, 'POST', `/resources/${disk.id}/snapshots`, { name: 'before', note: '升级之前' });
    await expect.poll(async () => (await shown(disk.id)).snapshots?.[0]?.state, { timeout: 60_000 }).toBe('ready');
    const { snapshots } = await shown(disk.id);
    // Something of nobody's, and something that is gone.
    const [gone] = (await serversNamed(cloud, lost!.name)) as { id: string }[];
    await destroy(cloud, gone!.id);
    await call(where, operator, 'POST', '/differences/compare', {});
    const differences = async () => (await call(where, operator, 'GET', '/differences?kind=missing')).body.rows as { id: string }[];
    await expect.poll(async () => (await differences()).length, { timeout: 60_000 }).toBe(1);
    const [difference] = await differences();

    const take = async (login: string, paths: Record<string, string>) => {
      await page.context().clearCookies();
      await page.goto(`${portal.url}/sign-in`);
      await page.locator('input[name=account]').fill(login);
      await page.locator('input[name=password]').fill('Lingbao-demo-2026');
      await page.locator('.door-form form button').click();
      await expect(page).not.toHaveURL(/\/sign-in/);
      for (const [name, path] of Object.entries(paths)) {
        expect((await page.goto(`${portal.url}${path}`))?.status(), path).toBe(200);
        await shots(page, `story-${name}`);
      }
    };
    await take('clerk', {
      request: `/requests/${request}`,
      print: `/requests/${request}/print`,
      host: `/resources/${host!.id}`,
      lost: `/resources/${lost!.id}`,
      sheet: `/deliveries/${request}`,
      disk: `/resources/${disk.id}`,
      restore: `/resources/${disk.id}/snapshots/${snapshots[0].id}`,
      resize: `/resources/${host!.id}/change?what=resize`,
      renew: `/resources/${host!.id}/change?what=renew`,
      extend: `/resources/${disk.id}/change?what=extend`,
      release: `/requests/release?resource=${host!.id}&resource=${disk.id}`,
    });
    await take('operator', { difference: `/operations/differences/${difference!.id}`, differences: '/operations/differences' });
  } finally {
    await portal.stop();
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test.describe('without scripts', () => {
  test.use({ javaScriptEnabled: false });
  for (const login of Object.keys(PAGES)) {
    test(`pictures for ${login} without scripts @shots`, async ({ page }) => {
      test.setTimeout(600_000);
      await album(page, login, 'plain-', false);
    });
  }
});
