// Two copies of the portal, as behind a balancer: one PostgreSQL, one key, one cloud.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, type TestFixture } from '@playwright/test';
import { inCloud, startCloud } from './cloud.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { binary, copyCity, startServer, type Server, type Settings } from './server.ts';

interface Replicas {
  /** Where the key and the cloud of both lie. */
  folder: string;
  /** The database of both, with the demo city. */
  postgres: Postgres;
  /** The cloud of both, with what the demo city has built. */
  cloud: Server;
  /** A copy whose worker is called `first`. */
  first: Server;
  /** A copy whose worker is called `second`. */
  second: Server;
}

const SETUP_MS = 120_000;

const database = (postgres: Postgres): Settings => ({ LINGBAO_DATABASE__URL: postgres.url });

function copy(name: string): [TestFixture<Server, Replicas>, { timeout: number }] {
  return [
    async ({ folder, postgres, cloud }, use) => {
      const server = await startServer(folder, { ...database(postgres), ...inCloud(cloud), LINGBAO_WORKER__NAME: name });
      await use(server);
      await server.stop();
    },
    { timeout: SETUP_MS },
  ];
}

export const test = base.extend<Replicas>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-replicas-'));
    copyCity(folder);
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
  postgres: [
    async ({ folder }, use) => {
      const run = (args: string[], settings: Settings) =>
        execFileSync(binary(), args, { cwd: folder, env: { ...process.env, ...settings }, stdio: 'pipe' });
      const postgres = startPostgres();
      try {
        // A backup is for either engine, and sooner done than loading the city once more.
        run(['backup', 'city.jsonl'], {});
        run(['restore', 'city.jsonl'], database(postgres));
        await use(postgres);
      } finally {
        postgres.stop();
      }
    },
    { timeout: SETUP_MS },
  ],
  cloud: async ({ folder }, use) => {
    const cloud = await startCloud(folder);
    await use(cloud);
    await cloud.stop();
  },
  first: copy('first'),
  second: copy('second'),
});
