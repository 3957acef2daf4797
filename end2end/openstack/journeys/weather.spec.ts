// The cloud fails in the middle of an order: whatever the weather, what was ordered is there once.
import { readFileSync } from 'node:fs';
import { call, session } from '../../support/api.ts';
import { approveAll, orderHosts } from '../../support/order.ts';
import { access } from '../cloud.ts';
import { Proxy, type Fault } from '../proxy.ts';
import { delivered, exactly, expect, lab, RUN, SMALL, test, Town } from '../world.ts';

const FAULTS: Fault[] = ['drop', 'lose', 'half', 'slow', 'storm', 'error', 'expired', 'garbage'];

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
  const proxy = await Proxy.open();
  const it = JSON.parse(readFileSync(access(), 'utf8'));
  const town = new Town([`backends.openstack.url=${JSON.stringify(proxy.through(it.auth_url))}`]);
  try {
    await town.start();
    const { where } = town;
    const name = `rain-${RUN}`;
    const clerk = await session(where(), 'clerk');
    const id = await orderHosts(where, clerk, name, 6, SMALL);
    // One request in four goes wrong, from the approval on until most of the servers are there.
    let seed = 20_261_121;
    const chance = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    proxy.weather = () => (chance() < 0.25 ? (FAULTS[Math.floor(chance() * FAULTS.length)] ?? 'pass') : 'pass');
    await approveAll(where, id, 'leader.tjj');
    await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 180_000 }).toBeGreaterThan(3);
    proxy.weather = () => 'pass';
    await delivered(where, clerk, id);
    await exactly(where, clerk, cloud, name, 6);
    for (const fault of FAULTS) expect(proxy.seen[fault] ?? 0, `requests that met ${fault}`).toBeGreaterThan(0);
    // Nobody had to do anything.
    const operator = await session(where(), 'operator');
    expect((await call(where, operator, 'GET', '/sagas?state=stuck')).body.rows).toEqual([]);
  } finally {
    await town.end();
    await proxy.close();
  }
});
