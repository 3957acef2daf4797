// Nobody sees, counts or guesses another unit's rows: for every page, server function and path of
// the programming interface, a foreign id is answered like one that nothing has, and nothing of the
// bureau stands in any list, search, file or number of a stranger. The paths come from the program
// itself, so that a new one is tried from its first day.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { session, SAME } from '../support/api.ts';
import { expect, test } from '../support/fixtures.ts';
import { orderHost } from '../support/order.ts';
import { ROOT } from '../support/server.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

/** People of other units, one for each role that a unit gives. */
const STRANGERS = ['clerk.rsj', 'leader.rsj', 'clerk.djq', 'clerk.town', 'leader.town'];
/** Of the tree's other branch: an administrator of accounts sees people, but nothing of the business. */
const OTHERS = ['sysadmin', 'security', 'auditor'];

/** Stands behind a disk's id, which is what is tried. */
const SNAPSHOT = 'snp_nb_01JD3C00000000000000000000';
/** Stands behind a host's id. */
const RULE = 'acr_nb_01JD3C00000000000000000000';

/** All `.rs` files below a folder. */
function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : path.endsWith('.rs') ? [readFileSync(path, 'utf8')] : [];
  });
}

/** The server functions with the names of their arguments. */
function functions(): { path: string; args: string[] }[] {
  const found = sources(join(ROOT, 'app', 'src')).flatMap((text) => [
    ...text.matchAll(/endpoint = "([^"]+)"[^\]]*\]\s*pub async fn \w+\(([^)]*)\)/g),
  ]);
  expect(found.length, 'server functions found in the sources').toBeGreaterThan(25);
  return found.map(([, endpoint, args]) => ({
    path: `/fn/${endpoint}`,
    args: [...(args ?? '').matchAll(/(\w+)\s*:/g)].map((m) => m[1] ?? ''),
  }));
}

/** The pages, from the one list that the navigation uses. */
function pages(): string[] {
  const routes = readFileSync(join(ROOT, 'app', 'src', 'routes.rs'), 'utf8');
  const named = new Map([...routes.matchAll(/pub const (\w+): &str = "([^"]+)"/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
  const list = /pub const PATHS: &\[&str\] = &\[([\s\S]*?)\];/.exec(routes)?.[1] ?? '';
  const paths = list.split(',').map((one) => one.trim()).filter(Boolean);
  expect(paths.length).toBeGreaterThan(30);
  return paths.map((one) => (one.startsWith('"') ? one.slice(1, -1) : (named.get(one) ?? one)));
}

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
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, sample(document, inner)]));
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

/** An id of the same kind that nothing has. */
function unknown(id: string): string {
  return id.slice(0, -6) + (id.endsWith('ZZZZZZ') ? 'YYYYYY' : 'ZZZZZZ');
}

test.use({ city: 'isolation' });

test('what belongs to another unit is not there, whatever asks for it @once', async ({ server }) => {
  test.setTimeout(400_000);
  const { url } = server;
  const get = (path: string, cookie: string, accept = 'application/json') =>
    fetch(url + path, { headers: { ...SAME, cookie, accept }, redirect: 'manual' });
  const rows = async (path: string, cookie: string): Promise<Json[]> => {
    const answer = await get(`/api/v1${path}`, cookie);
    expect(answer.status, path).toBe(200);
    return ((await answer.json()) as Json).rows;
  };

  // The bureau and what it has, one of each kind.
  const clerk = await session(url, 'clerk');
  await orderHost(url, clerk, 'own');
  const requests = await rows('/requests?limit=200', clerk);
  const resources = await rows('/resources?limit=200', clerk);
  const systems = await rows('/systems', clerk);
  const drafts = await rows('/drafts', clerk);
  const notices = await rows('/notices', clerk);
  const todos = await rows('/todos', await session(url, 'leader.tjj'));
  const operator = await session(url, 'operator');
  const saga = (await rows('/sagas?state=done', operator))[0];
  const order = (await rows('/work-orders', operator))[0];
  const sysadmin = await session(url, 'sysadmin');
  const people = await rows('/users?q=clerk', sysadmin);
  const user = people.find((one: Json) => one.login === 'clerk');
  const own: Record<string, string> = {
    requests: requests[0].id, resources: resources[0].id, systems: systems[0].id, drafts: drafts[0].id,
    cart: drafts[0].id, deliveries: requests.at(-1).id, notices: notices[0].id, todo: todos[0].step, todos: todos[0].step,
    sagas: saga.id, 'work-orders': order.id, users: user.id, units: user.unit, quota: user.unit, jobs: saga.id.replace(/^sag/, 'job'),
    differences: saga.id.replace(/^sag/, 'dif'),
    imports: saga.id.replace(/^sag/, 'imp'), batches: saga.id.replace(/^sag/, 'imp'),
    tokens: notices[0].id.replace(/^[a-z]+/, 'tok'), releases: resources[0].id, usage: resources[0].id,
  };
  expect(Object.values(own).every(Boolean), JSON.stringify(own)).toBe(true);
  /** Whose id a path asks for: the word before the braces. */
  const of = (path: string) => own[/([\w-]+)\/(?:\{\w+\}|$)/.exec(path)?.[1] ?? ''] ?? '';

  const document: Json = await (await get('/api/v1/openapi.json', clerk)).json();
  const faults: string[] = [];
  let tried = 0;
  for (const login of [...STRANGERS, ...OTHERS]) {
    const cookie = await session(url, login);
    const ofSite = OTHERS.includes(login);
    const pair = async (what: string, mine: string, ask: (id: string) => Promise<Response>) => {
      const other = unknown(mine);
      const [foreign, nothing] = [await ask(mine), await ask(other)];
      const texts = [settled(await foreign.text(), [mine, other]), settled(await nothing.text(), [mine, other])];
      tried += 1;
      if (foreign.status !== nothing.status) faults.push(`${login} ${what}: ${foreign.status}, unknown ${nothing.status}`);
      else if (texts[0] !== texts[1]) faults.push(`${login} ${what}: the answers differ: ${difference(texts[0] ?? '', texts[1] ?? '')}`);
      else if (foreign.status < 400 && !what.startsWith('fn')) faults.push(`${login} ${what}: ${foreign.status}`);
    };

    // The programming interface.
    for (const [path, methods] of Object.entries<Json>(document.paths)) {
      if (!path.includes('{') || path.includes('{code}')) continue;
      const mine = of(path.replace(/\/\{(?:line|grant)\}.*/, '').replace(/(\{\w+\})\/.*/, '$1'));
      expect(mine, `an id for ${path}`).not.toBe('');
      // Administrators of accounts administer these.
      if (ofSite && /\/(users|units|quota)\//.test(path)) continue;
      // Auditors read the business of the whole site.
      if (login === 'auditor' || (login === 'security' && /\/(requests|todos|resources|systems|work-orders)/.test(path))) continue;
      for (const [method, operation] of Object.entries<Json>(methods)) {
        const schema = operation.requestBody?.content?.['application/json']?.schema;
        await pair(`${method} ${path}`, mine, (id) =>
          fetch(url + path.replace(/\{(?:line|grant)\}/, 'x').replace('{snapshot}', SNAPSHOT).replace('{rule}', RULE).replace(/\{\w+\}/, id), {
            method: method.toUpperCase(),
            headers: { ...SAME, cookie, 'content-type': 'application/json' },
            body: schema ? JSON.stringify(sample(document, schema)) : undefined,
          }));
      }
    }
    if (ofSite) continue;

    // The pages, and the functions behind them.
    for (const path of pages().filter((one) => one.includes('{') && !one.includes('{code}'))) {
      const mine = of(path.replace(/(\{\w+\})\/.*/, '$1').replace('/operations', '').replace('/admin', ''));
      expect(mine, `an id for ${path}`).not.toBe('');
      await pair(`page ${path}`, mine, (id) => get(path.replace('{snapshot}', SNAPSHOT).replace(/\{\w+\}/, id), cookie, 'text/html'));
    }
    for (const { path, args } of functions().filter((one) => one.args.some((arg) => /^(id|ids|step|unit|request)$/.test(arg)))) {
      for (const mine of new Set(Object.values(own))) {
        await pair(`fn ${path} ${mine.slice(0, 3)}`, mine, (id) =>
          fetch(url + path, {
            method: 'POST',
            headers: { ...SAME, cookie, 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams(Object.fromEntries(args.map((arg) => [arg, /^(id|ids|step|unit|request)$/.test(arg) ? id : '']))),
          }));
      }
    }

    // Nothing of the bureau in any list, search, file or number.
    const secrets = [
      ...requests.flatMap((one: Json) => [one.id, one.number]),
      ...resources.flatMap((one: Json) => [one.id, one.address]),
      ...systems.map((one: Json) => one.id),
      ...drafts.map((one: Json) => one.id),
      ...notices.map((one: Json) => one.id),
    ].filter((one): one is string => !!one);
    const lists = [
      ...Object.entries<Json>(document.paths).filter(([path, m]) => m.get && !path.includes('{')).map(([path]) => `/api/v1${path.replace('/api/v1', '')}`),
      ...pages().filter((path) => !path.includes('{')),
      '/resources.csv', '/requests.csv', '/done.csv', '/quota.csv', '/admin/audit.csv', '/operations/differences.csv', '/operations/import/template.csv', '/operations/import/template.xlsx', '/usage.csv', '/usage/units.csv',
      ...['张三', '统计', requests[0].number, resources[0].name, resources[0].address ?? '10.', 'zs'].flatMap((word) => [
        `/search?q=${encodeURIComponent(word)}`, `/api/v1/search?q=${encodeURIComponent(word)}`, `/api/v1/requests?q=${encodeURIComponent(word)}`,
        `/api/v1/resources?q=${encodeURIComponent(word)}`, `/requests?q=${encodeURIComponent(word)}`, `/resources?q=${encodeURIComponent(word)}`,
      ]),
    ];
    for (const path of lists) {
      const text = await (await get(path, cookie, path.startsWith('/api') ? 'application/json' : 'text/html')).text();
      tried += 1;
      // The words that were searched for stand in the answer again.
      const asked = decodeURIComponent(path);
      const seen = secrets.filter((one) => !asked.includes(one) && text.includes(one));
      if (seen.length > 0) faults.push(`${login} ${path} shows ${seen.slice(0, 3).join(' ')}`);
    }

    // What happens in the bureau rings at nobody else's door.
    const stream = await fetch(`${url}/events?${Object.values(own).map((id) => `t=request:${id}&t=resource:${id}`).join('&')}`, {
      headers: { cookie }, signal: AbortSignal.timeout(4_000),
    });
    const unread = async () => ((await rows('/notices?unread=true&limit=200', cookie)).length);
    const before = await unread();
    await orderHost(url, clerk, `quiet-${login.replace('.', '-')}`);
    const heard = await (async () => {
      let text = '';
      try {
        for await (const bytes of stream.body as unknown as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(bytes);
      } catch { /* the time is over */ }
      return text;
    })();
    if (/event: ?changed/.test(heard)) faults.push(`${login} hears of the bureau: ${heard}`);
    if ((await unread()) !== before) faults.push(`${login} has an unread notice of the bureau's doing`);
  }
  expect(faults.join('\n')).toBe('');
  expect(tried).toBeGreaterThan(1_000);
});
