// The order that runs on the simulated cloud runs on a real OpenStack: a clerk orders by page, the
// offices sign, and what comes up is looked at in the cloud itself, beside the portal.
import type { Page } from '@playwright/test';
import { call, session } from '../../support/api.ts';
import { signIn, signOut } from '../../support/helpers.ts';
import { approveAll, orderHosts, put } from '../../support/order.ts';
import { balanced, delivered, exactly, expect, giveBackAll, nothingLeft, RUN, SMALL, test } from '../world.ts';

/** Everybody whose turn it is approves. */
async function approve(page: Page, request: string): Promise<void> {
  for (const login of ['leader.tjj', 'reviewer', 'security', 'finance', 'leader']) {
    await signIn(page, login);
    await page.goto(request);
    const card = page.locator('a[href^="/todo/"]').first();
    if (await card.isVisible().catch(() => false)) {
      await card.click();
      await page.locator('button[name=do][value=approve]').click();
      await expect(page).toHaveURL(/\/todo/);
    }
    await signOut(page);
  }
}

test('a host with a disk and an address, from the catalogue to a server in OpenStack and back', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `web-${RUN}`;

  await signIn(page, 'clerk');
  await put(page, 'C-ECS', { name, count: '1', vcpus: '2', memory_gb: '4' });
  await put(page, 'S-EVS', { size_gb: '20' }, true);
  await put(page, 'N-EIP', { bandwidth_mbps: '2' }, true);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill(`真实云验证 ${name}`);
  await page.locator('textarea[name=reason]').fill('在真实的 OpenStack 上开通一台主机、一块云硬盘和一个弹性 IP。');
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url();
  await signOut(page);
  await approve(page, request);

  await signIn(page, 'clerk');
  await expect(async () => {
    await page.goto(request);
    await expect(page.locator('button[name=do][value=confirm]')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 180_000 });

  // Beside the portal: one server, running, with its disk and its public address.
  const servers = await cloud.servers(name);
  expect(servers.map((one) => [one.name, one.status])).toEqual([[name, 'ACTIVE']]);
  const server = servers[0]!;
  const volumes = await cloud.volumes(server.tenant_id);
  const attached = server['os-extended-volumes:volumes_attached'].map((one) => one.id);
  expect(volumes.filter((one) => attached.includes(one.id)).map((one) => one.size).sort((a, b) => a - b)).toEqual([20, 40]);
  // Nova hears of an address from Neutron some seconds later.
  const floating = async () => {
    const all = Object.values((await cloud.servers(name))[0]?.addresses ?? {}).flat();
    return all.filter((one) => one['OS-EXT-IPS:type'] === 'floating').map((one) => one.addr);
  };
  await expect.poll(async () => (await floating()).length, { timeout: 30_000 }).toBe(1);
  const [address] = await floating();

  // The delivery sheet says the addresses that the cloud says.
  const id = request.split('/').pop();
  await page.goto(`/deliveries/${id}`);
  await expect(page.locator('.sheet')).toContainText(address ?? 'no address');
  await page.goto(request);
  await page.locator('button[name=do][value=confirm]').click();
  await expect(page.locator('button[name=do][value=confirm]')).toHaveCount(0);

  const clerk = await session(where(), 'clerk');
  expect(await balanced(where, clerk, cloud, server.tenant_id)).toEqual({ cores: 2, memory_gb: 4, disk_gb: 60, addresses: 1 });

  // Off and on again.
  const rows = (await call(where, clerk, 'GET', `/resources?q=${name}`)).body.rows as { id: string; name: string; kind: string }[];
  const host = rows.find((row) => row.name === name)!;
  for (const [act, status] of [['stop', 'SHUTOFF'], ['start', 'ACTIVE']] as const) {
    const done = await call(where, clerk, 'POST', `/resources/${host.id}/${act}`, {});
    expect(done.status, JSON.stringify(done.body)).toBeLessThan(300);
    await expect.poll(async () => (await cloud.servers(name))[0]?.status, { timeout: 60_000 }).toBe(status);
    await expect.poll(async () => (await call(where, clerk, 'GET', `/resources/${host.id}`)).body.busy ?? null, { timeout: 60_000 }).toBeNull();
  }

  // Given back, nothing of it is left in the cloud.
  const release = await giveBackAll(where, clerk);
  await signOut(page);
  await approve(page, `${where()}/requests/${release}`);
  await nothingLeft(where, clerk, cloud, name, server.tenant_id);
});

test('the portal killed ten times while twenty servers are being built leaves exactly twenty', async ({ town, cloud }) => {
  test.setTimeout(600_000);
  const SERVERS = 20;
  const KILLS = 10;
  // So many more servers stand at each kill than at the one before: the last comes at two thirds.
  const APART = SERVERS / (KILLS + 5);
  // What a kill found in hand waits for half a minute: the next one need not wait for all of that.
  const PATIENCE_MS = 20_000;
  const name = `kill-${RUN}`;
  const { where } = town;
  const clerk = await session(where(), 'clerk');
  const id = await orderHosts(where, clerk, name, SERVERS, SMALL);
  await approveAll(where, id, 'leader.tjj');
  const stood: number[] = [];
  for (let n = 0; n < KILLS; n += 1) {
    // By what stands and not by the clock: a fast machine would be done before the last kill.
    const mark = Math.floor((n + Math.random()) * APART);
    const late = Date.now() + PATIENCE_MS;
    while ((await cloud.running(name)) < mark && Date.now() < late) await new Promise((resolve) => setTimeout(resolve, 250));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 700));
    const running = await cloud.running(name);
    const { status } = (await call(where, clerk, 'GET', `/requests/${id}`)).body.row;
    expect([status, running < SERVERS], `before kill ${n + 1} ${running} of ${SERVERS} stand, and the building goes on`).toEqual(['approved', true]);
    stood.push(running);
    await town.kill();
  }
  console.log(`of ${SERVERS} servers stood at the ${KILLS} kills: ${stood.join(', ')}`);
  await delivered(where, clerk, id);
  await exactly(where, clerk, cloud, name, SERVERS);
});
