// What the simulated cloud itself holds, read from its own log.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Servers that stand in the simulated cloud under one of these names. */
export function inTheCloud(folder: string, names: Set<string>): string[] {
  const standing = new Map<string, string>();
  const log = readFileSync(join(folder, 'data', 'simulator', 'log.jsonl'), 'utf8');
  for (const line of log.split('\n').filter(Boolean)) {
    const entry = JSON.parse(line);
    for (const { object } of entry.put ?? []) {
      if (object.kind === 'server' && names.has(object.object.spec.name)) standing.set(object.object.id, object.object.spec.name);
    }
    for (const gone of [entry.gone ?? []].flat()) standing.delete(typeof gone === 'string' ? gone : gone[1]);
  }
  return [...standing.values()].sort();
}
