// The simulated cloud: in a process of its own, for several copies of the portal, and what it holds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, launch, type Server, type Settings } from './server.ts';

/** Starts the cloud of the folder; it takes orders of failures. */
export async function startCloud(folder: string, settings: Settings = {}): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  return launch(folder, ['simulator', '--control', '--listen', address], `http://${address}`, '/', settings);
}

/** Lets each call take so long; 0 ends it. */
export async function slow(cloud: Server, ms: number): Promise<void> {
  const tell = async (path: string, body: object = {}) => {
    const answer = await fetch(cloud.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  };
  if (!ms) return tell('/control/clear');
  for (const on of ['any_call', 'reading']) await tell('/control/faults', { on, what: { slow: { ms } }, times: null });
}

/** Lets a copy of the portal use that cloud instead of one inside itself. */
export function inCloud(cloud: Server): Settings {
  return { LINGBAO_BACKENDS__SIMULATOR__KIND: 'remote-simulator', LINGBAO_BACKENDS__SIMULATOR__URL: cloud.url };
}

/** Servers that stand in the simulated cloud under one of these names, read from its own log. */
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

interface Listed {
  objects: { kind: string; object: { id: string; power: string; spec: { name: string } } }[];
  next: string | null;
}

async function tell(cloud: Server, path: string, body: object): Promise<unknown> {
  const answer = await fetch(cloud.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** The servers of a name as the cloud itself tells them. */
export async function serversNamed(cloud: Server, name: string): Promise<{ id: string; power: string }[]> {
  const found = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { Ok: page } = (await tell(cloud, '/v1/ask', { ask: 'list', project: null, cursor: cursor || null })) as { Ok: Listed };
    for (const { kind, object } of page.objects) if (kind === 'server' && object.spec.name === name) found.push({ id: object.id, power: object.power });
    cursor = page.next;
  }
  return found;
}

/** Deletes a server behind the portal's back. */
export async function destroy(cloud: Server, server: string): Promise<void> {
  await tell(cloud, '/v1/execute', { op: `by-hand-${server}`, call: { call: 'delete_server', server } });
}

/** Lets somebody in to a server behind the portal's back: beside its preset these rules and no others. */
export async function letIn(cloud: Server, server: string, rules: { protocol: string; ports: { from: number; to: number } | null; source: string }[]): Promise<void> {
  await tell(cloud, '/v1/execute', { op: `by-hand-rules-${server}-${rules.length}`, call: { call: 'set_server_rules', server, rules } });
}

/** What comes in to a server beside its preset, as the cloud itself tells it. */
export async function comesIn(cloud: Server, server: string): Promise<unknown[]> {
  const { Ok: told } = (await tell(cloud, '/v1/ask', { ask: 'rules', server })) as { Ok: { rules: unknown[] } };
  return told.rules;
}

/** Lets the cloud have no address left after so many. */
export async function addressesRunOut(cloud: Server, after: number): Promise<void> {
  await tell(cloud, '/control/faults', { on: { call: 'allocate_address' }, what: { refuse: 'no_address' }, skip: after, times: null });
}

/** Lets the cloud answer nobody, until it is told to again. */
export async function silent(cloud: Server, yes: boolean): Promise<void> {
  if (!yes) return void (await tell(cloud, '/control/clear', {}));
  for (const on of ['any_call', 'reading']) await tell(cloud, '/control/faults', { on, what: 'unreachable', times: null });
}

/** Builds a server behind the portal's back, beside another one and of its size. */
export async function buildBeside(cloud: Server, beside: string, name: string): Promise<void> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { Ok: page } = (await tell(cloud, '/v1/ask', { ask: 'list', project: null, cursor: cursor || null })) as { Ok: Listed };
    const found = page.objects.find(({ kind, object }) => kind === 'server' && object.id === beside);
    if (found) return void (await tell(cloud, '/v1/execute', { op: `by-hand-${name}`, call: { call: 'create_server', spec: { ...found.object.spec, name } } }));
    cursor = page.next;
  }
  throw new Error(`no server ${beside}`);
}
