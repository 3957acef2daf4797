// Day two on a real OpenStack: what is pressed in the portal happens to the servers and volumes of
// the cloud, and what is given back leaves nothing there.
import { call, session } from '../../support/api.ts';
import { signIn } from '../../support/helpers.ts';
import { approveAll, put } from '../../support/order.ts';
import { delivered, expect, RUN, test } from '../world.ts';

test('a host is restarted and its disk kept, taken off, put back and given back with its snapshot', async ({ page, town, cloud }) => {
  const { where } = town;
  const name = `day-${RUN}`;
  await signIn(page, 'clerk');
  await put(page, 'C-ECS', { name, count: '1', vcpus: '1', memory_gb: '2' });
  await put(page, 'S-EVS', { size_gb: '20' }, true);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill(`日常运维 ${name}`);
  await page.locator('textarea[name=reason]').fill('在真实的 OpenStack 上核验日常运维。');
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url().split('/').pop() ?? '';
  await approveAll(where, request, 'leader.tjj');
  const clerk = await session(where(), 'clerk');
  await delivered(where, clerk, request);

  const rows = (await call(where, clerk, 'GET', `/resources?q=${name}`)).body.rows as { id: string; name: string; kind: string }[];
  const host = rows.find((row) => row.kind === 'server')!;
  const see = async (id: string) => (await call(where, clerk, 'GET', `/resources/${id}`)).body;
  const disk = (await see(host.id)).attachments[0] as { id: string };
  const server = (await cloud.servers(name))[0]!;
  const attached = async () => (await cloud.servers(name))[0]!['os-extended-volumes:volumes_attached'].length;
  const before = await attached();

  const act = async (id: string, path: string, body: unknown = {}) => {
    const done = await call(where, clerk, 'POST', `/resources/${id}/${path}`, body);
    expect(done.status, JSON.stringify(done.body)).toBeLessThan(300);
    return done.body;
  };
  const calm = async (id: string) => {
    await expect.poll(async () => (await see(id)).busy ?? null, { timeout: 120_000 }).toBeNull();
  };

  // What the cloud can do is read within a minute of the start.
  await expect.poll(async () => (await see(host.id)).may, { timeout: 90_000 }).toContain('restart');
  await act(host.id, 'restart');
  await calm(host.id);
  expect((await see(host.id)).events[0].kind).toBe('restarted');
  expect((await cloud.servers(name))[0]?.status).toBe('ACTIVE');

  // The console: a link of the cloud, given by the page in the answer to the press alone.
  await page.goto(`/resources/${host.id}`);
  await page.locator('button[name=do][value=console]').click();
  const link = page.locator('a[target=_blank][rel~=noreferrer]');
  await expect(link).toHaveAttribute('href', /^https?:/);
  await page.goto(`/resources/${host.id}`);
  await expect(link).toHaveCount(0);

  await act(disk.id, 'snapshots', { name: 'before', note: '升级之前' });
  await calm(disk.id);
  const snapshots = (await see(disk.id)).snapshots as { id: string; state: string; size_gb: number }[];
  expect(snapshots.map((one) => [one.state, one.size_gb])).toEqual([['ready', 20]]);

  // A new disk out of it, at the price that was told.
  const offer = (await call(where, clerk, 'GET', `/resources/${disk.id}/snapshots/${snapshots[0]!.id}/restore`)).body;
  expect(offer.blocks).toEqual([]);
  const made = await act(disk.id, `snapshots/${snapshots[0]!.id}/restore`, { name: `${name}-copy`, month: offer.quote.each });
  await calm(disk.id);
  expect((await see(made.resource)).row.name).toBe(`${name}-copy`);

  await act(disk.id, 'detach');
  await calm(disk.id);
  expect(await attached()).toBe(before - 1);
  await act(disk.id, 'attach', { host: host.id });
  await calm(disk.id);
  expect(await attached()).toBe(before);

  // Its system anew, with a key: the server stays the same one, with its disk on it.
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP6xkN2y7b4mF0v8uTq1wZs3dYh5rLc9jEoGiVpXtB zhang';
  await act(host.id, 'reinstall', { access: 'ssh_key', ssh_key: key, confirm: host.name });
  await calm(host.id);
  expect((await see(host.id)).events[0].kind).toBe('reinstalled');
  const anew = (await cloud.servers(name))[0]!;
  expect([anew.id, anew.status, anew['os-extended-volumes:volumes_attached'].length]).toEqual([server.id, 'ACTIVE', before]);

  // Given back: neither server nor volumes are left, and the snapshot went before its disk.
  const all = [host.id, disk.id, made.resource];
  const release = await call(where, clerk, 'POST', '/releases', { resources: all, reason: '核验完毕，全部退回。', erase_at_once: true });
  expect(release.status, JSON.stringify(release.body)).toBe(201);
  await approveAll(where, release.body.request, 'leader.tjj');
  await expect.poll(async () => (await cloud.servers(name)).length, { timeout: 120_000 }).toBe(0);
  await expect.poll(async () => (await cloud.volumes(server.tenant_id)).length, { timeout: 120_000 }).toBe(0);
});
