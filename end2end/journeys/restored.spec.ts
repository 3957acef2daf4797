// Yesterday's backup over today's cloud: what is newer stays in the cloud, is shown as a stranger there
// and is not made again, and no number is given twice.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inTheCloud } from '../support/cloud.ts';
import { orderHost } from '../support/order.ts';
import { binary, QUICK, startServer } from '../support/server.ts';

/** What stands in a cloud and belongs to nobody, as the list of differences tells it. */
interface Stranger {
  thing: string;
  name: string;
  resource?: string | null;
}

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-restored-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

test('a restore over a newer cloud shows what is newer, makes nothing again and gives no number twice @once', async ({ folder }) => {
  test.setTimeout(300_000);
  const run = (...args: string[]) => execFileSync(binary(), args, { cwd: folder, stdio: 'pipe' }).toString();
  let server = await startServer(folder, QUICK);
  await server.stop();
  run('backup', 'yesterday.jsonl');

  server = await startServer(folder, QUICK);
  let clerk = await session(server.url, 'clerk');
  const today = await orderHost(server.url, clerk, 'newer');
  await expect(async () => {
    expect((await call(() => server.url, clerk, 'GET', `/requests/${today.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 90_000, intervals: [1_000] });
  await server.stop();
  // Not over a database in use by mistake.
  expect(() => run('restore', 'yesterday.jsonl')).toThrow();
  run('restore', '--replace', 'yesterday.jsonl');

  server = await startServer(folder, QUICK);
  clerk = await session(server.url, 'clerk');
  expect((await call(() => server.url, clerk, 'GET', `/requests/${today.id}`)).status).toBe(404);

  // The machine that the database does not know stands where the portal and the cloud differ.
  const operator = await session(server.url, 'operator');
  await expect(async () => {
    expect((await call(() => server.url, operator, 'POST', '/differences/compare', {})).status).toBe(200);
    const { body } = await call(() => server.url, operator, 'GET', '/differences?kind=foreign&limit=200');
    const strangers = (body.rows as Stranger[]).filter((row) => row.thing === 'server' && row.name === 'newer');
    expect(strangers.map((row) => row.resource ?? null)).toEqual([null]);
  }).toPass({ timeout: 60_000, intervals: [1_000] });

  const next = await orderHost(server.url, clerk, 'after');
  expect(next.number).not.toBe(today.number);
  expect(next.number > today.number, `${next.number} comes after ${today.number}`).toBe(true);
  await expect(async () => {
    expect((await call(() => server.url, clerk, 'GET', `/requests/${next.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 90_000, intervals: [1_000] });
  expect(inTheCloud(folder, new Set(['newer', 'after']))).toEqual(['after', 'newer']);
  await server.stop();
});
