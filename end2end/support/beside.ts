// A city of one journey's own, beside a cloud that the journey can change by hand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { inCloud, startCloud } from './cloud.ts';
import { copyCity, QUICK, startServer, type Server } from './server.ts';

/** The city and its cloud, for journeys that start the portal themselves. */
export const cityBeside = base.extend<{ folder: string; cloud: Server }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-beside-'));
    copyCity(folder);
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
  cloud: async ({ folder }, use) => {
    const cloud = await startCloud(folder, QUICK);
    await use(cloud);
    await cloud.stop();
  },
});

/** The same with a portal, for journeys without pages. */
export const portalBeside = cityBeside.extend<{ portal: Server }>({
  portal: [
    async ({ folder, cloud }, use) => {
      const portal = await startServer(folder, inCloud(cloud));
      await use(portal);
      await portal.stop();
    },
    { timeout: 120_000 },
  ],
});

/** The same, whose pages are those of the portal: every test of these starts it. */
export const test = portalBeside.extend({
  baseURL: async ({ portal }, use) => use(portal.url),
});
export { expect };
