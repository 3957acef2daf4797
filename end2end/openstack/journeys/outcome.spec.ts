// The order that runs on the simulated cloud runs on a real OpenStack: a clerk orders by page, the
// offices sign, and what comes up is looked at in the cloud itself, beside the portal.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base, type Page } from '@playwright/test';
import { call, session } from '../../support/api.ts';
import { signIn, signOut } from '../../support/helpers.ts';
import { place } from '../../support/order.ts';
import type { Server } from '../../support/server.ts';
import { Cloud, startPortal } from '../cloud.ts';

const test = base.extend<{ portal: Server }, object>({
  portal: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lingbao-openstack-'));
    const portal = await startPortal(folder);
    await use(portal);
    await portal.stop();
    rmSync(folder, { recursive: true, force: true });
  },
  baseURL: async ({ portal }, use) => use(portal.url),
});
test.use({ locale: 'zh-CN' });

/** Names differ from run to run: the lab may hold what an earlier run left. */
const RUN = Date.now().toString(36).slice(-5);

async function put(page: Page, code: string, fields: Record<string, string>, target = false): Promise<void> {
  await page.goto(`/catalogue/${code}`);
  for (const [name, value] of Object.entries(fields)) await page.locator(`[name="${name}"]`).first().fill(value);
  if (target) await page.locator('select[name=attach_to]').selectOption({ index: 1 });
  await page.locator('button[name=do][value=put]').first().click();
  await expect(page).toHaveURL(/\/cart\//);
}

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

test('a host with a disk and an address, from the catalogue to a server in OpenStack and back', async ({ page, portal }) => {
  const cloud = await Cloud.open();
  const name = `web-${RUN}`;

  await signIn(page, 'clerk');
  // The cloud has said that it keeps no schedules: what it does not make is not offered.
  await expect(async () => {
    await page.goto('/catalogue');
    await expect(page.locator('a[href="/catalogue/C-ECS"]').first()).toBeVisible();
    await expect(page.locator('a[href="/catalogue/D-LB"]')).toHaveCount(0);
  }).toPass({ timeout: 90_000 });

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

  // Off and on again from its page.
  const clerk = await session(portal.url, 'clerk');
  const rows = (await call(() => portal.url, clerk, 'GET', `/resources?q=${name}`)).body.rows as { id: string; name: string; kind: string }[];
  const host = rows.find((row) => row.name === name)!;
  for (const [act, status] of [['stop', 'SHUTOFF'], ['start', 'ACTIVE']] as const) {
    const done = await call(() => portal.url, clerk, 'POST', `/resources/${host.id}/${act}`, {});
    expect(done.status, JSON.stringify(done.body)).toBeLessThan(300);
    await expect.poll(async () => (await cloud.servers(name))[0]?.status, { timeout: 60_000 }).toBe(status);
    await expect.poll(async () => (await call(() => portal.url, clerk, 'GET', `/resources/${host.id}`)).body.busy ?? null, { timeout: 60_000 }).toBeNull();
  }

  // Given back, nothing of it is left in the cloud.
  const all = (await call(() => portal.url, clerk, 'GET', '/resources?limit=200')).body.rows.map((row: { id: string }) => row.id);
  const release = await call(() => portal.url, clerk, 'POST', '/releases', { resources: all, reason: '验证完毕，全部退回。' });
  expect(release.status, JSON.stringify(release.body)).toBe(201);
  await signOut(page);
  await approve(page, `${portal.url}/requests/${release.body.request}`);
  await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 120_000 }).toBe(0);
  await expect.poll(async () => (await cloud.volumes(server.tenant_id)).filter((one) => attached.includes(one.id)).length, { timeout: 60_000 }).toBe(0);
});

test('killing the portal while twenty servers are being built leaves exactly twenty', async ({}) => {
  const SERVERS = 20;
  const KILLS = 10;
  const cloud = await Cloud.open();
  const name = `kill-${RUN}`;
  const folder = mkdtempSync(join(tmpdir(), 'lingbao-openstack-'));
  let portal = await startPortal(folder);
  const where = () => portal.url;
  const clerk = await session(portal.url, 'clerk');
  const { cell, system } = await place(portal.url, clerk);
  const typed = { arch: 'general', vcpus: '1', memory_gb: '2', image: 'kylin-v10', system_disk_gb: '40', access: 'password' };
  const draft = await call(where, clerk, 'POST', '/drafts', {
    head: { system, title: `终止核验 ${name}`, reason: '进程被终止时的核验，二十台小规格主机。' },
    lines: [{ item: 'C-ECS', name, count: String(SERVERS), cell, typed }],
  });
  expect(draft.status, JSON.stringify(draft.body)).toBe(201);
  const { id, version } = draft.body;
  const sent = await call(where, clerk, 'POST', `/requests/${id}/submit`, { version });
  expect(sent.status, JSON.stringify(sent.body)).toBe(200);
  for (const login of ['leader.tjj', 'reviewer', 'security', 'finance', 'leader']) {
    const cookie = await session(portal.url, login);
    const todos = (await call(where, cookie, 'GET', '/todos')).body.rows as { step: string; request: string }[];
    for (const one of todos.filter((todo) => todo.request === id)) {
      const card = (await call(where, cookie, 'GET', `/todos/${one.step}`)).body;
      const done = await call(where, cookie, 'POST', `/todos/${one.step}/decide`, { decision: 'approve', opinion: '同意', digest: card.digest });
      expect(done.status, JSON.stringify(done.body)).toBe(200);
    }
  }
  for (let n = 0; n < KILLS; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 800 + Math.random() * 4_000));
    portal.process.kill('SIGKILL');
    portal = await startPortal(folder);
  }
  await expect(async () => {
    const { body } = await call(where, clerk, 'GET', `/requests/${id}`);
    expect(body.row.status).toBe('delivered');
    expect(body.row.outcome ?? 'complete').toBe('complete');
  }).toPass({ timeout: 280_000, intervals: [2_000] });
  const servers = await cloud.servers(name);
  expect(servers.map((one) => one.status)).toEqual(Array(SERVERS).fill('ACTIVE'));
  expect(new Set(servers.map((one) => one.name)).size).toBe(SERVERS);
  const found = (await call(where, clerk, 'GET', `/resources?q=${name}&limit=200`)).body.rows;
  expect(found).toHaveLength(SERVERS);
  // What the portal counts is what the cloud counts.
  const limits = await cloud.limits(servers[0]!.tenant_id);
  expect(limits.cores?.in_use).toBe(SERVERS);
  expect(limits.instances?.in_use).toBe(SERVERS);
  await portal.stop();
  rmSync(folder, { recursive: true, force: true });
});
