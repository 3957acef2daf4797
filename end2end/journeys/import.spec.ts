// A server that somebody built in the cloud itself is taken in: chosen from the list, looked at in the
// preview, a resource of its unit, and a stranger again when that is undone.
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/beside.ts';
import { buildBeside, serversNamed } from '../support/cloud.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { approveAll, orderHost, place } from '../support/order.ts';
import { workbook } from '../support/workbook.ts';

test('a server that was built by hand becomes a resource of its unit, and a stranger again @once', async ({ page, browser, portal, cloud }) => {
  test.setTimeout(240_000);
  const where = () => portal.url;
  const clerk = await session(portal.url, 'clerk');
  const operator = await session(portal.url, 'operator');
  const compare = async () => expect((await call(where, operator, 'POST', '/differences/compare', {})).status).toBe(200);
  const strangers = async () =>
    ((await call(where, operator, 'GET', '/imports/things')).body.rows as { id: string; name: string; state: string }[]).filter((row) => row.name === 'legacy-01');
  const ours = async () =>
    ((await call(where, clerk, 'GET', '/resources?q=legacy')).body.rows as { id: string; name: string }[]).filter((row) => row.name === 'legacy-01');

  // Beside a host that the unit has ordered, in the unit's own project.
  const request = await orderHost(portal.url, clerk, 'beside');
  await approveAll(where, request.id, 'leader.tjj');
  await expect(async () => {
    expect((await call(where, clerk, 'GET', `/requests/${request.id}`)).body.row.status).toBe('delivered');
  }).toPass({ timeout: 60_000 });
  const [beside] = await serversNamed(cloud, 'beside');
  await buildBeside(cloud, beside?.id ?? '', 'legacy-01');
  await expect(async () => {
    await compare();
    // What is still being built is not taken in.
    expect((await strangers()).map((row) => row.state)).toEqual(['running']);
  }).toPass({ timeout: 60_000, intervals: [2_000] });

  // From its difference to the list, where it is chosen.
  const [stranger] = await strangers();
  const { system } = await place(portal.url, clerk);
  await signIn(page, 'operator');
  await page.goto(`/operations/differences/${stranger?.id}`);
  await page.locator(`a[href^="/operations/import?thing="]`).click();
  await expect(page).toHaveURL(/\/operations\/import\?thing=dif_/);
  await expect(page.locator('input[name=thing]')).toBeChecked();
  await fitsTheWindow(page);
  await axeClean(page);
  await page.locator('select[name=system]').selectOption(system);
  await page.locator('button[name=do][value=pick]').click();

  // The sheet is filled in and held beside quota and prices; nothing is written yet.
  await expect(page.locator('textarea[name=rows]')).toHaveValue(/legacy-01/);
  await expect(page.locator('input[name=take]')).toBeChecked();
  await fitsTheWindow(page);
  await axeClean(page);
  expect(await ours()).toEqual([]);

  // What is wrong is said in its row, and what was typed stays.
  const sheet = await page.locator('textarea[name=rows]').inputValue();
  await page.locator('textarea[name=rows]').fill(sheet.replace('legacy-01', '9-is-no-name'));
  await page.locator('button[name=do][value=preview]').click();
  await expect(page.locator('input[name=take]')).toHaveCount(0);
  await expect(page.locator('textarea[name=rows]')).toHaveValue(/9-is-no-name/);

  // A workbook takes its place: rows and columns are told as the spreadsheet shows them, and the server
  // is found by its name. The same without scripts.
  const [, line] = sheet.split('\n').map((text) => text.trim().split(','));
  const [simulator = '', id = '', unit = '', name = ''] = line ?? [];
  const file = {
    name: 'servers.xlsx',
    mimeType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    buffer: workbook([[], ['云', '云上编号', '单位', '系统'], [simulator, 'legacy-01', '没有的单位', name], [simulator, 'legacy-01', unit, name]]),
  };
  const bare = await browser.newContext({ javaScriptEnabled: false, baseURL: portal.url, locale: 'zh-CN' });
  const plain = await bare.newPage();
  await signIn(plain, 'operator');
  await plain.goto('/operations/import');
  for (const one of [page, plain]) {
    await one.locator('input[type=file]').setInputFiles(file);
    await one.locator('button[name=do][value=preview]').click();
    await expect(one.locator('input[name=take]')).toBeChecked();
    await expect(one.locator('tr', { hasText: '第 3 行' })).toContainText('单位（C 列）');
    await expect(one.locator('tr', { hasText: '第 4 行' })).toContainText(id);
    await expect(one.locator('textarea[name=rows]')).toHaveValue(/没有的单位/);
    await fitsTheWindow(one);
  }
  await axeClean(page);
  await bare.close();
  const template = await page.request.get('/operations/import/template.xlsx');
  expect((await template.body()).subarray(0, 2).toString()).toBe('PK');

  await page.locator('textarea[name=rows]').fill(sheet);
  await page.locator('button[name=do][value=preview]').click();
  await page.locator('button[name=do][value=take]').click();
  await expect(page).toHaveURL(/\/operations\/import\/batches\/imp_/);
  await fitsTheWindow(page);
  await axeClean(page);
  const batch = page.url();

  // A round agrees, and the unit has it.
  await compare();
  await expect.poll(strangers, { timeout: 60_000 }).toEqual([]);
  const [host] = await ours();
  await signOut(page);
  await signIn(page, 'clerk');
  await page.goto(`/resources/${host?.id}`);
  await expect(page.locator('h1')).toContainText('legacy-01');
  await axeClean(page);
  await signOut(page);

  // Undone it leaves the portal; the cloud keeps it, and the next round calls it foreign.
  await signIn(page, 'operator');
  await page.goto(batch);
  await page.locator('button[name=do][value=undo]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await page.locator('input[name=confirm]').check();
  await page.locator('button[name=do][value=undo]').click();
  await expect(page.locator('button[name=do][value=undo]')).toHaveCount(0);
  expect(await ours()).toEqual([]);
  expect(await serversNamed(cloud, 'legacy-01')).toHaveLength(1);
  await compare();
  await expect.poll(async () => (await strangers()).length, { timeout: 60_000 }).toBe(1);
  await page.goto('/operations/import/batches');
  await fitsTheWindow(page);
  await axeClean(page);
});
