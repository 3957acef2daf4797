// The program under test: the release binary on a free loopback port, its data in a folder that
// is thrown away afterwards.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Loading the demo city on the first start is part of it. */
const START_MS = 300_000;
const STOP_MS = 15_000;

export interface Server {
  url: string;
  /** The process, for journeys that kill it. */
  process: ChildProcess;
  /** All that it has printed so far. */
  log(): string;
  stop(): Promise<void>;
  /** Ends it without a word, and waits until it has gone: until then it holds its database. */
  kill(): Promise<void>;
}

/** What one process has otherwise than the defaults: `LINGBAO_SECTION__KEY`. */
export type Settings = Record<string, string>;

/** A simulated cloud that is quicker than the default, and not so quick that nothing is ever under way:
 *  for journeys that wait for what it makes, and not for those that kill or freeze somebody meanwhile. */
export const QUICK: Settings = {
  LINGBAO_BACKENDS__SIMULATOR__LATENCY__BUILD_SERVER_MS: '2000',
  LINGBAO_BACKENDS__SIMULATOR__LATENCY__CHANGE_SERVER_MS: '1000',
  LINGBAO_BACKENDS__SIMULATOR__LATENCY__OTHER_MS: '500',
  LINGBAO_BACKENDS__SIMULATOR__LATENCY__JITTER_PERCENT: '30',
};

/** The release build, unless LINGBAO_BIN names another. */
export function binary(): string {
  if (process.env.LINGBAO_BIN) return process.env.LINGBAO_BIN;
  const cache = process.env.LINGBAO_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lingbao');
  const target = process.env.CARGO_TARGET_DIR ?? join(cache, 'target');
  const path = join(target, 'release', 'lingbao');
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`make build\` first`);
  return path;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** Starts a command of the program and waits until it answers on a path of `url`. Configuration is
 *  relative to the folder: data/ comes to stand in it. */
export async function launch(folder: string, args: string[], url: string, path: string, settings: Settings): Promise<Server> {
  const child = spawn(binary(), args, { cwd: folder, env: { ...process.env, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  child.stdout?.on('data', (bytes) => (printed += bytes));
  child.stderr?.on('data', (bytes) => (printed += bytes));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));

  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  };

  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };

  const deadline = Date.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${args[0]} ended with ${child.exitCode}:\n${printed}`);
    const answer = await fetch(url + path).catch(() => undefined);
    if (answer && answer.status < 500) return { url, process: child, log: () => printed, stop, kill };
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`${args[0]} did not answer within ${START_MS / 1000} s:\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Puts a copy of the demo city into a folder that has none yet: it is loaded once, by the global
 *  set-up, and every server works on a copy of its own. */
export function copyCity(folder: string): void {
  const city = process.env.LINGBAO_E2E_CITY;
  if (city && !existsSync(join(folder, 'data'))) cpSync(city, folder, { recursive: true });
}

/** Starts a server with the demo city; `folder` is kept when it is given, and what is in it. */
export async function startServer(folder?: string, settings: Settings = {}): Promise<Server> {
  const home = folder ?? mkdtempSync(join(tmpdir(), 'lingbao-e2e-'));
  copyCity(home);
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const server = await launch(home, ['serve', '--demo', 'ningbo'], url, '/sign-in', {
    LINGBAO_SERVER__LISTEN: address,
    LINGBAO_SERVER__PUBLIC_URL: url,
    LEPTOS_OUTPUT_NAME: 'lingbao',
    LEPTOS_SITE_ADDR: address,
    LEPTOS_SITE_ROOT: process.env.LINGBAO_SITE ?? join(ROOT, 'target', 'site'),
    // A site of one's own (LINGBAO_SITE) is a plain folder without hashed names.
    LEPTOS_HASH_FILES: process.env.LINGBAO_SITE ? 'false' : 'true',
    ...settings,
  });
  const stop = async () => {
    await server.stop();
    if (!folder) rmSync(home, { recursive: true, force: true });
  };
  return { ...server, stop };
}
