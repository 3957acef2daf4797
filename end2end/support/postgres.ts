// A private PostgreSQL: a throw-away cluster behind a Unix socket, as scripts/postgres makes it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './server.ts';

export interface Postgres {
  url: string;
  /** The rows of a statement, a line each, columns between `|`. */
  rows(sql: string): string[];
  stop(): void;
}

export function startPostgres(): Postgres {
  // Short: a socket's whole path may hold 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-pg-'));
  const script = (act: string) =>
    execFileSync(join(ROOT, 'scripts', 'postgres'), [act], { env: { ...process.env, LINGBAO_PG_DIR: folder }, encoding: 'utf8' }).trim();
  const stop = () => void script('stop');
  try {
    const url = script('start');
    const rows = (sql: string) => execFileSync('psql', [url, '-XAtc', sql], { encoding: 'utf8' }).split('\n').filter(Boolean);
    return { url, rows, stop };
  } catch (error) {
    stop();
    throw error;
  }
}
