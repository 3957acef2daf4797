// The cloud fails in the middle of an order: whatever the weather, what was ordered is there once.
import { readFileSync } from 'node:fs';
import { call, session } from '../../support/api.ts';
import { approveAll, orderHosts } from '../../support/order.ts';
import { access } from '../cloud.ts';
import { Proxy, type Fault } from '../proxy.ts';
import { delivered, exactly, expect, lab, RUN, SMALL, test, Town } from '../world.ts';

/** Each in its turn. */
const FAULTS: Fault[] = ['slow', 'drop', 'lose', 'error', 'storm', 'expired', 'wrong', 'half', 'garbage'];
/** Rougher than one in twelve is no weather: a step of ten requests would never come through whole. */
const ONE_IN = 12;
/** A storm takes the requests that follow along. */
const STORM = 3;

/** One request in twelve goes wrong, in every way there is, one after the other. */
function weather(): () => Fault {
  let requests = 0;
  let storm = 0;
  return () => {
    if (storm > 0) {
      storm -= 1;
      return 'storm';
    }
    requests += 1;
    if (requests % ONE_IN !== 0) return 'pass';
    const fault = FAULTS[(requests / ONE_IN - 1) % FAULTS.length] ?? 'pass';
    if (fault === 'storm') storm = STORM - 1;
    return fault;
  };
}

test('Keystone is stopped while five servers are being built, and started again', async ({ town, cloud }) => {
  const name = `auth-${RUN}`;
  const { where } = town;
  const clerk = await session(where(), 'clerk');
  const id = await orderHosts(where, clerk, name, 5, SMALL);
  await approveAll(where, id, 'leader.tjj');
  await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 60_000 }).toBeGreaterThan(0);
  lab('stop', 'keystone');
  try {
    const until = Date.now() + 20_000;
    // Pages answer from the portal's own rows and never wait for the cloud.
    while (Date.now() < until) {
      for (const path of ['/', '/resources', `/requests/${id}`, '/catalogue/C-ECS']) {
        const begun = Date.now();
        const answer = await fetch(where() + path, { headers: { cookie: clerk } });
        await answer.text();
        expect(answer.status, path).toBe(200);
        expect(Date.now() - begun, path).toBeLessThan(3_000);
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  } finally {
    lab('start', 'keystone');
  }
  await delivered(where, clerk, id);
  await exactly(where, clerk, cloud, name, 5);
});

test('six servers are built through losses, storms and half answers, each of them once', async ({ cloud }) => {
  test.setTimeout(600_000);
  const proxy = await Proxy.open();
  const it = JSON.parse(readFileSync(access(), 'utf8'));
  const town = new Town([`backends.openstack.url=${JSON.stringify(proxy.through(it.auth_url))}`]);
  try {
    await town.start();
    const { where } = town;
    const name = `rain-${RUN}`;
    const clerk = await session(where(), 'clerk');
    const id = await orderHosts(where, clerk, name, 6, SMALL);
    // From the approval on until most of the servers are there and everything has gone wrong once.
    proxy.weather = weather();
    await approveAll(where, id, 'leader.tjj');
    await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 180_000 }).toBeGreaterThan(3);
    await expect.poll(() => FAULTS.filter((fault) => !proxy.seen[fault]), { message: 'what did not happen yet', timeout: 120_000 }).toEqual([]);
    proxy.weather = () => 'pass';
    await delivered(where, clerk, id);
    await exactly(where, clerk, cloud, name, 6);
    // Nobody had to do anything.
    const operator = await session(where(), 'operator');
    expect((await call(where, operator, 'GET', '/sagas?state=stuck')).body.rows).toEqual([]);
  } finally {
    await town.end();
    await proxy.close();
  }
});
