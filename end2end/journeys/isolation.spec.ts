// Nobody sees, counts or guesses another unit's rows: for every page, form, server function and path of
// the programming interface, and for every role, a foreign id is answered like one that nothing has, and
// nothing of the bureau stands in any list, search, file or number of a stranger. Whom it concerns is
// answered otherwise, or a path that refuses everybody would pass. The paths, forms and roles come from
// the program itself, so that a new one is tried from its first day.
import { call, session, SAME } from '../support/api.ts';
import { expect, portalBeside as test } from '../support/beside.ts';
import { callers, everyRole, maySee } from '../support/callers.ts';
import { buildBeside, serversNamed } from '../support/cloud.ts';
import { BODIES, FORMS, FUNCTIONS, functions, posts, QUERIES } from '../support/forms.ts';
import { orderHost, place, SMALL } from '../support/order.ts';
import { everyPath } from '../support/pages.ts';
import type { Server } from '../support/server.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

/** People of other units, for each role that a unit gives; and of the site, for each role that it gives. */
const STRANGERS = ['clerk.rsj', 'leader.rsj', 'clerk.djq', 'clerk.town', 'leader.town', 'upper'];
const OFFICE = ['reviewer', 'security', 'finance', 'leader', 'operator', 'auditor', 'sysadmin', 'secadmin', 'auditadmin'];
/** Whom the bureau's things concern. */
const CONCERNED = ['clerk', 'leader.tjj', 'operator', 'reviewer', 'sysadmin', 'secadmin'];

/** By which abilities somebody of the site sees the bureau's things of a kind; those not named here are
 *  a person's own. */
const SEEN_BY: Record<string, string[]> = {
  requests: ['ReadRequests'],
  deliveries: ['ReadRequests'],
  resources: ['ReadResources'],
  disks: ['ReadResources'],
  backed: ['ReadResources'],
  releases: ['ReadResources'],
  usage: ['ReadResources'],
  systems: ['ReadResources'],
  todo: ['ReadRequests'],
  todos: ['ReadRequests'],
  quota: ['ReadQuota'],
  sagas: ['Operate'],
  jobs: ['Operate'],
  'work-orders': ['Operate'],
  differences: ['Operate'],
  imports: ['Operate'],
  batches: ['Operate'],
  users: ['ManageUnits', 'ManageRoles'],
  units: ['ManageUnits', 'ManageRoles'],
};

/** What is only a filter, or typed beside other things: an id that nothing has is no thing to be found. */
const FILTERS = /^(fn people.users|form .operations.import )/;
/** Whom these are for is answered when something was erased: the bin's journey reads them. */
const OF_THE_ERASED = /certificate|fn resources\/bin/;

/** What the whole site has in common stands behind words, not ids: items and approval policies. */
const IN_COMMON = /\{(code|kind)\}/;

/** A body that fits a schema: what comes back is about the id, as far as the program gets. */
function sample(document: Json, schema: Json): unknown {
  if (!schema) return undefined;
  if (schema.$ref) return sample(document, document.components.schemas[schema.$ref.split('/').pop()]);
  const one = schema.oneOf ?? schema.anyOf;
  if (one) return sample(document, one.find((s: Json) => s.type !== 'null') ?? one[0]);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((s: Json) => sample(document, s)));
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type.find((t: string) => t !== 'null') : schema.type;
  if (type === 'object') {
    return Object.fromEntries(
      // Nobody's version: what is there is answered with that, and stays as it is.
      Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, name === 'version' ? 999_999 : sample(document, inner)]),
    );
  }
  if (type === 'array') return [];
  if (type === 'integer') return 1;
  if (type === 'boolean') return false;
  return '核验一下';
}

/** What may differ between two answers to the same question. */
function settled(text: string, ids: string[]): string {
  let out = text;
  for (const id of ids) out = out.replaceAll(id, 'ID').replaceAll(encodeURIComponent(id), 'ID');
  return out
    .replace(/(?:nonce|crossorigin)="[^"]*"/g, '')
    // Which pieces of code are named in the head depends on how far their list had been read.
    .replace(/<link [^>]*>/g, '')
    .replace(/"request_id":"[^"]*"/g, '')
    .replace(/\b[0-9a-f]{16,64}\b/g, 'HEX')
    .replace(/\d{4}-\d{2}-\d{2} \d{2}:\d{2}/g, 'TIME');
}

/** Where two texts part. */
function difference(one: string, two: string): string {
  let at = 0;
  while (at < one.length && one[at] === two[at]) at += 1;
  return `…${one.slice(Math.max(0, at - 60), at + 60)}… and …${two.slice(at, at + 60)}…`;
}

/** All of these, a few at a time. */
async function together<T>(all: T[], one: (each: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const hands = Array.from({ length: 4 }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await one(next);
  });
  await Promise.all(hands);
}

/** An id of the same kind that nothing has. */
function unknown(id: string): string {
  return id.slice(0, -6) + (id.endsWith('ZZZZZZ') ? 'YYYYYY' : 'ZZZZZZ');
}

test('every role, form and function is among those that are tried @once', () => {
  const tried = new Set(callers([...STRANGERS, ...OFFICE]).flatMap((one) => one.roles));
  expect([...tried].sort()).toEqual([...everyRole().values()].sort());
  expect(Object.keys(FORMS).sort()).toEqual(posts().sort());
  expect(Object.keys(FUNCTIONS).sort()).toEqual([...functions().keys()].sort());
});

/** The bureau's things, one of each kind, by the word that stands before their id in a path. */
async function things(server: Server, cloud: Server, cookies: Record<string, string>): Promise<Record<string, string>> {
  const where = () => server.url;
  const ask = async (login: string, method: string, path: string, body?: unknown): Promise<Json> => {
    const answer = await call(where, cookies[login] ?? '', method, path, body);
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    return answer.body;
  };
  const rows = async (login: string, path: string): Promise<Json[]> => (await ask(login, 'GET', path)).rows;
  const eventually = async (one: () => Promise<Json>, timeout = 60_000): Promise<Json> => {
    let found: Json;
    await expect(async () => {
      found = await one();
      expect(found).toBeTruthy();
    }).toPass({ timeout, intervals: [500] });
    return found;
  };

  const ordered = await orderHost(server.url, cookies.clerk ?? '', 'own');
  const { cell, system } = await place(server.url, cookies.clerk ?? '');
  const draft = await ask('clerk', 'POST', '/drafts', {
    head: { system, title: '核验', reason: '核验用的草稿，不提交。' },
    lines: [{ item: 'C-ECS', name: 'draft', count: '1', cell, typed: SMALL }],
  });
  const disk = (await rows('clerk', '/resources?kind=volume&state=running'))[0];
  const shown = () => ask('clerk', 'GET', `/resources/${disk.id}`);
  const snapshot = async (name: string) => {
    await eventually(async () => (await shown()).may.includes('snapshot'));
    await ask('clerk', 'POST', `/resources/${disk.id}/snapshots`, { name, note: '核验' });
    return eventually(async () => (await shown()).snapshots.find((one: Json) => one.name === name && one.state === 'ready'));
  };
  const [before, after] = [await snapshot('before'), await snapshot('after')];
  const host = await eventually(async () => (await rows('clerk', '/resources?q=own')).find((one) => one.kind === 'server' && one.name === 'own'));
  // What the cloud can do is read within a minute of the start.
  await eventually(async () => (await ask('clerk', 'GET', `/resources/${host.id}/rules`)).may);
  await ask('clerk', 'POST', `/resources/${host.id}/rules`, { protocol: 'tcp', ports: '8000', source: '10.8.0.0/24', note: '核验' });
  const rules = await eventually(async () => (await ask('clerk', 'GET', `/resources/${host.id}/rules`)).own[0]);

  // A person of the bureau who is nobody else in this journey.
  const { unit } = (await rows('sysadmin', '/users?q=clerk')).find((one) => one.login === 'clerk');
  await ask('sysadmin', 'POST', `/units/${unit}/users`, { login: 'tried', name: '核验', phone: '', password: 'Pruefung-2026-ok' });
  const user = (await rows('sysadmin', '/users?q=tried'))[0];
  for (const role of ['applicant', 'dept_leader']) await ask('secadmin', 'POST', `/users/${user.id}/grants`, { role, unit, reach: 'own' });
  const { grants } = await ask('secadmin', 'GET', `/users/${user.id}`);

  // Two servers that somebody built in the cloud: one is taken in, one stands there.
  const [beside] = await serversNamed(cloud, 'own');
  for (const name of ['taken-in', 'by-hand']) await buildBeside(cloud, beside?.id ?? '', name);
  const [taken, left] = await eventually(async () => {
    await ask('operator', 'POST', '/differences/compare', {});
    const strangers = await rows('operator', '/imports/things');
    const found = ['taken-in', 'by-hand'].map((name) => strangers.find((one) => one.name === name && one.state === 'running'));
    return found.every(Boolean) && found;
  });
  const [zone, level, pool] = cell.split('/');
  const batch = await ask('operator', 'POST', '/imports', {
    rows: [{ line: 2, cloud: 'simulator', external_id: taken.name, unit: user.unit_name, system: host.system_name, zone, level, pool, item: 'C-ECS', name: 'taken-in', expires: '', more: {}, month: null }],
  });

  // A plan makes its first backup within minutes of the start.
  const plan = (await rows('clerk', '/resources?kind=backup&state=running'))[0];
  const backup = await eventually(async () => (await ask('clerk', 'GET', `/resources/${plan.id}`)).backups.find((one: Json) => one.state === 'kept'), 180_000);

  const token = async (name: string) => (await ask('clerk', 'POST', '/tokens', { name, scope: 'read', days: 1 })).row.id as string;
  const saga = (await rows('operator', '/sagas?state=done'))[0].id;
  const { step } = (await rows('leader.tjj', '/todos'))[0];
  // What ends by the form, `dropped`, `taken` and `revoked`, has a twin that ends over the interface.
  return {
    requests: ordered.id,
    deliveries: (await rows('clerk', '/requests?status=closed'))[0].id,
    resources: host.id,
    snapshots: before.id,
    dropped: after.id,
    disks: disk.id,
    backups: backup.id,
    backed: backup.of,
    rules: rules.id,
    usage: host.id,
    // Given back on its own, so that the others stay as they are.
    releases: (await rows('clerk', '/resources?kind=server&state=running')).find((one) => ![host.name, 'taken-in'].includes(one.name)).id,
    systems: system,
    drafts: draft.id,
    cart: draft.id,
    lines: draft.lines[0].line.id,
    cells: cell,
    pools: pool ?? '',
    notices: (await rows('clerk', '/notices'))[0].id,
    todo: step,
    todos: step,
    tokens: await token('one'),
    revoked: await token('other'),
    sagas: saga,
    jobs: (await rows('operator', '/jobs?state=done'))[0].id,
    'work-orders': (await rows('operator', '/work-orders'))[0].id,
    differences: left.id,
    imports: batch.batch?.id ?? batch.id,
    batches: batch.batch?.id ?? batch.id,
    users: user.id,
    grants: grants[0].id,
    taken: grants[1].id,
    units: unit,
    quota: unit,
  };
}

/** One thing to ask for, with one id that is the bureau's or nobody's. */
interface Case {
  what: string;
  /** The word of the thing. */
  kind: string;
  mine: string;
  reads: boolean;
  ask: (id: string, cookie: string) => Promise<Response>;
}

/** All that can be asked for. */
function cases(url: string, document: Json, own: Record<string, string>): Case[] {
  const found: Case[] = [];
  const filled = (text: string) => text.replaceAll(/\{([\w-]+)\}/g, (all, word: string) => own[word] ?? all);
  /** The path with the id in the place of its thing, and what else it names filled in. */
  const at = (path: string): { kind: string; mine: string; of: (id: string) => string } => {
    const bare = path.replace(/^\/(?:operations|admin)(?=\/)/, '').replace('/import/', '/');
    const kind = /([\w-]+)\/\{\w+\}/.exec(bare)?.[1] ?? '';
    // Snapshots are of a disk, a backup of what was backed up, everything else is a host's.
    const ofCopy = path.includes('snapshot') ? own.disks : path.includes('{backup}') ? own.backed : undefined;
    const mine = ofCopy ?? own[kind] ?? '';
    const of = (id: string) =>
      path.replace(/\{\w+\}/, id).replace('{line}', own.lines ?? '').replace('{grant}', own.grants ?? '').replace('{snapshot}', own.snapshots ?? '').replace('{backup}', own.backups ?? '').replace('{rule}', own.rules ?? '').replace('{code}', 'C-ECS');
    return { kind, mine, of };
  };

  for (const [path, methods] of Object.entries<Json>(document.paths)) {
    if (!path.includes('{') || IN_COMMON.test(path)) continue;
    const { kind, mine, of } = at(path);
    for (const [method, operation] of Object.entries<Json>(methods)) {
      const schema = operation.requestBody?.content?.['application/json']?.schema;
      const told = method === 'get' || method === 'delete' ? undefined : BODIES[path.replace('/api/v1', '')];
      const body = schema ? filled(JSON.stringify(told ?? sample(document, schema))) : undefined;
      found.push({
        what: `${method} ${path}`, kind, mine, reads: method === 'get',
        ask: (id, cookie) => fetch(url + of(id), { method: method.toUpperCase(), headers: { ...SAME, cookie, 'content-type': 'application/json' }, body }),
      });
    }
  }
  for (const path of everyPath().filter((one) => one.includes('{') && !IN_COMMON.test(one))) {
    const { kind, mine, of } = at(path);
    found.push({
      what: `page ${path}`, kind, mine, reads: true,
      ask: (id, cookie) => fetch(url + of(id), { headers: { ...SAME, cookie, accept: 'text/html' }, redirect: 'manual' }),
    });
  }
  for (const [path, forms] of Object.entries(FORMS)) {
    for (const { '@': place, ...form } of forms) {
      const named = place || !path.includes('{') || IN_COMMON.test(path) ? undefined : at(path);
      const kind = named?.kind ?? /\{([\w-]+)\}/.exec(Object.values(form).join(' '))?.[1] ?? '';
      // A snapshot is a disk's, everything else of a resource a host's.
      const mine = (Object.values(form).includes('{dropped}') ? own.disks : (named?.mine ?? own[kind])) ?? '';
      const to = named?.of ?? (() => place ?? path.replace('{code}', 'C-ECS'));
      found.push({
        what: `form ${place ?? path} ${JSON.stringify(form)}`, kind, mine, reads: false,
        ask: (id, cookie) => {
          const typed = Object.entries(form).map(([name, value]): [string, string] => [name, filled(value).replaceAll(mine, id)]);
          return fetch(url + to(id), { method: 'POST', redirect: 'manual', headers: { ...SAME, cookie, accept: 'text/html' }, body: new URLSearchParams(typed) });
        },
      });
    }
  }
  const args = functions();
  for (const [path, { kind, id: main, rest = {} }] of Object.entries(FUNCTIONS)) {
    found.push({
      what: `fn ${path}`, kind, mine: own[kind] ?? '', reads: true,
      ask: (id, cookie) => {
        const typed = (args.get(path) ?? []).map((arg): [string, string] => [arg, arg === main ? id : filled(rest[arg] ?? '')]);
        return fetch(`${url}/fn/${path}`, { method: 'POST', headers: { ...SAME, cookie }, body: new URLSearchParams(typed) });
      },
    });
  }
  return found;
}

test('what belongs to another unit is not there, whatever asks for it @once', async ({ portal: server, cloud }) => {
  test.setTimeout(400_000);
  const { url } = server;
  const get = (path: string, cookie: string, accept = 'application/json') => fetch(url + path, { headers: { ...SAME, cookie, accept }, redirect: 'manual' });
  const rows = async (path: string, cookie: string): Promise<Json[]> => {
    const answer = await get(`/api/v1${path}`, cookie);
    expect(answer.status, path).toBe(200);
    return ((await answer.json()) as Json).rows;
  };
  const cookies: Record<string, string> = {};
  for (const login of [...CONCERNED, ...STRANGERS, ...OFFICE]) cookies[login] ??= await session(url, login);
  const cookie = (login: string) => cookies[login] ?? '';

  const own = await things(server, cloud, cookies);
  const document: Json = await (await get('/api/v1/openapi.json', cookie('clerk'))).json();
  const all = cases(url, document, own);
  for (const one of all) expect(one.mine, `an id for ${one.what}`).toMatch(/\w/);

  const faults: string[] = [];
  /** Pairs of answers that were 404 both, and those that were 403 both. */
  let [absent, forbidden] = [0, 0];
  const gone = (status: number) => status === 404 || status === 403;
  const pair = async (login: string, what: string, mine: string, ask: (id: string) => Promise<Response>, again = 5): Promise<void> => {
    const other = unknown(mine);
    const [foreign, nothing] = await Promise.all([ask(mine), ask(other)]);
    // The parts of a page come in the order in which they are ready, and in as many scripts as were
    // needed; which were still awaited when the first was written is chance too.
    const parts = (text: string) => [...new Set(settled(text, [mine, other]).replace(/__PENDING_RESOURCES=\[[\d,]*\];/, '').split(/(?=__RESOLVED_RESOURCES\[)|(?=<\/?script)/))].sort().join('\n');
    const texts = [parts(await foreign.text()), parts(await nothing.text())];
    if (texts[0] !== texts[1] && again > 0) return pair(login, what, mine, ask, again - 1);
    if (foreign.status !== nothing.status) faults.push(`${login} ${what}: ${foreign.status}, unknown ${nothing.status}`);
    else if (texts[0] !== texts[1]) faults.push(`${login} ${what}: the answers differ: ${difference(texts[0] ?? '', texts[1] ?? '')}`);
    // What is refused for what was typed proves nothing about the id.
    else if (!gone(foreign.status)) faults.push(`${login} ${what}: ${foreign.status}`);
    if (foreign.status === 404) absent += 1;
    else forbidden += 1;
  };

  const strangers = callers(STRANGERS);
  for (const caller of [...strangers, ...callers(OFFICE)]) {
    await together(all, async ({ what, kind, mine, reads, ask }) => {
      const asked = (id: string) => ask(id, cookie(caller.login));
      if (!maySee(caller, SEEN_BY[kind] ?? [])) return pair(caller.login, what, mine, asked);
      // Theirs to see. What they may do with it is the rules' of each act; an auditor does nothing with it.
      const nothing = await asked(unknown(mine));
      if (!gone(nothing.status) && !FILTERS.test(what)) faults.push(`${caller.login} ${what}: unknown ${nothing.status}`);
      const plain = /^get \/api\/v1\/[\w-]+\/\{\w+\}$/.test(what);
      if (!plain && caller.login !== 'auditor') return;
      const { status } = await asked(mine);
      if (plain ? status !== 200 : !reads && status < 400) faults.push(`${caller.login} ${what}: ${status}, theirs to see`);
    });
  }

  // Nor is it there beside what is one's own: in a form about a thing of the stranger's.
  const stranger = cookie('clerk.rsj');
  const theirs = (await rows('/resources?kind=server&state=running', stranger))[0].id as string;
  const made = await fetch(`${url}/drafts`, { method: 'POST', redirect: 'manual', headers: { ...SAME, cookie: stranger }, body: new URLSearchParams({ do: 'new' }) });
  const cart = made.headers.get('location')?.split('/').pop() ?? '';
  const beside: [string, string, (id: string) => Record<string, string>][] = [
    ['/requests/release', 'releases', (id) => ({ resources: `${theirs},${id}`, reason: '核验：其中一台不是我的。', ending: 'bin', form_id: 'tried-beside' })],
    [`/resources/${theirs}/change`, 'requests', (id) => ({ what: 'renew', months: '1', reason: '核验：这不是我的申请。', request: id, version: '1', form_id: 'tried-again' })],
    ['/catalogue/C-ECS', 'lines', (id) => ({ do: 'put', cart, line: id, name: 'foreign', count: '1', cell: own.cells ?? '', version: '1' })],
    ['/fn/order/configure', 'lines', (id) => ({ code: 'C-ECS', cart, line: id })],
  ];
  for (const [path, kind, typed] of beside) {
    await pair('clerk.rsj', `${path} beside one's own`, own[kind] ?? '', (id) =>
      fetch(url + path, { method: 'POST', redirect: 'manual', headers: { ...SAME, cookie: stranger, accept: 'text/html' }, body: new URLSearchParams(typed(id)) }));
  }

  // Nothing of the bureau in any list, search, file or number.
  const requests = await rows('/requests?limit=200', cookie('clerk'));
  const resources = await rows('/resources?limit=200', cookie('clerk'));
  const secrets = [
    ...requests.flatMap((one) => [one.id, one.number]),
    ...resources.flatMap((one) => [one.id, one.address]),
    ...(await rows('/systems', cookie('clerk'))).map((one) => one.id),
    ...(await rows('/drafts', cookie('clerk'))).map((one) => one.id),
    ...(await rows('/notices', cookie('clerk'))).map((one) => one.id),
  ].filter((one): one is string => !!one);
  const lists = [
    ...Object.entries<Json>(document.paths).filter(([path, m]) => m.get && !path.includes('{')).map(([path]) => path),
    ...everyPath().filter((path) => !path.includes('{')),
    '/resources.csv', '/requests.csv', '/done.csv', '/quota.csv', '/admin/audit.csv', '/operations/differences.csv', '/operations/import/template.csv', '/operations/import/template.xlsx', '/usage.csv', '/usage/units.csv',
    ...['张三', '统计', requests[0].number, resources[0].name, resources[0].address ?? '10.', 'zs'].flatMap((word) => [
      `/search?q=${encodeURIComponent(word)}`, `/api/v1/search?q=${encodeURIComponent(word)}`, `/api/v1/requests?q=${encodeURIComponent(word)}`,
      `/api/v1/resources?q=${encodeURIComponent(word)}`, `/requests?q=${encodeURIComponent(word)}`, `/resources?q=${encodeURIComponent(word)}`,
    ]),
  ];
  const shows = (login: string, what: string, text: string, asked: string) => {
    // The words that were searched for stand in the answer again.
    const seen = secrets.filter((one) => !asked.includes(one) && text.includes(one));
    if (seen.length > 0) faults.push(`${login} ${what} shows ${seen.slice(0, 3).join(' ')}`);
  };
  for (const { login } of strangers) {
    await together(lists, async (path) => {
      const text = await (await get(path, cookie(login), path.startsWith('/api') ? 'application/json' : 'text/html')).text();
      shows(login, path, text, decodeURIComponent(path));
    });
  }

  // Nor is a list narrowed by a foreign id another one than by an id that nothing has.
  const narrowed = Object.entries<Json>(document.paths).flatMap(([path, { get: read }]) =>
    (read?.parameters ?? []).filter((one: Json) => one.in === 'query' && /^(system|unit|below|resource|user|assignee|vdc|pool)$/.test(one.name)).map((one: Json) => `${path}?${one.name}=`));
  expect(narrowed.length).toBeGreaterThan(2);
  expect(narrowed.filter((one: string) => !(one in QUERIES)), 'queries that name a thing').toEqual([]);
  for (const { login } of strangers) {
    await together(Object.entries(QUERIES), async ([path, kind]) => {
      const mine = own[kind] ?? '';
      const other = unknown(mine);
      const accept = path.startsWith('/api') ? 'application/json' : 'text/html';
      const [foreign, nothing] = await Promise.all([get(path + mine, cookie(login), accept), get(path + other, cookie(login), accept)]);
      const [text, empty] = await Promise.all([foreign.text(), nothing.text()]);
      if (foreign.status !== nothing.status) faults.push(`${login} ${path}: ${foreign.status}, unknown ${nothing.status}`);
      shows(login, path, text, mine);
      // The parts of a page come in no order of their own.
      if (/^\/api|\.csv/.test(path) && settled(text, [mine, other]) !== settled(empty, [mine, other])) faults.push(`${login} ${path}: the answers differ`);
    });
  }

  // What happens in the bureau rings at the bureau's door, or silence would prove nothing, and at nobody else's.
  const unread = (login: string) => rows('/notices?unread=true&limit=200', cookie(login));
  const topics = Object.values(own).map((id) => `t=request:${id}&t=resource:${id}`).join('&');
  const listen = (login: string) => fetch(`${url}/events?${topics}`, { headers: { cookie: cookie(login) }, signal: AbortSignal.timeout(6_000) });
  const heardFrom = async (stream: Response): Promise<string> => {
    let heard = '';
    try {
      for await (const bytes of stream.body as unknown as AsyncIterable<Uint8Array>) heard += new TextDecoder().decode(bytes);
    } catch { /* the time is over */ }
    return heard;
  };
  const doors = strangers.map(async ({ login }) => ({ login, stream: await listen(login), before: (await unread(login)).length }));
  const open = await Promise.all(doors);
  const concerned = await listen('clerk');
  await orderHost(url, cookie('clerk'), 'quiet');
  const rung = heardFrom(concerned);
  await Promise.all(open.map(async ({ login, stream, before }) => {
    const heard = await heardFrom(stream);
    if (/event: ?changed/.test(heard)) faults.push(`${login} hears of the bureau: ${heard}`);
    if ((await unread(login)).length !== before) faults.push(`${login} has an unread notice of the bureau's doing`);
  }));
  if (!/event: ?changed/.test(await rung)) faults.push(`the clerk hears nothing of the own bureau: ${await rung}`);

  // Whom it concerns is answered otherwise with the very same words, and told of an id that nothing has
  // that it is not there: so it was the id that the others were refused for. What ends things comes last.
  const order = (one: Case) => (one.reads ? 0 : one.what.startsWith('delete') ? 2 : 1);
  for (const { what, mine, ask } of [...all].sort((one, other) => order(one) - order(other))) {
    const told: string[] = [];
    let answered = false;
    for (const login of CONCERNED) {
      const nothing = await ask(unknown(mine), cookie(login));
      const answer = await ask(mine, cookie(login));
      told.push(`${login} ${answer.status}/${nothing.status}`);
      answered = !gone(answer.status) && (gone(nothing.status) || FILTERS.test(what));
      if (answered) break;
    }
    if (!answered && !OF_THE_ERASED.test(what)) faults.push(`${what} refuses everybody: ${told.join(', ')}`);
  }
  expect(faults.join('\n')).toBe('');
  expect(absent, `pairs that were not there, beside ${forbidden} that were forbidden`).toBeGreaterThan(1_000);
});
