// Figures of a real cloud, for docs/benchmarks.md: `scripts/ratios openstack`. Pairs in turn, the portal
// and the same calls made directly, so that a busy machine is busy for both.
import { call, session } from '../../support/api.ts';
import { approveAll, orderHosts } from '../../support/order.ts';
import { Direct } from '../direct.ts';
import { Horizon } from '../horizon.ts';
import { expect, RUN, SMALL, test, Town } from '../world.ts';

const PAIRS = Number(process.env.LINGBAO_PAIRS ?? 7);

const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

/** Milliseconds from the last approval until all servers of an order run. */
async function built(town: Town, cookies: Record<string, string>, name: string, count: number, timeout = 240_000): Promise<number> {
  const { where } = town;
  const clerk = (cookies.clerk ??= await session(where(), 'clerk'));
  const request = await orderHosts(where, clerk, name, count, SMALL);
  const last = await approveAll(where, request, 'leader.tjj', cookies);
  const deadline = Date.now() + timeout;
  for (;;) {
    const { row } = (await call(where, clerk, 'GET', `/requests/${request}`)).body;
    if (row.status === 'delivered') {
      expect(row.outcome ?? 'complete').toBe('complete');
      break;
    }
    if (Date.now() > deadline) throw new Error(`${name} is ${row.status} after ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return Date.now() - last;
}

/** The same; then they are given back. */
async function ordered(town: Town, cookies: Record<string, string>, name: string, count: number, timeout = 240_000): Promise<number> {
  const { where } = town;
  const took = await built(town, cookies, name, count, timeout);
  const clerk = cookies.clerk ?? '';
  const found = (await call(where, clerk, 'GET', `/resources?q=${name}&limit=200`)).body.rows as { id: string; service: string }[];
  expect(found.map((one) => one.service)).toEqual(Array(count).fill('running'));
  const release = await call(where, clerk, 'POST', '/releases', { resources: found.map((one) => one.id), reason: '测量完毕，全部退回。', erase_at_once: true });
  expect(release.status, JSON.stringify(release.body)).toBe(201);
  await approveAll(where, release.body.request, 'leader.tjj', cookies);
  await expect
    .poll(async () => (await call(where, clerk, 'GET', `/resources?q=${name}&limit=200`)).body.rows.filter((one: { service: string }) => one.service !== 'released').length, { timeout })
    .toBe(0);
  return took;
}

test('@figures from the last approval to running, against the same calls made directly', async () => {
  test.setTimeout(60 * 60_000);
  const town = new Town(['backends.openstack.poll_ms=250']);
  try {
    await town.start();
    const cookies: Record<string, string> = {};
    const direct = await Direct.open(`direct-${RUN}`, 'kylin-v10', 'lb.1c2g');
    // The first order makes project and network; they stand when the measured ones come.
    await ordered(town, cookies, `warm-${RUN}`, 1);
    await direct.build('warm', 1);
    for (const count of [1, 20]) {
      const pairs: [number, number][] = [];
      for (let n = 0; n < PAIRS; n += 1) {
        const name = `pair${n}-${RUN}-${count}`;
        // Whoever is first is so every other time.
        const own = () => ordered(town, cookies, name, count);
        const bare = () => direct.build(name, count);
        if (n % 2 === 0) pairs.push([await own(), await bare()]);
        else {
          const first = await bare();
          pairs.push([await own(), first]);
        }
        console.log(`${count} servers, pair ${n + 1}: portal ${pairs[n]![0]} ms, script ${pairs[n]![1]} ms`);
      }
      const ratio = median(pairs.map(([own, bare]) => own / bare));
      console.log(`${count} servers, median of ${PAIRS}: portal ${median(pairs.map(([own]) => own))} ms, script ${median(pairs.map(([, bare]) => bare))} ms, ratio ${ratio.toFixed(2)} (at most 1.15)`);
    }
  } finally {
    await town.end();
  }
});

/** Medians of a page, in turn with another, in milliseconds. */
async function pages(sides: (() => Promise<string>)[], rounds: number): Promise<number[]> {
  const took: number[][] = sides.map(() => []);
  for (let n = 0; n <= rounds; n += 1) {
    for (const [at, side] of sides.entries()) {
      const begun = performance.now();
      await side();
      // The first round warms both up.
      if (n > 0) took[at]?.push(performance.now() - begun);
    }
  }
  return took.map(median);
}

test('@figures fifty servers of one request finish without a manual act, and their list beside Horizon', async ({ cloud }) => {
  test.setTimeout(30 * 60_000);
  const town = new Town();
  try {
    await town.start();
    const { where } = town;
    const cookies: Record<string, string> = {};
    for (const [count, total] of [[20, 20], [30, 50]] as const) {
      await built(town, cookies, `list${count}-${RUN}`, count);
      const [server] = await cloud.servers(`list20-${RUN}`);
      const horizon = await Horizon.open(server?.tenant_id ?? '');
      const own = async () => {
        const answer = await fetch(`${where()}/resources`, { headers: { cookie: cookies.clerk ?? '' } });
        return answer.text();
      };
      expect((await own()).split(`list20-${RUN}`).length, 'the page shows the servers').toBeGreaterThan(19);
      if (!horizon) {
        console.log('Horizon does not run: WITH_HORIZON=1 brings it up');
        continue;
      }
      const its = () => horizon.instances();
      // It shows twenty a page, the newest first; the portal's page has fifty rows.
      expect((await its()).split(`list${count}-${RUN}`).length, "Horizon's page shows the servers").toBeGreaterThan(19);
      const [ours, theirs] = await pages([own, its], 15);
      console.log(`list of ${total} servers: portal ${ours?.toFixed(1)} ms, Horizon ${theirs?.toFixed(0)} ms, ratio ${((ours ?? 0) / (theirs ?? 1)).toFixed(3)}`);
    }
    const took = await built(town, cookies, `fifty-${RUN}`, 50, 900_000);
    const operator = await session(where(), 'operator');
    expect((await call(where, operator, 'GET', '/sagas?state=stuck')).body.rows).toEqual([]);
    console.log(`50 servers in one request: ${(took / 1000).toFixed(0)} s`);
  } finally {
    await town.end();
  }
});
