// A server is deleted in Nova behind the portal's back: a round finds it, an operator has it built
// anew, and there is exactly one again. A size that is changed there is taken over with its price.
import { call, session } from '../../support/api.ts';
import { signIn } from '../../support/helpers.ts';
import { approveAll, orderHosts } from '../../support/order.ts';
import { balanced, delivered, exactly, expect, RUN, SMALL, test } from '../world.ts';

test('a server deleted in OpenStack is found missing and built anew', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `truth-${RUN}`;
  const clerk = await session(where(), 'clerk');
  const operator = await session(where(), 'operator');
  const request = await orderHosts(where, clerk, name, 1, SMALL);
  await approveAll(where, request, 'leader.tjj');
  await delivered(where, clerk, request);
  const [lost] = await cloud.servers(name);
  await cloud.destroy(lost!.id);
  await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 120_000 }).toBe(0);

  const missing = async () => {
    const { body } = await call(where, operator, 'GET', '/differences?kind=missing');
    return (body.rows as { id: string; name: string }[]).filter((row) => row.name === name);
  };
  expect((await call(where, operator, 'POST', '/differences/compare', {})).status).toBe(200);
  await expect.poll(async () => (await missing()).length, { timeout: 120_000 }).toBe(1);
  const [found] = await missing();

  await signIn(page, 'operator');
  await page.goto(`/operations/differences/${found!.id}`);
  await page.locator('input[name=confirm_restore]').check();
  await page.locator('button[name=do][value=restore]').click();
  await expect.poll(async () => (await cloud.servers(name)).map((one) => one.status), { timeout: 280_000 }).toEqual(['ACTIVE']);
  await expect.poll(async () => (await missing()).length, { timeout: 120_000 }).toBe(0);
  const [made] = await cloud.servers(name);
  expect(made!.id).not.toBe(lost!.id);
  await exactly(where, clerk, cloud, name, 1);
  // The address of the row is that of the new server.
  const rows = (await call(where, clerk, 'GET', `/resources?q=${name}`)).body.rows as { address: string }[];
  const fixed = Object.values(made!.addresses).flat().map((one) => one.addr);
  expect(fixed).toContain(rows[0]?.address);
});

test('a size changed in Nova is taken over, and both sides count the same', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `grown-${RUN}`;
  const clerk = await session(where(), 'clerk');
  const operator = await session(where(), 'operator');
  const request = await orderHosts(where, clerk, name, 1, SMALL);
  await approveAll(where, request, 'leader.tjj');
  await delivered(where, clerk, request);
  const [server] = await cloud.servers(name);
  const now = async () => (await call(where, clerk, 'GET', `/resources?q=${name}`)).body.rows[0] as { month: number };
  const before = await now();
  await cloud.resize(server!.id, 2, 4);
  await expect.poll(async () => (await cloud.servers(name))[0]?.status, { timeout: 120_000 }).toBe('ACTIVE');

  const changed = async () => {
    const { body } = await call(where, operator, 'GET', '/differences?kind=changed');
    return (body.rows as { id: string; name: string }[]).filter((row) => row.name === name);
  };
  await expect.poll(async () => {
    await call(where, operator, 'POST', '/differences/compare', {});
    return (await changed()).length;
  }, { timeout: 120_000, intervals: [2_000] }).toBe(1);
  const [found] = await changed();
  await signIn(page, 'operator');
  await page.goto(`/operations/differences/${found!.id}`);
  await page.locator('input[name=confirm_adopt]').check();
  await page.locator('button[name=do][value=adopt]').click();
  await expect.poll(async () => (await changed()).length, { timeout: 60_000 }).toBe(0);
  expect((await now()).month).toBeGreaterThan(before.month);
  // An address that somebody took there is nobody's: it goes by what is typed.
  const taken = await cloud.takeAddress(server!.tenant_id);
  const stray = async () => {
    const { body } = await call(where, operator, 'GET', '/differences?kind=foreign');
    return (body.rows as { id: string; name: string; external_id: string }[]).filter((row) => row.external_id === taken.id);
  };
  await expect.poll(async () => {
    await call(where, operator, 'POST', '/differences/compare', {});
    return (await stray()).length;
  }, { timeout: 60_000, intervals: [2_000] }).toBe(1);
  const [nobodys] = await stray();
  expect(nobodys!.name).toBe(taken.floating_ip_address);
  expect((await call(where, operator, 'POST', `/differences/${nobodys!.id}/remove`, { confirm: nobodys!.name })).status).toBe(200);
  await expect.poll(async () => (await cloud.addresses(server!.tenant_id)).some((one) => one.id === taken.id), { timeout: 60_000 }).toBe(false);

  const { cores, memory_gb } = await balanced(where, clerk, cloud, server!.tenant_id);
  expect([cores, memory_gb]).toEqual([2, 4]);
});
