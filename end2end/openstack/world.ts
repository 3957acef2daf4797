// What journeys on the lab share: a portal of its own for each, which may be killed and come back,
// and the administrator's view of the cloud.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test as base } from '@playwright/test';
import { call } from '../support/api.ts';
import type { Server } from '../support/server.ts';
import { Cloud, startPortal } from './cloud.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

/** Names differ from run to run: the lab may hold what an earlier run left. */
export const RUN = Date.now().toString(36).slice(-5);

/** The smallest host that the lab's images make. */
export const SMALL = { arch: 'general', vcpus: '1', memory_gb: '2', image: 'kylin-v10', system_disk_gb: '40', access: 'password' };

/** A portal of the demo town, its data in a folder that is thrown away. */
export class Town {
  private readonly folder = mkdtempSync(join(tmpdir(), 'lingbao-openstack-'));
  private portal: Server | undefined;

  /** `changes` are put on top of its configuration: `section.key=TOML`. */
  constructor(private readonly changes: string[] = []) {}

  /** Starts it, or starts it again on what is there already. */
  async start(): Promise<void> {
    this.portal = await startPortal(this.folder, this.changes);
  }

  /** Ends its process without a word, and starts it again. */
  async kill(): Promise<void> {
    await this.portal?.kill();
    await this.start();
  }

  /** Where it answers now. */
  readonly where = (): string => {
    if (!this.portal) throw new Error('the portal was not started');
    return this.portal.url;
  };

  async end(): Promise<void> {
    await this.portal?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Stops or starts one service of the lab. */
export function lab(act: 'stop' | 'start', part: string): void {
  execFileSync(join(HERE, 'lab'), [act, part], { stdio: 'ignore' });
}

/** Waits until a request has been fulfilled whole. */
export async function delivered(where: () => string, cookie: string, request: string, timeout = 280_000): Promise<void> {
  await expect(async () => {
    const { body } = await call(where, cookie, 'GET', `/requests/${request}`);
    expect(body.row.status).toBe('delivered');
    expect(body.row.outcome ?? 'complete').toBe('complete');
  }).toPass({ timeout, intervals: [2_000] });
}

/** As many servers of a name as were ordered, on both sides, and nothing in the project besides. */
export async function exactly(where: () => string, cookie: string, cloud: Cloud, name: string, count: number): Promise<void> {
  const servers = await cloud.servers(name);
  expect(servers.map((one) => one.status)).toEqual(Array(count).fill('ACTIVE'));
  expect(new Set(servers.map((one) => one.name)).size).toBe(count);
  const found = (await call(where, cookie, 'GET', `/resources?q=${name}&limit=200`)).body.rows;
  expect(found).toHaveLength(count);
  const project = servers[0]?.tenant_id ?? '';
  expect(await cloud.volumes(project), 'one system disk each').toHaveLength(count);
  // What the portal counts is what the cloud counts.
  const limits = await cloud.limits(project);
  expect(limits.cores?.in_use).toBe(count * Number(SMALL.vcpus));
  expect(limits.instances?.in_use).toBe(count);
}

/** Each journey has a town of its own; pages open in it. */
export const test = base.extend<{ town: Town; cloud: Cloud }>({
  cloud: async ({}, use) => use(await Cloud.open()),
  town: async ({}, use) => {
    const town = new Town();
    try {
      await town.start();
      await use(town);
    } finally {
      await town.end();
    }
  },
  baseURL: async ({ town }, use) => use(town.where()),
});
export { expect };
