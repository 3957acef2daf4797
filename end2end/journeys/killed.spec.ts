// The process is killed, again and again, while fifty requests are made and built: in the end there
// is exactly one machine for each that was ordered, in the resources and in the cloud.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inTheCloud } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import { startServer, type Server } from '../support/server.ts';

const REQUESTS = 50;
/** Callers at a time. */
const CALLERS = 5;
const KILLS = 6;

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-killed-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

test('killing the process at any moment leaves exactly the machines that were ordered @once', async ({ folder }) => {
  test.setTimeout(400_000);
  let server: Server = await startServer(folder);
  const where = () => server.url;
  const clerk = await session(server.url, 'clerk');
  const { cell, system } = await place(server.url, clerk);

  /** Orders one host. A draft is made whole or not at all, and its key answers with it afterwards. */
  async function order(name: string): Promise<string> {
    const draft = await call(where, clerk, 'POST', '/drafts', {
      head: { system, title: `核验 ${name}`, reason: '进程被终止时的核验，一台小规格主机。' },
      lines: [{ item: 'C-ECS', name, count: '1', cell, typed: SMALL }],
    }, `draft-${name}`);
    expect(draft.status, JSON.stringify(draft.body)).toBe(201);
    const { id, version } = draft.body;
    const sent = await call(where, clerk, 'POST', `/requests/${id}/submit`, { version }, `submit-${name}`);
    // 409: it was done, and the answer went down with the process.
    expect([200, 409], JSON.stringify(sent.body)).toContain(sent.status);
    return id;
  }

  const names = Array.from({ length: REQUESTS }, (_, i) => `kill-${String(i + 1).padStart(2, '0')}`);
  const waiting = [...names];
  const made: string[] = [];
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) made.push(await order(name));
  });
  const killer = (async () => {
    for (let i = 0; i < KILLS; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 700 + 900 * i));
      await server.kill();
      server = await startServer(folder);
    }
  })();
  await Promise.all([...callers, killer]);
  expect(new Set(made).size).toBe(REQUESTS);

  await expect(async () => {
    for (const id of made) {
      const { body } = await call(where, clerk, 'GET', `/requests/${id}`);
      expect(body.row.status, id).toBe('delivered');
    }
  }).toPass({ timeout: 240_000, intervals: [2_000] });
  const found = (await call(where, clerk, 'GET', '/resources?q=kill-&limit=200')).body.rows.map((row: { name: string }) => row.name);
  expect(found.sort()).toEqual(names);
  expect(inTheCloud(folder, new Set(names))).toEqual(names);
  await server.stop();
});
