// Yesterday's backup over today's cloud: what is newer stays in the cloud and is not made again, and
// no number is given twice.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inTheCloud } from '../support/cloud.ts';
import { orderHost } from '../support/order.ts';
import { binary, startServer } from '../support/server.ts';

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-restored-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

test('a restore over a newer cloud makes nothing again and gives no number twice @once', async ({ folder }) => {
  test.setTimeout(300_000);
  const run = (...args: string[]) => execFileSync(binary(), args, { cwd: folder, stdio: 'pipe' }).toString();
  let server = await startServer(folder);
  await server.stop();
  run('backup', 'yesterday.jsonl');

  server = await startServer(folder);
  let clerk = await session(server.url, 'clerk');
  const today = await orderHost(server.url, clerk, 'newer');
  await expect(async () => {
    expect((await call(() => server.url, clerk, 'GET', `/requests/${today.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 90_000, intervals: [1_000] });
  await server.stop();
  // Not over a database in use by mistake.
  expect(() => run('restore', 'yesterday.jsonl')).toThrow();
  run('restore', '--replace', 'yesterday.jsonl');

  server = await startServer(folder);
  clerk = await session(server.url, 'clerk');
  expect((await call(() => server.url, clerk, 'GET', `/requests/${today.id}`)).status).toBe(404);
  const next = await orderHost(server.url, clerk, 'after');
  expect(next.number).not.toBe(today.number);
  expect(next.number > today.number, `${next.number} comes after ${today.number}`).toBe(true);
  await expect(async () => {
    expect((await call(() => server.url, clerk, 'GET', `/requests/${next.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 90_000, intervals: [1_000] });
  expect(inTheCloud(folder, new Set(['newer', 'after']))).toEqual(['after', 'newer']);
  await server.stop();
});
