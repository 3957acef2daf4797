// The process is killed, again and again, in the middle of building what fifty requests have ordered: in
// the end there is exactly one machine for each that was ordered, in the resources and in the cloud.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inCloud, inTheCloud, slow, startCloud } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import { copyCity, startServer, type Server } from '../support/server.ts';

const REQUESTS = 50;
/** Callers at a time. */
const CALLERS = 5;
/** So many kills meet a saga at work, */
const HITS = 6;
/** and no more than so many are needed for that: between the look and the kill a short step may end. */
const KILLS = 24;
/** Each call of the cloud takes so long meanwhile. Without it a saga is at work for some thousandths of a
 *  second at a time, and the fifty are built before six kills have met one. */
const THINKS_MS = 200;

/** The sagas that stand as at work in the database that a killed process left behind, and whose they are. */
function torn(folder: string): { id: string; by: string }[] {
  const read = `
import json, sqlite3, sys
ask = "SELECT id, lease_by FROM job WHERE status = 'running' AND kind = 'saga.advance'"
print(json.dumps([{'id': id, 'by': by} for id, by in sqlite3.connect(sys.argv[1]).execute(ask)]))`;
  return JSON.parse(execFileSync('python3', ['-c', read, join(folder, 'data', 'lingbao.db')], { encoding: 'utf8' }));
}

const test = base.extend<{ folder: string; cloud: Server }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-killed-'));
    copyCity(folder);
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
  cloud: async ({ folder }, use) => {
    const cloud = await startCloud(folder);
    await use(cloud);
    await cloud.stop();
  },
});

test('killing the process in the middle of its sagas leaves exactly the machines that were ordered @once', async ({ folder, cloud }) => {
  test.setTimeout(400_000);
  // Each life of the process has a name, under which it takes its work.
  const live = (life: number) => startServer(folder, { ...inCloud(cloud), LINGBAO_WORKER__NAME: `life-${life}` });
  let server: Server = await live(0);
  const where = () => server.url;
  const clerk = await session(server.url, 'clerk');
  const operator = await session(server.url, 'operator');
  const { cell, system } = await place(server.url, clerk);
  await slow(cloud, THINKS_MS);

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
  // What a life was torn from stands as running until its lease is over.
  let lost = new Set<string>();
  let hits = 0;
  const atWork = async () => {
    const { body } = await call(where, operator, 'GET', '/jobs?state=running&limit=200');
    return (body.rows as { id: string; kind: string }[]).some((job) => job.kind === 'saga.advance' && !lost.has(job.id));
  };
  const killer = (async () => {
    for (let life = 0; hits < HITS && life < KILLS; life += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100 * life));
      await expect(async () => expect(await atWork(), 'a saga is at work').toBe(true)).toPass({ timeout: 60_000, intervals: [10] });
      await server.kill();
      const left = torn(folder);
      lost = new Set(left.map((job) => job.id));
      if (left.some((job) => job.by === `life-${life}`)) hits += 1;
      server = await live(life + 1);
    }
  })();
  await Promise.all([...callers, killer]);
  expect(new Set(made).size).toBe(REQUESTS);
  expect(hits, 'kills that met a saga at work').toBe(HITS);
  await slow(cloud, 0);

  await expect(async () => {
    for (const id of made) {
      const { body } = await call(where, clerk, 'GET', `/requests/${id}`);
      expect(body.row.status, id).toBe('delivered');
    }
  }).toPass({ timeout: 240_000, intervals: [500] });
  const found = (await call(where, clerk, 'GET', '/resources?q=kill-&limit=200')).body.rows.map((row: { name: string }) => row.name);
  expect(found.sort()).toEqual(names);
  expect(inTheCloud(folder, new Set(names))).toEqual(names);
  await server.stop();
});
