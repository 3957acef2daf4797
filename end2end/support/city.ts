// The demo city is loaded once for all journeys: half a minute, not half a minute a world.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from './server.ts';

export default async function loadCity(): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'lingbao-e2e-city-'));
  const server = await startServer(folder);
  await server.stop();
  process.env.LINGBAO_E2E_CITY = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
