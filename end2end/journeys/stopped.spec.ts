// A copy of the portal is frozen in the middle of its work for longer than its leases hold, as when its
// host hangs; the other goes on. Then the first wakes up and takes the work for its own still.
import { expect } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inTheCloud, slow } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import type { Postgres } from '../support/postgres.ts';
import { test } from '../support/replicas.ts';
import type { Server } from '../support/server.ts';

const REQUESTS = 20;
/** A lease holds for 30 s, and the database lets go of what a frozen transaction has locked by then. */
const TAKEN_MS = 60_000;
const DELIVERED_MS = 90_000;
/** What the first copy is building at this moment. */
const BUILDING = `SELECT id FROM job WHERE status = 'running' AND kind = 'saga.advance' AND lease_by = 'first'`;

/** Freezes the first copy with work in its hands: within a transaction, or between two of them. */
async function freeze(moment: 'within' | 'between', first: Server, postgres: Postgres): Promise<void> {
  // Every transaction of a worker begins with a lock on its job.
  const caught = () => {
    const all = postgres.rows(BUILDING).length;
    const free = postgres.rows(`${BUILDING} FOR UPDATE SKIP LOCKED`).length;
    return moment === 'within' ? free < all : free > 0 && free === all;
  };
  await expect(async () => {
    // Held up, a transaction lasts long enough to be met.
    const letGo = moment === 'within' ? await postgres.holdUp('saga_step') : () => {};
    try {
      await expect(() => expect(caught()).toBe(true)).toPass({ timeout: 5_000, intervals: [50] });
      first.process.kill('SIGSTOP');
    } finally {
      letGo();
    }
    // What it had sent off before comes to its end.
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (caught()) return;
    first.process.kill('SIGCONT');
    throw new Error(`the first copy was not caught ${moment} transactions`);
  }).toPass({ timeout: 40_000, intervals: [100] });
}

for (const { title, moment, wakes } of [
  { title: 'while it calls the cloud', moment: 'between', wakes: 'at once' },
  { title: 'within a transaction', moment: 'within', wakes: 'when all is done' },
] as const) {
  test(`a worker frozen ${title} past its lease makes nothing twice and keeps nothing from the other @once`, async ({ folder, postgres, cloud, first, second }) => {
    test.setTimeout(240_000);
    // Everybody is served by the second copy: the first does not answer while it is frozen.
    const where = () => second.url;
    const clerk = await session(second.url, 'clerk');
    const { cell, system } = await place(second.url, clerk);
    const names = Array.from({ length: REQUESTS }, (_, i) => `stop-${String(i + 1).padStart(2, '0')}`);
    const made: string[] = [];
    const order = async () => {
      for (const name of names) {
        const draft = await call(where, clerk, 'POST', '/drafts', {
          head: { system, title: `核验 ${name}`, reason: '进程停顿时的核验，一台小规格主机。' },
          lines: [{ item: 'C-ECS', name, count: '1', cell, typed: SMALL }],
        }, `draft-${name}`);
        expect(draft.status, JSON.stringify(draft.body)).toBe(201);
        const { id, version } = draft.body;
        const sent = await call(where, clerk, 'POST', `/requests/${id}/submit`, { version }, `submit-${name}`);
        expect(sent.status, JSON.stringify(sent.body)).toBe(200);
        made.push(id);
      }
    };
    const delivered = async () => {
      for (const id of made) {
        const { body } = await call(where, clerk, 'GET', `/requests/${id}`);
        expect(body.row.status, id).toBe('delivered');
      }
    };

    // A cloud that thinks for a while: most of a job's time passes in its calls.
    if (moment === 'between') await slow(cloud, 400);
    await Promise.all([order(), freeze(moment, first, postgres)]);
    await expect(() => {
      expect(second.log().includes('let their lease run out'), 'the second copy took the work of the frozen one').toBe(true);
    }).toPass({ timeout: TAKEN_MS, intervals: [50] });
    if (wakes === 'when all is done') await expect(delivered).toPass({ timeout: DELIVERED_MS, intervals: [1_000] });
    first.process.kill('SIGCONT');
    await slow(cloud, 0);
    await expect(delivered).toPass({ timeout: DELIVERED_MS, intervals: [1_000] });

    const found = (await call(where, clerk, 'GET', '/resources?q=stop-&limit=200')).body.rows.map((row: { name: string }) => row.name);
    expect(found.sort()).toEqual(names);
    expect(inTheCloud(folder, new Set(names))).toEqual(names);
  });
}
