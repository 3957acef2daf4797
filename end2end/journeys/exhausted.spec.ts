// A pool has two addresses. Three are agreed to by nobody: the card and the answer say how many are
// left. Two are agreed to, and one of them is gone when it is built, past the portal: the host stays,
// the address fails, what was held for it is free again, and the request ends delivered in part.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { addressesRunOut, inCloud, startCloud } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import { copyCity, QUICK, startServer } from '../support/server.ts';

/** The demo city's cloud (`core::seed::cloud`), with two public addresses a pool. */
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
addresses = 2`,
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
  copyCity(folder);
  const cloud = await startCloud(folder, QUICK);
  const server = await startServer(folder, inCloud(cloud));
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
    /** A draft of a host that somebody must agree to, with so many addresses. */
    const draw = async (name: string, addresses: number) => {
      const draft = await call(where, clerk, 'POST', '/drafts', {
        head: { system, title: `地址耗尽 ${name}`, reason: '地址用完时主机仍要交付，核验用。' },
        lines: [
          { item: 'C-ECS', name, cell, typed: { ...SMALL, vcpus: '8', memory_gb: '16' } },
          { item: 'N-EIP', count: String(addresses), cell, typed: { attach_to: '#1', carrier: 'three_line', bandwidth_mbps: '2' } },
        ],
      });
      expect(draft.status, JSON.stringify(draft.body)).toBe(201);
      return draft.body;
    };
    const submit = async (draft: { id: string; version: number }) => {
      const sent = await call(where, clerk, 'POST', `/requests/${draft.id}/submit`, { version: draft.version });
      expect(sent.status, JSON.stringify(sent.body)).toBe(200);
    };
    /** Everybody agrees as far as they can: what was answered last, with the card it was about. */
    const agree = async (id: string) => {
      let last = { status: 0, body: '', card: '' };
      for (const login of ['leader.tjj', 'reviewer', 'security', 'finance', 'leader']) {
        const person = await session(server.url, login);
        const todo = (await call(where, person, 'GET', '/todos?limit=200')).body.rows.find((row: { request: string }) => row.request === id);
        if (!todo) continue;
        const card = await (await fetch(`${server.url}/todo/${todo.step}`, { headers: { cookie: person } })).text();
        const { digest } = (await call(where, person, 'GET', `/todos/${todo.step}`)).body;
        const decided = await call(where, person, 'POST', `/todos/${todo.step}/decide`, { decision: 'approve', opinion: '同意', digest });
        last = { status: decided.status, body: JSON.stringify(decided.body), card };
        if (decided.status !== 200) break;
      }
      return last;
    };

    // Once the cloud has been read, whoever asks for three is warned before submitting.
    const greedy = await draw('greedy', 3);
    await expect(async () => {
      const { body } = await call(where, clerk, 'GET', `/drafts/${greedy.id}`);
      expect(body.verdict.warns.map((warn: { key: string }) => warn.key)).toContain('verdict.capacity');
    }).toPass({ timeout: 90_000, intervals: [1_000] });
    await submit(greedy);
    const refused = await agree(greedy.id);
    expect(refused.status, refused.body).toBe(409);
    expect(refused.body).toContain('只剩 2');
    expect(refused.card).toContain('资源池不够，现在不能同意');

    const before = await held();
    expect(Object.keys(before).length).toBeGreaterThan(1);
    await addressesRunOut(cloud, 1);
    const { id, version } = await draw('lone', 2);
    await submit({ id, version });
    expect(await held()).not.toEqual(before);
    const agreed = await agree(id);
    expect(agreed.status, agreed.body).toBe(200);

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
    await cloud.stop();
  }
});
