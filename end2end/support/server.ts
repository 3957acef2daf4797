// The program under test: the release binary on a free loopback port, its data in a folder that
// is thrown away afterwards.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
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
}

/** The release build, unless LINGBAO_BIN names another. */
export function binary(): string {
  if (process.env.LINGBAO_BIN) return process.env.LINGBAO_BIN;
  const cache = process.env.LINGBAO_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lingbao');
  const target = process.env.CARGO_TARGET_DIR ?? join(cache, 'target');
  const path = join(target, 'release', 'lingbao');
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`make build\` first`);
  return path;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** Starts a server with the demo city; `folder` is kept when it is given, and what is in it. */
export async function startServer(folder?: string): Promise<Server> {
  const home = folder ?? mkdtempSync(join(tmpdir(), 'lingbao-e2e-'));
  // The city is loaded once by the global set-up; every server works on a copy of its own.
  const city = process.env.LINGBAO_E2E_CITY;
  if (city && !existsSync(join(home, 'data'))) cpSync(city, home, { recursive: true });
  const address = `127.0.0.1:${await freePort()}`;
  // Configuration is relative to the working folder: data/ comes to stand in it.
  const child = spawn(binary(), ['serve', '--demo', 'ningbo'], {
    cwd: home,
    env: {
      ...process.env,
      LINGBAO_SERVER__LISTEN: address,
      LINGBAO_SERVER__PUBLIC_URL: `http://${address}`,
      LEPTOS_OUTPUT_NAME: 'lingbao',
      LEPTOS_SITE_ADDR: address,
      LEPTOS_SITE_ROOT: process.env.LINGBAO_SITE ?? join(ROOT, 'target', 'site'),
      // A site of one's own (LINGBAO_SITE) is a plain folder without hashed names.
      LEPTOS_HASH_FILES: process.env.LINGBAO_SITE ? 'false' : 'true',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout?.on('data', (bytes) => (printed += bytes));
  child.stderr?.on('data', (bytes) => (printed += bytes));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://${address}`;

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    }
    if (!folder) rmSync(home, { recursive: true, force: true });
  };

  const deadline = Date.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${printed}`);
    const answer = await fetch(`${url}/sign-in`).catch(() => undefined);
    if (answer?.ok) return { url, process: child, log: () => printed, stop };
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`the server did not answer within ${START_MS / 1000} s:\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
