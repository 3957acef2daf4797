// A host is deleted in the cloud behind the portal's back: a round finds it, its unit reads it, an
// operator has it built anew, once. A door that is opened there is found and closed. While the cloud
// is away, pages say so.
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/beside.ts';
import { comesIn, destroy, letIn, serversNamed, silent } from '../support/cloud.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { approveAll, orderHost } from '../support/order.ts';

test('a host deleted behind the portal is found, shown to its unit, and built anew once @once', async ({ page, portal, cloud }) => {
  test.setTimeout(240_000);
  const where = () => portal.url;
  const name = 'truth';
  const clerk = await session(portal.url, 'clerk');
  const operator = await session(portal.url, 'operator');
  const compare = async () => expect((await call(where, operator, 'POST', '/differences/compare', {})).status).toBe(200);
  const standing = async () =>
    ((await call(where, operator, 'GET', '/differences')).body.rows as { id: string; kind: string; name: string; digest: string }[]).filter((row) => row.name === name);

  const request = await orderHost(portal.url, clerk, name);
  await approveAll(where, request.id, 'leader.tjj');
  await expect(async () => {
    expect((await call(where, clerk, 'GET', `/requests/${request.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 60_000 });
  const host = (await call(where, clerk, 'GET', `/resources?q=${name}`)).body.rows.find((row: { name: string }) => row.name === name);
  const [lost] = await serversNamed(cloud, name);
  await destroy(cloud, lost?.id ?? '');

  await compare();
  await expect.poll(async () => (await standing()).map((row) => row.kind), { timeout: 30_000 }).toEqual(['missing']);

  // Its unit reads it on the page of the host.
  await signIn(page, 'clerk');
  await page.goto(`/resources/${host.id}`);
  await expect(page.locator('.banner-bad')).toBeVisible();
  await fitsTheWindow(page);
  await axeClean(page);
  await signOut(page);

  await signIn(page, 'operator');
  await page.goto('/operations/differences?kind=missing');
  await fitsTheWindow(page);
  await axeClean(page);
  await page.getByRole('link', { name, exact: true }).first().click();
  await expect(page).toHaveURL(/\/operations\/differences\/dif_/);
  await fitsTheWindow(page);
  await axeClean(page);
  // Without the tick nothing happens.
  await page.locator('button[name=do][value=restore]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await page.locator('input[name=confirm_restore]').check();
  await page.locator('button[name=do][value=restore]').click();
  await expect.poll(async () => (await serversNamed(cloud, name)).length, { timeout: 60_000 }).toBe(1);
  await expect.poll(standing, { timeout: 60_000 }).toEqual([]);
  const made = (await serversNamed(cloud, name))[0]?.id ?? '';
  expect(made).not.toBe(lost?.id);

  // Somebody opens the door to the machine to everybody, in the cloud itself.
  await letIn(cloud, made, [{ protocol: 'tcp', ports: { from: 22, to: 22 }, source: '0.0.0.0/0' }]);
  await compare();
  await expect.poll(async () => (await standing()).map((row) => row.kind), { timeout: 30_000 }).toEqual(['changed']);
  const [door] = await standing();
  const refused = await call(where, operator, 'POST', `/differences/${door?.id}/follow`, { digest: door?.digest });
  expect([refused.status, refused.body.key], 'no law lets the portal follow').toEqual([409, 'difference.rule_forbidden']);
  await page.goto(`/operations/differences/${door?.id}`);
  await expect(page.locator('main')).toContainText('TCP 22');
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('button[name=do][value=restore]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await page.locator('input[name=confirm_restore]').check();
  await page.locator('button[name=do][value=restore]').click();
  await expect.poll(() => comesIn(cloud, made), { timeout: 60_000 }).toEqual([]);
  await expect.poll(standing, { timeout: 60_000 }).toEqual([]);
  await signOut(page);

  // The cloud is away: pages say so and stand.
  await silent(cloud, true);
  await compare();
  await expect.poll(async () => {
    const { rounds } = (await call(where, operator, 'GET', '/differences')).body as { rounds: { error?: string | null }[] };
    return rounds.some((round) => !!round.error);
  }, { timeout: 60_000 }).toBe(true);
  expect(await standing(), 'silence is no difference').toEqual([]);
  await signIn(page, 'clerk');
  // Whether it answers is asked once a minute.
  await expect(async () => {
    expect((await page.goto(`/resources/${host.id}`))?.status()).toBe(200);
    await expect(page.locator('.banner-warn')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [2_000] });
  await silent(cloud, false);
  await compare();
  await expect.poll(standing, { timeout: 60_000 }).toEqual([]);
  expect(await serversNamed(cloud, name)).toHaveLength(1);
});
