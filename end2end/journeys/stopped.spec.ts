// A copy of the portal is frozen in the middle of its work, for longer than its leases hold; the other
// goes on, and then the first wakes up and believes that the work is still its own.
import { expect } from '@playwright/test';
import { call, session } from '../support/api.ts';
import { inTheCloud } from '../support/cloud.ts';
import { SMALL, place } from '../support/order.ts';
import { test } from '../support/replicas.ts';

/** Ordered before each time that the first copy is frozen. */
const REQUESTS = 10;
/** Longer than `LEASE_MS` of the jobs, with time for the other copy to notice. */
const TAKEN_MS = 60_000;

test('a worker that slept past its lease makes nothing twice and leaves nothing out @once', async ({ folder, postgres, first, second }) => {
  test.setTimeout(300_000);
  // Everybody is served by the second: the first does not answer while it is frozen.
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

  /** Freezes the first copy with the building of a machine in its hands. */
  async function freeze(): Promise<string[]> {
    let held: string[] = [];
    await expect(async () => {
      first.process.kill('SIGSTOP');
      held = postgres.rows(`SELECT id FROM job WHERE status = 'running' AND kind = 'saga.advance' AND lease_by = 'first'`);
      if (!held.length) first.process.kill('SIGCONT');
      expect(held.length).toBeGreaterThan(0);
    }).toPass({ timeout: 30_000, intervals: [7, 23, 41] });
    return held;
  }
  /** How often the second has taken jobs away from the first. */
  const taken = () => second.log().split('let their lease run out').length - 1;
  const delivered = async () => {
    for (const [name, id] of made) {
      const { body } = await call(where, clerk, 'GET', `/requests/${id}`);
      expect(body.row.status, name).toBe('delivered');
    }
  };

  // Awake again while the other is at the very work that was taken away, and long after it was done.
  for (const wakes of ['early', 'late']) {
    const before = taken();
    const orders = Array.from({ length: REQUESTS }, (_, i) => order(`stop-${wakes}-${i}`));
    const t0 = Date.now();
    const held = await freeze();
    console.log(wakes, held, Date.now() - t0, postgres.rows(`SELECT pid, state, wait_event, left(query, 60) FROM pg_stat_activity WHERE application_name='lingbao'`), postgres.rows(`select status, count(*) from job where kind='saga.advance' and status <> 'done' group by 1`));
    await Promise.all(orders);
    await expect(() => expect(taken()).toBeGreaterThan(before)).toPass({ timeout: TAKEN_MS, intervals: [50] }).catch((e) => {
      console.log(second.log().split('\n').filter((l) => /WARN|ERROR/.test(l)).join('\n'));
      console.log(postgres.rows(`SELECT pid, state, wait_event, now()-xact_start, left(query, 60) FROM pg_stat_activity WHERE application_name='lingbao' and state <> 'idle'`), postgres.rows(`select status, kind, lease_by, count(*) from job where status not in ('done') group by 1, 2,3`));
      throw e;
    });
    console.log('taken', Date.now() - t0);
    if (wakes === 'late') await expect(delivered).toPass({ timeout: 90_000, intervals: [1_000] });
    console.log('delivered', Date.now() - t0);
    first.process.kill('SIGCONT');
    await expect(delivered).toPass({ timeout: 90_000, intervals: [1_000] });
    console.log('end', Date.now() - t0);
  }
  console.log(first.log().split('\n').filter((l) => /WARN|ERROR/.test(l)).join('\n'));
  console.log(second.log().split('\n').filter((l) => /WARN|ERROR/.test(l)).join('\n'));

  const names = [...made.keys()].sort();
  const found = (await call(where, clerk, 'GET', '/resources?q=stop-&limit=200')).body.rows.map((row: { name: string }) => row.name);
  expect(found.sort()).toEqual(names);
  expect(inTheCloud(folder, new Set(names))).toEqual(names);
});
