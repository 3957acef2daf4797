// Orders: by page, and small ones over the programming interface.
import { expect, type Page } from '@playwright/test';
import { call, session } from './api.ts';

/** Where the form of a cloud host proposes to put it, and a system of the caller's unit. */
export async function place(url: string, cookie: string): Promise<{ cell: string; system: string }> {
  const form = await (await fetch(`${url}/catalogue/C-ECS`, { headers: { cookie } })).text();
  const cell = /<input[^>]*name="cell"[^>]*value="([^"]+)"[^>]*checked/.exec(form)?.[1] ?? '';
  const systems = (await call(() => url, cookie, 'GET', '/systems')).body.rows;
  return { cell, system: systems.find((one: { level: number }) => one.level === 2).id };
}

/** The smallest host; small enough to be approved automatically. */
export const SMALL = { arch: 'general', vcpus: '1', memory_gb: '2', image: 'debian-12', system_disk_gb: '40', access: 'password' };

/** A line of an order; what hangs on another line names it by `#` and its number, from 1. */
export interface Line {
  item: string;
  name: string;
  count?: string;
  typed: Record<string, string>;
  /** Where it is to stand; where the form proposes it unless that is said. */
  cell?: string;
}

/** Submits one request for these lines; gives its id and number. */
export async function order(where: () => string, cookie: string, name: string, lines: Line[]): Promise<{ id: string; number: string }> {
  const { cell, system } = await place(where(), cookie);
  const draft = await call(where, cookie, 'POST', '/drafts', {
    head: { system, title: `主机 ${name}`, reason: '核验用的小规格主机，用完即退。' },
    lines: lines.map((line) => ({ cell, ...line })),
  });
  expect(draft.status, JSON.stringify(draft.body)).toBe(201);
  const { id, version } = draft.body;
  const sent = await call(where, cookie, 'POST', `/requests/${id}/submit`, { version });
  expect(sent.status, JSON.stringify(sent.body)).toBe(200);
  return { id, number: sent.body.number };
}

/** Orders one small host; gives the request's id and number. */
export function orderHost(url: string, cookie: string, name: string): Promise<{ id: string; number: string }> {
  return order(() => url, cookie, name, [{ item: 'C-ECS', name, typed: SMALL }]);
}

/** Puts an item into the cart by its form; with `target`, attached to the first host that the form offers. */
export async function put(page: Page, code: string, fields: Record<string, string> = {}, target = false): Promise<void> {
  await page.goto(`/catalogue/${code}`);
  for (const [name, value] of Object.entries(fields)) await page.locator(`[name="${name}"]`).first().fill(value);
  if (target) await page.locator('select[name=attach_to]').selectOption({ index: 1 });
  await page.locator('button[name=do][value=put]').first().click();
  await expect(page).toHaveURL(/\/cart\//);
}

/** By page, signed in as a clerk: one small host of a name, with a block disk of `disk` GB on it
 *  unless that is 0; everybody approves. Gives the request's id. */
export async function orderByPage(page: Page, where: () => string, name: string, title: string, reason: string, disk: number): Promise<string> {
  await page.goto('/drafts');
  await page.locator('button[name=do][value=new]').click();
  await expect(page).toHaveURL(/\/cart\//);
  await put(page, 'C-ECS', { name, count: '1', vcpus: '1', memory_gb: '2' });
  if (disk > 0) await put(page, 'S-EVS', { size_gb: String(disk) }, true);
  await page.locator('select[name=system]').selectOption({ index: 1 });
  await page.locator('input[name=title]').fill(`${title} ${name}`);
  await page.locator('textarea[name=reason]').fill(reason);
  await page.locator('button[name=do][value=submit]').click();
  await expect(page).toHaveURL(/\/requests\//);
  const request = page.url().split('/').pop() ?? '';
  await approveAll(where, request, 'leader.tjj');
  return request;
}

/** A host as lists tell it. */
export interface Host {
  id: string;
  name: string;
  kind: string;
  system_name: string;
}

/** Waits until the host of a name is there. */
export async function deliveredHost(where: () => string, cookie: string, name: string): Promise<Host> {
  let found: Host | undefined;
  await expect(async () => {
    const { body } = await call(where, cookie, 'GET', `/resources?q=${name}&limit=200`);
    found = (body.rows as Host[]).find((row) => row.kind === 'server' && row.name === name);
    expect(found).toBeTruthy();
  }).toPass({ timeout: 60_000 });
  return found!;
}

/** Waits until a disk hangs on a host. */
export async function hungDisk(where: () => string, cookie: string, host: string): Promise<{ id: string; name: string }> {
  let disk: { id: string; name: string } | undefined;
  await expect(async () => {
    disk = (await call(where, cookie, 'GET', `/resources/${host}`)).body.attachments[0];
    expect(disk).toBeTruthy();
  }).toPass({ timeout: 60_000 });
  return disk!;
}

/** Submits one request for so many hosts of a name; gives its id. */
export async function orderHosts(where: () => string, cookie: string, name: string, count: number, typed: Record<string, string>): Promise<string> {
  return (await order(where, cookie, name, [{ item: 'C-ECS', name, count: String(count), typed }])).id;
}

/** Everybody whose turn it is approves; gives the moment (`Date.now()`) just before the last of them
 *  did, or that of the call when nobody had to. `cookies` keeps the sessions from one call to the next. */
export async function approveAll(where: () => string, request: string, leader: string, cookies: Record<string, string> = {}): Promise<number> {
  let last = Date.now();
  for (const login of [leader, 'reviewer', 'security', 'finance', 'leader']) {
    cookies[login] ??= await session(where(), login);
    const cookie = cookies[login];
    const todos = (await call(where, cookie, 'GET', '/todos')).body.rows as { step: string; request: string }[];
    for (const one of todos.filter((todo) => todo.request === request)) {
      const card = (await call(where, cookie, 'GET', `/todos/${one.step}`)).body;
      last = Date.now();
      const done = await call(where, cookie, 'POST', `/todos/${one.step}/decide`, { decision: 'approve', opinion: '同意', digest: card.digest });
      expect(done.status, JSON.stringify(done.body)).toBe(200);
    }
  }
  return last;
}
