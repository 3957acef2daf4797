// The pool of addresses runs out while a request is built: the host stays, the address fails, what
// was held for it is free again, and the request ends delivered in part.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { SMALL, place } from '../support/order.ts';
import { startServer } from '../support/server.ts';

/** The demo city's cloud (`core::seed::cloud`), with a single public address a pool. */
const CLOUD = ['[backends.simulator]', 'kind = "simulator"', 'folder = "data/simulator"']
  .concat(
    [
      ['public-general', 21, 300, 1],
      ['public-xinchuang', 5, 300, 2],
      ['internet-general', 11, 300, 3],
      ['core-xinchuang', 8, 200, 4],
    ].map(
      ([name, hosts, over, third]) => `[[backends.simulator.pools]]
name = "${name}"
hosts = ${hosts}
host_vcpus = 32
host_memory_gb = 512
overcommit_percent = ${over}
disk_gb = 400000
first_address = "198.18.${third}.1"
addresses = 1`,
    ),
  )
  .join('\n');

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-exhausted-'));
    writeFileSync(join(folder, 'lingbao.toml'), CLOUD);
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

test('when no address is left the host stays and the request is delivered in part @once', async ({ folder }) => {
  test.setTimeout(300_000);
  const server = await startServer(folder);
  const where = () => server.url;
  try {
    const clerk = await session(server.url, 'clerk');
    const { cell, system } = await place(server.url, clerk);
    /** What is held now in the dimensions that an address takes, by dimension. */
    const held = async (): Promise<Record<string, number>> => {
      const { body } = await call(where, clerk, 'POST', '/drafts', {
        head: { system },
        lines: [{ item: 'N-EIP', cell, typed: { carrier: 'three_line', bandwidth_mbps: '2' } }],
      });
      const changes: { dimension: string; before: { held: number } }[] = body.verdict.changes;
      return Object.fromEntries(changes.map((change) => [change.dimension, change.before.held]));
    };
    const before = await held();
    expect(Object.keys(before).length).toBeGreaterThan(1);

    const draft = await call(where, clerk, 'POST', '/drafts', {
      head: { system, title: '地址耗尽', reason: '地址用完时主机仍要交付，核验用。' },
      lines: [
        { item: 'C-ECS', name: 'lone', cell, typed: SMALL },
        { item: 'N-EIP', count: '2', cell, typed: { attach_to: '#1', carrier: 'three_line', bandwidth_mbps: '2' } },
      ],
    });
    expect(draft.status, JSON.stringify(draft.body)).toBe(201);
    const id = draft.body.id;
    const sent = await call(where, clerk, 'POST', `/requests/${id}/submit`, { version: draft.body.version });
    expect(sent.status, JSON.stringify(sent.body)).toBe(200);
    expect(await held()).not.toEqual(before);

    for (const login of ['leader.tjj', 'reviewer', 'security', 'finance', 'leader']) {
      const person = await session(server.url, login);
      const todo = (await call(where, person, 'GET', '/todos?limit=200')).body.rows.find((row: { request: string }) => row.request === id);
      if (!todo) continue;
      const { digest } = (await call(where, person, 'GET', `/todos/${todo.step}`)).body;
      const decided = await call(where, person, 'POST', `/todos/${todo.step}/decide`, { decision: 'approve', opinion: '同意', digest });
      expect(decided.status, JSON.stringify(decided.body)).toBe(200);
    }

    let request: { row: { status: string; outcome: string } } | undefined;
    await expect(async () => {
      request = (await call(where, clerk, 'GET', `/requests/${id}`)).body;
      expect(request?.row.status).toBe('delivered');
    }).toPass({ timeout: 120_000, intervals: [1_000] });
    expect(request?.row.outcome).toBe('partial');
    const mine = (await call(where, clerk, 'GET', '/resources?limit=200')).body.rows.filter((row: { system: string; delivered_at: number }) => row.system === system);
    expect(mine.filter((row: { name: string }) => row.name === 'lone').length).toBe(1);

    // Nothing is held any more for the address that did not come.
    expect(await held()).toEqual(before);
    const page = await (await fetch(`${server.url}/requests/${id}`, { headers: { cookie: clerk } })).text();
    expect(page).toContain('部分交付');
  } finally {
    await server.stop();
  }
});
