// What every journey stands on: a server of its own, and a browser in one of five worlds.
import { test as base, expect } from '@playwright/test';
import { scriptless, shownElsewhere } from './helpers.ts';
import { QUICK, startServer, type Server } from './server.ts';

export interface World {
  /** No .wasm arrives, as behind a proxy that refuses the type. */
  blockWasm: boolean;
  /** No request carries a Referer, as some government browsers are set up. */
  dropReferer: boolean;
}

export interface Place {
  /** The city of the journey. Journeys of one name share a server; a journey that uses up what others
   *  need, the quota of a bureau or the addresses of a pool, names a city of its own. */
  city: string;
}

export const test = base.extend<World, Place & { server: Server }>({
  city: ['shared', { option: true, scope: 'worker' }],
  blockWasm: [false, { option: true }],
  dropReferer: [false, { option: true }],
  server: [
    async ({}, use) => {
      const server = await startServer(undefined, QUICK);
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 150_000 },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  page: async ({ page, javaScriptEnabled, blockWasm, dropReferer }, use) => {
    if (javaScriptEnabled === false) scriptless.add(page);
    if (blockWasm) await page.route('**/*.wasm', (route) => route.abort());
    if (dropReferer) {
      // Only its requests are other ones than on the desk.
      shownElsewhere.add(page);
      await page.route('**/*', async (route) => {
        const headers = await route.request().allHeaders();
        delete headers.referer;
        await route.continue({ headers });
      });
    }
    // What a page may not do in any world: fail, or ask another host.
    const faults: string[] = [];
    page.on('pageerror', (error) => {
      if (!blockWasm) faults.push(`script: ${error.message}`);
    });
    page.on('request', (request) => {
      const to = new URL(request.url());
      if (to.protocol.startsWith('http') && to.hostname !== '127.0.0.1') faults.push(`asks ${to.hostname}`);
    });
    await use(page);
    expect(faults, 'faults of the pages of this journey').toEqual([]);
  },
});
export { expect };
