// A host and its disk are given back, lie in the recycle bin, come back; given back again, the leader
// has them erased before their time, and the certificate says how.
import { press } from '../support/acts.ts';
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { approveAll, deliveredHost, hungDisk, orderByPage, orderHost } from '../support/order.ts';

interface Thing {
  id: string;
  name: string;
  kind: string;
  service: string;
}

test('what is given back lies in the bin, comes back, and is erased with a certificate', async ({ page, server }, info) => {
  test.setTimeout(240_000);
  const where = () => server.url;
  const name = `bin-${info.project.name}`;
  await signIn(page, 'clerk');
  await orderByPage(page, where, name, '回收站', '一台主机和一块云硬盘，用于退订核验。', 20);

  const clerk = await session(where(), 'clerk');
  const host = await deliveredHost(where, clerk, name);
  const disk = await hungDisk(where, clerk, host.id);
  const both = `${host.id},${disk.id}`;
  const service = async (id: string) => (await call(where, clerk, 'GET', `/resources/${id}`)).body.row.service as string;

  /** By the form: into the bin, unless it is to be erased at once. Gives the request. */
  const giveBack = async (ending: 'bin' | 'erase'): Promise<string> => {
    await page.goto(`/requests/release?resource=${both}`);
    await page.locator('textarea[name=reason]').fill('系统下线，数据已迁走。');
    await page.locator(`input[name=ending][value=${ending}]`).check({ force: true });
    if (ending === 'erase') {
      // Not confirmed it is refused, and what was typed is still there.
      await page.locator('main form button').last().click();
      await expect(page.locator('.summary')).toBeVisible();
      await expect(page.locator('textarea[name=reason]')).toHaveValue('系统下线，数据已迁走。');
      await page.locator('input[name=confirm]').check({ force: true });
    } else {
      await fitsTheWindow(page);
      await axeClean(page);
    }
    await press(page, page.locator('main form button').last());
    await expect(page).toHaveURL(/\/requests\//);
    const request = page.url().split('/').pop() ?? '';
    await approveAll(where, request, 'leader.tjj');
    return request;
  };

  await giveBack('bin');
  await expect.poll(() => service(host.id), { timeout: 60_000 }).toBe('recycled');
  await expect.poll(() => service(disk.id), { timeout: 60_000 }).toBe('recycled');

  // The list of the bin, with the days left; the other list does not have it.
  await page.goto(`/resources?q=${name}`);
  await expect(page.locator(`main a[href="/resources/${host.id}"]`)).toHaveCount(0);
  await page.goto('/resources?state=recycled&sort=erase');
  await expect(page.locator(`main a[href="/resources/${host.id}"]`)).toHaveCount(1);
  await expect(page.locator('main')).toContainText('7 天后销毁');
  await fitsTheWindow(page);
  await axeClean(page);

  // The disk comes back with its host: that is said on its page, and done on the host's.
  await page.goto(`/resources/${disk.id}/bin`);
  await expect(page.locator('button[value=take_back]')).toHaveCount(0);
  await page.goto(`/resources/${host.id}`);
  await page.locator(`main a[href="/resources/${host.id}/bin"]`).first().click();
  await expect(page).toHaveURL(/\/bin$/);
  await expect(page.locator('svg.qbar').first()).toBeVisible();
  await fitsTheWindow(page);
  await axeClean(page);
  await press(page, page.locator('button[name=do][value=take_back]'));
  expect(await service(host.id)).toBe('stopped');
  expect(await service(disk.id)).toBe('running');

  // Given back again; the leader has the disk erased before its time, by its name.
  await giveBack('bin');
  await expect.poll(() => service(disk.id), { timeout: 60_000 }).toBe('recycled');
  await signOut(page);
  await signIn(page, 'leader.tjj');
  await page.goto(`/resources/${disk.id}/bin`);
  await expect(page.locator('button[value=take_back]')).toHaveCount(0);
  await page.locator('input[name=confirm]').fill('something else');
  await page.locator('button[name=do][value=erase]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await axeClean(page);
  await page.locator('input[name=confirm]').fill(disk.name);
  await press(page, page.locator('button[name=do][value=erase]'));
  await expect.poll(() => service(disk.id), { timeout: 60_000 }).toBe('released');

  // The paper.
  await page.goto(`/resources/${disk.id}`);
  await page.locator(`main a[href="/resources/${disk.id}/certificate"]`).first().click();
  await expect(page).toHaveURL(/\/certificate$/);
  await expect(page.locator('article.sheet')).toContainText('数据销毁证明');
  await expect(page.locator('article.sheet')).toContainText('答复为不存在');
  await expect(page.locator('article.sheet')).toContainText(disk.name);
  await fitsTheWindow(page);
  await axeClean(page);
});

test('erased at once there is nothing to take back, and strangers find nothing @once', async ({ page, server }) => {
  test.setTimeout(180_000);
  const where = () => server.url;
  const clerk = await session(where(), 'clerk');
  await orderHost(where(), clerk, 'gone-at-once');
  let host: Thing = { id: '', name: '', kind: '', service: '' };
  await expect(async () => {
    const { body } = await call(where, clerk, 'GET', '/resources?q=gone-at-once&kind=server');
    expect(body.rows).toHaveLength(1);
    host = body.rows[0];
  }).toPass({ timeout: 60_000 });
  const asked = { resources: [host.id], reason: '核验立即销毁。', erase_at_once: true };
  const made = await call(where, clerk, 'POST', '/releases', asked);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  await approveAll(where, made.body.request, 'leader.tjj');
  await expect
    .poll(async () => (await call(where, clerk, 'GET', `/resources/${host.id}`)).body.row.service, { timeout: 60_000 })
    .toBe('released');
  expect((await call(where, clerk, 'POST', `/resources/${host.id}/take-back`, {})).status).toBe(409);
  const stranger = await session(where(), 'clerk.rsj');
  for (const path of ['bin', 'certificate']) {
    expect((await call(where, stranger, 'GET', `/resources/${host.id}/${path}`)).status, path).toBe(404);
  }
  await signIn(page, 'clerk');
  await page.goto(`/requests/${made.body.request}/certificates`);
  await expect(page.locator('article.sheet')).toContainText('数据销毁清单');
  await fitsTheWindow(page);
  await axeClean(page);
});
