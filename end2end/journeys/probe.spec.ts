import { expect } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { slow } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import { test } from '../support/replicas.ts';
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));
for (const ms of [0, 400])
test('probe ' + ms, async ({ folder, postgres, cloud, first, second }) => {
  test.setTimeout(300_000);
  const where = () => second.url;
  const clerk = await session(second.url, 'clerk');
  const { cell, system } = await place(second.url, clerk);
  const made = new Map<string, string>();
  async function order(name: string): Promise<void> {
    const draft = await call(where, clerk, 'POST', '/drafts', {
      head: { system, title: `核验 ${name}`, reason: '进程被冻结时的核验，一台小规格主机。' },
      lines: [{ item: 'C-ECS', name, count: '1', cell, typed: SMALL }],
    });
    expect(draft.status, JSON.stringify(draft.body)).toBe(201);
    const { id, version } = draft.body;
    const sent = await call(where, clerk, 'POST', `/requests/${id}/submit`, { version });
    expect(sent.status, JSON.stringify(sent.body)).toBe(200);
    made.set(name, id);
  }
  if (ms) await slow(cloud, ms);
  let stop = false;
  const t0 = Date.now();
  const ordering = (async () => { for (let i = 0; i < 40 && !stop; i++) { await order('p' + i); await sleep(100); } console.log('ordered', Date.now() - t0); })();
  const out: string[] = [];
  while (Date.now() - t0 < 20000) {
    await sleep(100 + Math.random() * 150);
    first.process.kill('SIGSTOP');
    await sleep(60);
    const held = postgres.rows(`SELECT id FROM job WHERE status = 'running' AND kind = 'saga.advance' AND lease_by = 'first'`);
    const free = postgres.rows(`SELECT id FROM job WHERE status = 'running' AND kind = 'saga.advance' AND lease_by = 'first' FOR UPDATE SKIP LOCKED`);
    first.process.kill('SIGCONT');
    out.push(`${Date.now() - t0}:${held.length}/${held.length - free.length}`);
  }
  stop = true;
  await ordering;
  console.log(out.join(' '));
});
