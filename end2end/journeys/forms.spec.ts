// Nothing typed is lost: the cart saves itself, its buttons keep what stands in it, two windows are
// told of each other, and what came back for a supplement is sent again.
import { call, session } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { axeClean, fitsTheWindow, signIn, signOut } from '../support/helpers.ts';
import { deliveredHost, orderHost, put } from '../support/order.ts';
import type { Page } from '@playwright/test';

/** A new cart with one small host in it; its address. */
async function cartOf(page: Page, name: string): Promise<string> {
  await page.goto('/drafts');
  await page.locator('button[name=do][value=new]').click();
  await expect(page).toHaveURL(/\/cart\//);
  await put(page, 'C-ECS', { name, count: '1', vcpus: '1', memory_gb: '2' });
  return page.url();
}

const title = (page: Page) => page.locator('input[name=title]');
const reason = (page: Page) => page.locator('textarea[name=reason]');

test('a cart saves itself while it is written and when it is left, and two windows are told of each other @live', async ({ page, context }, info) => {
  await signIn(page, 'clerk');
  const cart = await cartOf(page, `auto-${info.project.name.replaceAll(/[^a-z0-9]/g, '')}`);
  const said = page.locator('form#cart p[role=status]');
  const verdict = page.locator('form#cart .verdict').first();
  await expect(verdict).toContainText('标题：必填');
  await expect(verdict).toContainText('事由：必填');
  const ready = async () => {
    // The form listens when its code is there.
    await expect(async () => {
      await title(page).pressSequentially('普');
      await expect(said).toContainText('已保存', { timeout: 4_000 });
    }).toPass({ timeout: 30_000 });
  };
  await ready();
  await title(page).fill('自动保存的标题');
  await reason(page).fill('写到一半，还没有按任何按钮。');
  await expect(said).toContainText(/已保存 \d\d:\d\d/);
  // What is saved is no longer called missing, and who writes is not disturbed by it.
  await expect(verdict).not.toContainText('必填');
  await expect(reason(page)).toBeFocused();
  await expect(reason(page)).toHaveValue('写到一半，还没有按任何按钮。');
  await expect
    .poll(async () => {
      const fresh = await context.newPage();
      await fresh.goto(cart);
      const now = [await title(fresh).inputValue(), await reason(fresh).inputValue()];
      await fresh.close();
      return now;
    })
    .toEqual(['自动保存的标题', '写到一半，还没有按任何按钮。']);
  await axeClean(page);
  await fitsTheWindow(page);

  // Left in the middle of a word: the page says it on its way out.
  await reason(page).pressSequentially('最后几个字');
  await page.goto('/notices');
  await page.goto(cart);
  await expect(reason(page)).toHaveValue('写到一半，还没有按任何按钮。最后几个字');

  // Another window saves; this one does not save over it, says so, and loses nothing.
  await ready();
  const other = await context.newPage();
  await other.goto(cart);
  await title(other).fill('另一个窗口的标题');
  await other.locator('button.btn[name=do][value=save]').click();
  await expect(other.locator('.toast')).toBeVisible();
  await title(page).fill('这个窗口的标题');
  await expect(said).toContainText('在别的窗口改过');
  await other.reload();
  await expect(title(other)).toHaveValue('另一个窗口的标题');
  await page.locator('button.btn[name=do][value=save]').click();
  await expect(page.locator('.summary')).toBeVisible();
  await expect(title(page)).toHaveValue('这个窗口的标题');
  await page.locator('button.btn[name=do][value=save]').click();
  await expect(page.locator('.toast')).toBeVisible();
  await other.reload();
  await expect(title(other)).toHaveValue('这个窗口的标题');
});

test('whatever is pressed on a cart keeps what was typed, and a double click makes one request', async ({ page }, info) => {
  test.setTimeout(90_000);
  await signIn(page, 'clerk');
  const name = `keep-${info.project.name.replaceAll(/[^a-z0-9]/g, '')}`;
  const cart = await cartOf(page, name);
  await title(page).fill(`先写标题 ${name}`);
  await page.locator('button[name=do][value^="edit "]').click();
  await expect(page).toHaveURL(/\/catalogue\/C-ECS\?/);
  await expect(page.locator('input[name=name]')).toHaveValue(name);
  await page.locator('button[name=do][value=put]').first().click();
  await expect(page).toHaveURL(cart);
  await expect(title(page)).toHaveValue(`先写标题 ${name}`);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await reason(page).fill('双击提交，只生成一张申请单。');
  await page.locator('button[name=do][value=submit]').dblclick();
  await expect(page).toHaveURL(/\/requests\/./);
  await page.goto(`/requests?q=${encodeURIComponent(`先写标题 ${name}`)}`);
  await expect(page.locator('main tbody tr')).toHaveCount(1);
});

test('a release that came back is supplemented on its own page @once', async ({ page, server }) => {
  test.setTimeout(150_000);
  const where = () => server.url;
  const clerk = await session(server.url, 'clerk');
  const leader = await session(server.url, 'leader.tjj');
  await orderHost(server.url, clerk, 'back');
  const host = await deliveredHost(where, clerk, 'back');
  const made = (await call(where, clerk, 'POST', '/releases', { resources: [host.id], reason: '系统下线' })).body;
  const todos = (await call(where, leader, 'GET', '/todos')).body.rows as { step: string; request: string }[];
  const step = todos.find((todo) => todo.request === made.request)?.step ?? '';
  const card = (await call(where, leader, 'GET', `/todos/${step}`)).body;
  const returned = await call(where, leader, 'POST', `/todos/${step}/decide`, { decision: 'return', opinion: '请说明数据去向', digest: card.digest });
  expect(returned.status, JSON.stringify(returned.body)).toBe(200);

  await signIn(page, 'clerk');
  await page.goto(`/requests/${made.request}`);
  await page.getByRole('link', { name: '补正' }).click();
  await expect(page).toHaveURL(/\/requests\/release\?request=/);
  await expect(page.locator('.banner')).toContainText('请说明数据去向');
  await expect(reason(page)).toHaveValue('系统下线');
  await axeClean(page);
  await reason(page).fill('系统下线，数据已迁到新平台。');
  await page.getByRole('button', { name: '重新提交' }).click();
  await expect(page).toHaveURL(new RegExp(`/requests/${made.request}`));
  await expect(page.locator('main')).toContainText('数据已迁到新平台');
  await signOut(page);
});
