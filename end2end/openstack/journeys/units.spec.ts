// Two units on one cloud: each has its own project and network, and neither sees or reaches the other's.
import { call, session } from '../../support/api.ts';
import { approveAll, order } from '../../support/order.ts';
import { able, act, became, delivered, exactly, expect, RUN, SMALL, test, things } from '../world.ts';

const RULE = { protocol: 'tcp', ports: '8000', source: '10.8.0.0/24' };

test('two units never see or reach each other\'s project, network, server, console, rules or snapshots', async ({ town, cloud }) => {
  const { where } = town;
  const cookies: Record<string, string> = {};
  // Both at once, as on any morning.
  const orders = [];
  for (const [login, leader] of [['clerk', 'leader.tjj'], ['clerk.rsj', 'leader.rsj']] as const) {
    const cookie = await session(where(), login);
    const name = `${login.replace('.', '-')}-${RUN}`;
    const { id } = await order(where, cookie, name, [
      { item: 'C-ECS', name, typed: SMALL },
      { item: 'S-EVS', name: `${name}-disk`, typed: { attach_to: '#1', disk_class: 'ssd', size_gb: '20' } },
    ]);
    await approveAll(where, id, leader, cookies);
    orders.push({ cookie, name, request: id });
  }

  // Each has a disk with a snapshot, and a port of its host open.
  const sides = [];
  for (const one of orders) {
    const { cookie, name, request } = one;
    await delivered(where, cookie, request);
    const all = await things(where, cookie);
    const host = all.find((row) => row.kind === 'server')!.id;
    const disk = all.find((row) => row.kind === 'volume')!.id;
    await able(where, cookie, host, ['console', 'rules']);
    await able(where, cookie, disk, ['snapshot', 'restore']);
    await act(where, cookie, host, 'rules', RULE);
    await act(where, cookie, disk, 'snapshots', { name: 'own' });
    await became(where, cookie, host, 'rules_changed');
    await became(where, cookie, disk, 'snapshot_taken');
    const rule = (await call(where, cookie, 'GET', `/resources/${host}/rules`)).body.own[0].id as string;
    const snapshot = (await call(where, cookie, 'GET', `/resources/${disk}`)).body.snapshots[0].id as string;
    const server = (await cloud.servers(name))[0]!;
    sides.push({ ...one, host, disk, rule, snapshot, server });
  }
  const [one, other] = sides as [(typeof sides)[0], (typeof sides)[0]];

  // Two projects, two networks, shared with nobody.
  expect(one.server.tenant_id).not.toBe(other.server.tenant_id);
  const networks = await Promise.all([one, other].map((side) => cloud.networks(side.server.tenant_id)));
  expect(networks.map((list) => list.length)).toEqual([1, 1]);
  expect(networks[0]![0]!.id).not.toBe(networks[1]![0]!.id);
  expect(networks.flat().map((network) => network.shared)).toEqual([false, false]);

  for (const [mine, foreign] of [[one, other], [other, one]] as const) {
    const restore = `snapshots/${foreign.snapshot}/restore`;
    // What its owner is given, for the same paths.
    const offer = await call(where, foreign.cookie, 'GET', `/resources/${foreign.disk}/${restore}`);
    const link = await call(where, foreign.cookie, 'POST', `/resources/${foreign.host}/console`, {});
    const rules = await call(where, foreign.cookie, 'GET', `/resources/${foreign.host}/rules`);
    expect([offer.status, link.status, rules.status]).toEqual([200, 200, 200]);
    expect(link.body.url).toMatch(/^https?:/);
    expect(rules.body.own).toHaveLength(1);

    const tries: [string, string, unknown?][] = [
      ['GET', `/requests/${foreign.request}`],
      ['GET', `/resources/${foreign.host}`],
      ['POST', `/resources/${foreign.host}/console`, {}],
      ['POST', `/resources/${foreign.host}/stop`, {}],
      ['POST', `/resources/${foreign.host}/restart`, {}],
      ['POST', `/resources/${foreign.host}/password`, {}],
      ['GET', `/resources/${foreign.host}/rules`],
      ['POST', `/resources/${foreign.host}/rules`, { ...RULE, ports: '9000' }],
      ['DELETE', `/resources/${foreign.host}/rules/${foreign.rule}`],
      ['GET', `/resources/${foreign.disk}`],
      ['POST', `/resources/${foreign.disk}/snapshots`, { name: 'theirs' }],
      ['DELETE', `/resources/${foreign.disk}/snapshots/${foreign.snapshot}`],
      ['GET', `/resources/${foreign.disk}/${restore}`],
      ['POST', `/resources/${foreign.disk}/${restore}`, { name: 'theirs', month: offer.body.quote.each }],
      ['POST', `/resources/${foreign.disk}/detach`, {}],
      // The other's thing, reached by one's own.
      ['DELETE', `/resources/${mine.host}/rules/${foreign.rule}`],
      ['GET', `/resources/${mine.disk}/${restore}`],
      ['POST', `/resources/${mine.disk}/attach`, { host: foreign.host }],
    ];
    for (const [method, path, body] of tries) {
      const answer = await call(where, mine.cookie, method, path, body);
      expect(answer.status, `${method} ${path}`).toBe(404);
    }
    expect((await call(where, mine.cookie, 'GET', `/resources?q=${foreign.name}`)).body.rows).toEqual([]);
  }

  // Nothing came of it: in each project stands what its unit ordered, took and opened, and no more.
  for (const { cookie, name, server } of sides) {
    await exactly(where, cookie, cloud, name, 1);
    expect(await cloud.snapshots(server.tenant_id)).toHaveLength(1);
    const own = (await cloud.groups(server.tenant_id)).filter((group) => group.name === `lingbao-host-${server.id}`);
    expect(own.map((group) => group.security_group_rules.filter((rule) => rule.direction === 'ingress').length)).toEqual([1]);
  }
});
