// Small orders over the programming interface.
import { expect } from '@playwright/test';
import { call } from './api.ts';

/** Where the form of a cloud host proposes to put it, and a system of the caller's unit. */
export async function place(url: string, cookie: string): Promise<{ cell: string; system: string }> {
  const form = await (await fetch(`${url}/catalogue/C-ECS`, { headers: { cookie } })).text();
  const cell = /<input[^>]*name="cell"[^>]*value="([^"]+)"[^>]*checked/.exec(form)?.[1] ?? '';
  const systems = (await call(() => url, cookie, 'GET', '/systems')).body.rows;
  return { cell, system: systems.find((one: { level: number }) => one.level === 2).id };
}

/** The smallest host; small enough to be approved automatically. */
export const SMALL = { arch: 'general', vcpus: '1', memory_gb: '2', image: 'debian-12', system_disk_gb: '40', access: 'password' };

/** Orders one small host; gives the request's id and number. */
export async function orderHost(url: string, cookie: string, name: string): Promise<{ id: string; number: string }> {
  const { cell, system } = await place(url, cookie);
  const draft = await call(() => url, cookie, 'POST', '/drafts', {
    head: { system, title: `主机 ${name}`, reason: '核验用的一台小规格主机，用完即退。' },
    lines: [{ item: 'C-ECS', name, cell, typed: SMALL }],
  });
  expect(draft.status, JSON.stringify(draft.body)).toBe(201);
  const { id, version } = draft.body;
  const sent = await call(() => url, cookie, 'POST', `/requests/${id}/submit`, { version });
  expect(sent.status, JSON.stringify(sent.body)).toBe(200);
  return { id, number: sent.body.number };
}
