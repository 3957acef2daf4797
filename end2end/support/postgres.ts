// A private PostgreSQL: a throw-away cluster behind a Unix socket, as scripts/postgres makes it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './server.ts';

export interface Postgres {
  url: string;
  /** The rows of a statement, a line each, with `|` between the columns. */
  rows(sql: string): string[];
  /** From now on whoever writes to a table waits, in the middle of their transaction, until the
   *  answer is called. */
  holdUp(table: string): Promise<() => void>;
  stop(): void;
}

export function startPostgres(): Postgres {
  const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-pg-'));
  const script = (act: string) =>
    execFileSync(join(ROOT, 'scripts', 'postgres'), [act], { env: { ...process.env, LINGBAO_PG_DIR: folder }, encoding: 'utf8' }).trim();
  const stop = () => void script('stop');
  try {
    const url = script('start');
    return {
      url,
      rows: (sql) => execFileSync('psql', [url, '-XAtc', sql], { encoding: 'utf8' }).split('\n').filter(Boolean),
      holdUp: async (table) => {
        const session = spawn('psql', [url, '-Xq', '-v', 'ON_ERROR_STOP=1'], { stdio: ['pipe', 'pipe', 'inherit'] });
        session.stdin.write(`BEGIN; LOCK TABLE ${table} IN SHARE MODE;\n\\echo held\n`);
        const held = await Promise.race([once(session.stdout, 'data').then(() => true), once(session, 'exit').then(() => false)]);
        if (!held) throw new Error(`${table} can't be locked`);
        return () => void session.stdin.end();
      },
      stop,
    };
  } catch (error) {
    stop();
    throw error;
  }
}
