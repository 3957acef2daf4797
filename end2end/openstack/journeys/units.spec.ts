// Two units on one cloud: each has its own project and network, and neither sees the other's.
import { call, session } from '../../support/api.ts';
import { approveAll, orderHosts } from '../../support/order.ts';
import { delivered, expect, RUN, SMALL, test } from '../world.ts';

test('two units never see each other\'s project, network or server', async ({ town, cloud }) => {
  const { where } = town;
  const sides = [];
  for (const [login, leader] of [['clerk', 'leader.tjj'], ['clerk.rsj', 'leader.rsj']] as const) {
    const cookie = await session(where(), login);
    const name = `${login.replace('.', '-')}-${RUN}`;
    const request = await orderHosts(where, cookie, name, 1, SMALL);
    await approveAll(where, request, leader);
    await delivered(where, cookie, request);
    const [server] = await cloud.servers(name);
    const [resource] = (await call(where, cookie, 'GET', `/resources?q=${name}`)).body.rows;
    sides.push({ cookie, name, request, server: server!, resource: resource.id as string });
  }
  const [one, other] = sides as [(typeof sides)[0], (typeof sides)[0]];
  expect(one.server.tenant_id).not.toBe(other.server.tenant_id);
  const networks = await Promise.all([one, other].map((side) => cloud.networks(side.server.tenant_id)));
  expect(networks.map((list) => list.length)).toEqual([1, 1]);
  expect(networks[0]![0]!.id).not.toBe(networks[1]![0]!.id);
  expect(networks.flat().map((network) => network.shared)).toEqual([false, false]);
  for (const [mine, foreign] of [[one, other], [other, one]] as const) {
    expect((await call(where, mine.cookie, 'GET', `/resources/${mine.resource}`)).status).toBe(200);
    for (const [method, path] of [
      ['GET', `/resources/${foreign.resource}`],
      ['POST', `/resources/${foreign.resource}/stop`],
      ['GET', `/requests/${foreign.request}`],
    ] as const) {
      expect((await call(where, mine.cookie, method, path, method === 'POST' ? {} : undefined)).status, path).toBe(404);
    }
    const found = (await call(where, mine.cookie, 'GET', `/resources?q=${foreign.name}`)).body;
    expect(found.rows).toEqual([]);
  }
});
