// What the pages post, for those who try it with an id that is not theirs.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { wordsOf } from './callers.ts';
import { ROOT } from './server.ts';

/** Nobody's version: who is faster wins, and it was not this form. What is there is answered with that. */
const version = '999999';
const reason = '核验：这不是我的东西。';
const opinion = '核验：这不是我的待办。';

/** Limits of the site as they were read: each stays as it is. */
const limits = Object.fromEntries(
  [...wordsOf('quota.rs', 'Dimension').values()].flatMap((one) => [[`limit-0-${one}`, '1'], [`was-limit-0-${one}`, '1']]),
) as Record<string, string>;

/** The forms of each page that has some, whole: what is refused is refused for the thing. `{word}` is the
 *  id of a thing, and `@` another place of the same page; a page whose forms are about nothing of a unit's
 *  has none here. */
export const FORMS: Record<string, Record<string, string>[]> = {
  '/sign-in': [],
  '/sign-out': [],
  '/help/deadline': [],
  '/me': [],
  '/me/password': [],
  '/notices': [],
  '/admin/audit': [],
  '/admin/items': [],
  '/admin/items/{code}': [],
  '/admin/policies/{kind}': [],
  '/operations/differences': [],
  '/me/tokens': [{ revoke: '{revoked}' }],
  '/catalogue/{code}': [
    { do: 'try', cart: '{drafts}', name: 'foreign', count: '1', cell: '{cells}' },
    { do: 'put', cart: '{drafts}', name: 'foreign', count: '1', cell: '{cells}', version },
    { do: 'put', cart: '{drafts}', line: '{lines}', name: 'foreign', count: '1', cell: '{cells}', version },
  ],
  '/drafts': [{ do: 'discard', cart: '{drafts}', version }],
  '/cart': ['more', 'refresh', 'save', 'submit', 'resubmit', 'system', 'edit {lines} C-ECS', 'remove {lines}'].map((act) => ({ cart: '{drafts}', do: act, system: '{systems}', title: '核验', reason, version, form_id: 'tried-by-all' })),
  '/cart/{id}': [
    ...['refresh', 'save', 'submit', 'remove {lines}'].map((act) => ({ cart: '{drafts}', do: act, system: '{systems}', title: '核验', reason, version, form_id: 'tried-by-all' })),
    { '@': '/cart/system', system: '{systems}', name: '核验系统', short_name: 'foreign', level: '2', state: 'testing', contact_name: '', contact_phone: '', version },
    { '@': '/cart/system', cart: '{drafts}', name: '核验系统', short_name: 'foreign', level: '2', state: 'testing', contact_name: '核验', contact_phone: '0000-00000' },
  ],
  '/quota': [
    { child: '{quota}', pool: '{pools}', dimension: 'vcpu', amount: '1' },
    { child: '{quota}', pool: '{pools}', dimension: 'vcpu', amount: '1', act: 'take', confirm: 'yes' },
    { unit: '{quota}', do: 'limits', 'pool-0': '{pools}', ...limits },
  ],
  '/todo/{step}': ['approve', 'return', 'reject'].map((act) => ({ do: act, opinion, digest: 'none' })),
  '/requests/{id}': ['withdraw', 'confirm', 'copy'].map((act) => ({ do: act, version })),
  '/resources/{id}/snapshots/{snapshot}': [{ name: 'foreign', month: '1' }],
  '/resources/{id}/backups/{backup}': [{ name: 'foreign', month: '1' }],
  '/resources/{id}/change': ['', 'try'].map((act) => ({ do: act, what: 'renew', months: '1', reason })),
  '/resources/{id}/rules': [
    { do: 'add', protocol: 'tcp', ports: '8080', source: '10.8.0.0/24', note: '核验' },
    { do: 'remove', rule: '{rules}' },
  ],
  '/resources/{id}/reinstall': [{ do: 'reinstall', access: 'password', confirm: 'none' }],
  '/resources/{id}/bin': [{ do: 'take_back' }, { do: 'erase', confirm: 'none' }],
  '/resources/{id}': [
    ...['start', 'stop', 'restart', 'console', 'new_password', 'detach'].map((act) => ({ do: act })),
    { do: 'secret', confirm: 'yes' },
    { do: 'attach', host: '{releases}' },
    { do: 'snapshot', name: 'foreign', note: '核验' },
    { do: 'delete_snapshot', snapshot: '{dropped}' },
  ],
  '/operations/sagas/{id}': [{ do: 'retry' }, { do: 'discard', confirm: 'yes', reason }],
  '/operations/jobs': [{ do: 'retry', job: '{jobs}' }, { do: 'discard', job: '{jobs}' }],
  '/work-orders/{id}': ['take', 'tick', 'finish', 'fail'].map((act) => ({ do: act, version, note: '核验' })),
  '/operations/differences/{id}': [
    { do: 'note', note: '核验' },
    { do: 'restore', confirm_restore: 'yes', digest: 'none' },
    { do: 'follow', digest: 'none' },
    { do: 'adopt', confirm_adopt: 'yes', digest: 'none', month: '1' },
    { do: 'write_off', confirm_write_off: 'yes', reason },
    { do: 'remove', confirm: 'none' },
    { do: 'keep', digest: 'none' },
  ],
  '/operations/import': [{ do: 'pick', thing: '{differences}', system: '{systems}', cell: '{cells}', item: 'C-ECS' }],
  '/operations/import/batches/{id}': [{ do: 'undo', confirm: 'yes' }],
  '/admin/units/{id}': [{ do: 'close', version }, { do: 'open', version }],
  '/admin/units/{id}/new': [{ name: '核验的单位', short_name: '核验', level: 'township', kind: 'government' }],
  '/admin/units/{id}/edit': [{ name: '核验的单位', short_name: '核验', version }],
  '/admin/users/new': [{ unit: '{units}', login: 'foreign.form', name: '核验', phone: '', password: 'Lingbao-foreign-2026' }],
  '/admin/users/{id}/edit': [{ name: '核验', phone: '', unit: '市统计局', version }],
  '/admin/users/{id}/grant': [{ role: 'applicant', reach: 'own', on: '{units}' }],
  '/admin/users/{id}/password': [{ password: 'Lingbao-foreign-2026' }],
  '/admin/users/{id}': [{ do: 'close', version }, { do: 'open', version }, { do: 'unlock' }, { do: '', take: '{taken}' }],
  // Last: what is being given back is nobody's to change.
  '/requests/release': [{ resources: '{releases}', reason, ending: 'bin', form_id: 'tried-release' }],
};

/** What the programming interface is told where a schema alone does not say what fits. */
export const BODIES: Record<string, unknown> = {
  '/requests/{id}/resubmit': { version: 999_999 },
  '/drafts/{id}/lines/try': { line: { item: 'C-ECS', name: 'foreign', count: '1', cell: '{cells}' } },
  '/quota/{id}/hand': { pool: '{pools}', dimension: 'vcpu', amount: 1 },
  '/quota/{id}/limits': { limits: [] },
  '/requests/{id}/change': { version: 999_999, what: 'renew', typed: { months: '1' }, reason },
  '/resources/{id}/attach': { host: '{releases}' },
  '/resources/{id}/changes': { what: 'renew', typed: { months: '1' }, reason },
  '/resources/{id}/changes/try': { what: 'renew', typed: { months: '1' }, reason },
  '/todos/{step}/decide': { decision: 'approve', opinion, digest: 'none' },
  '/units/{id}/units': { name: '核验的机构', short_name: '核验', level: 'township', kind: 'government' },
  '/users/{id}': { version: 999_999, name: '核验', phone: '', unit: '{units}' },
  '/users/{id}/grants': { role: 'applicant', unit: '{units}', reach: 'own' },
  '/work-orders/{id}/act': { version: 999_999, act: 'take' },
};

/** Whose id the server functions ask for, and what else they are told. */
export const FUNCTIONS: Record<string, { kind: string; id: string; rest?: Record<string, string> }> = {
  'usage/host': { kind: 'usage', id: 'id' },
  'order/configure': { kind: 'cart', id: 'cart', rest: { code: 'C-ECS', line: '{lines}' } },
  'order/cart': { kind: 'cart', id: 'id' },
  'order/save-head': { kind: 'cart', id: 'id', rest: { version, system: '{systems}', title: '核验', reason } },
  'quota/view': { kind: 'quota', id: 'unit' },
  'approvals/card': { kind: 'todo', id: 'step' },
  'import/batch': { kind: 'batches', id: 'id' },
  'requests/releasing': { kind: 'releases', id: 'ids' },
  'requests/get': { kind: 'requests', id: 'id' },
  'requests/certificates': { kind: 'deliveries', id: 'request' },
  'operations/saga': { kind: 'sagas', id: 'id' },
  'operations/difference': { kind: 'differences', id: 'id' },
  'work-orders/one': { kind: 'work-orders', id: 'id' },
  'resources/change': { kind: 'resources', id: 'id', rest: { what: 'renew' } },
  'resources/change-try': { kind: 'resources', id: 'id', rest: { what: 'renew', typed: '{}' } },
  'resources/reinstall': { kind: 'resources', id: 'id' },
  'resources/delivery': { kind: 'deliveries', id: 'request' },
  'resources/restore': { kind: 'disks', id: 'id', rest: { snapshot: '{snapshots}' } },
  'resources/restore-backup': { kind: 'backed', id: 'id', rest: { backup: '{backups}' } },
  'resources/bin': { kind: 'resources', id: 'id' },
  'resources/detail': { kind: 'resources', id: 'id' },
  'resources/certificate': { kind: 'resources', id: 'id' },
  'resources/rules': { kind: 'resources', id: 'id' },
  'people/unit': { kind: 'units', id: 'id' },
  'people/user': { kind: 'users', id: 'id' },
  'people/users': { kind: 'units', id: 'unit', rest: { newest: 'false' } },
};

/** Lists and files that are narrowed by an id in their query, and whose id that is. */
export const QUERIES: Record<string, string> = {
  '/resources?system=': 'systems',
  '/resources.csv?system=': 'systems',
  '/api/v1/resources?system=': 'systems',
  '/cart/system?system=': 'systems',
  '/usage?unit=': 'units',
  '/usage.csv?unit=': 'units',
  '/api/v1/usage?unit=': 'units',
  '/quota?unit=': 'units',
  '/quota.csv?unit=': 'units',
  '/admin/users?unit=': 'units',
  '/api/v1/users?unit=': 'units',
  '/api/v1/units?below=': 'units',
  '/operations?resource=': 'resources',
  '/api/v1/sagas?resource=': 'resources',
  '/work-orders?who=': 'users',
  '/api/v1/work-orders?assignee=': 'users',
};

/** The server functions that ask for an id, with the names of all their arguments. */
export function functions(): Map<string, string[]> {
  const found = sources(join(ROOT, 'app', 'src')).flatMap((text) => [
    ...text.matchAll(/endpoint = "([^"]+)"[^\]]*\]\s*pub async fn \w+\(([^)]*)\)/g),
  ]);
  const all = found.map(([, endpoint = '', args]): [string, string[]] => [endpoint, [...(args ?? '').matchAll(/(\w+)\s*:/g)].map((m) => m[1] ?? '')]);
  return new Map(all.filter(([, args]) => args.some((arg) => /^(id|ids|step|unit|request|cart|line|snapshot)$/.test(arg))));
}

/** The texts of all `.rs` files below a folder. */
export function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : path.endsWith('.rs') ? [readFileSync(path, 'utf8')] : [];
  });
}

/** The pages that take a post, from the sources: `.route(PATH, page_post(…))`. */
export function posts(): string[] {
  const area = join(ROOT, 'app', 'src', 'area');
  const routes = readFileSync(join(ROOT, 'app', 'src', 'routes.rs'), 'utf8');
  const constant = (text: string, name: string) => new RegExp(`const ${name}: &str = "([^"]+)"`).exec(text)?.[1] ?? name;
  const folders = readdirSync(area, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name: folder }) => {
    const text = readFileSync(join(area, folder, 'mod.rs'), 'utf8');
    return [...text.matchAll(/\.route\(\s*("[^"]+"|[\w:]+),\s*page_post\(/g)].map(([, path = '']) => {
      if (path.startsWith('"')) return path.slice(1, -1);
      const [file = '', name = ''] = path.split('::').slice(-2);
      return constant(file === 'routes' ? routes : readFileSync(join(area, folder, `${file}.rs`), 'utf8'), name);
    });
  });
}
