// Journeys in Debian's Chromium: Playwright's own browsers cannot be fetched on a closed network.
import { defineConfig, devices } from '@playwright/test';
import type { World } from './support/fixtures.ts';

const desktop = { viewport: { width: 1440, height: 900 } };
const phone = {
  ...devices['Galaxy S9+'],
  viewport: { width: 360, height: 740 },
  defaultBrowserType: undefined,
};

export default defineConfig<World>({
  testDir: 'journeys',
  globalSetup: './support/city.ts',
  outputDir: 'test-results',
  // A browser without a graphics card keeps two cores busy: a second worker, with a server and a browser of
  // its own, brought nothing but late answers.
  workers: 1,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  retries: 0,
  timeout: 60_000,
  reporter: [['list']],
  use: {
    actionTimeout: 10_000,
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    trace: process.env.CI ? 'off' : 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.LINGBAO_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'desktop', use: { ...desktop } },
    { name: 'phone', use: { ...phone }, grepInvert: /@once|@shots/ },
    // The three worlds in which the pages must work as plain HTML, and the one without Referer.
    // The same pages are looked at one by one in the first two.
    { name: 'no-script', use: { ...desktop, javaScriptEnabled: false }, grepInvert: /@live|@once|@shots/, testIgnore: /pages/ },
    { name: 'no-wasm', use: { ...desktop, blockWasm: true }, grepInvert: /@live|@once|@shots/, testIgnore: /pages|change|disk/ },
    { name: 'no-referer', use: { ...desktop, dropReferer: true }, grepInvert: /@once|@shots/, testIgnore: /pages|change|disk/ },
  ],
});
