// The pages, by the people who use them; which there are, the program itself says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './server.ts';

/** Every page with its parameters in braces, from the one list that the navigation uses too. */
export function everyPath(): string[] {
  const routes = readFileSync(join(ROOT, 'app', 'src', 'routes.rs'), 'utf8');
  const named = new Map([...routes.matchAll(/pub const (\w+): &str = "([^"]+)"/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
  const list = /pub const PATHS: &\[&str\] = &\[([\s\S]*?)\];/.exec(routes)?.[1] ?? '';
  const paths = list.split(',').map((one) => one.trim()).filter(Boolean);
  if (paths.length < 30) throw new Error('the list of pages in app/src/routes.rs was not found');
  return paths.map((one) => (one.startsWith('"') ? one.slice(1, -1) : (named.get(one) ?? one)));
}

export const PAGES: Record<string, string[]> = {
  clerk: ['/', '/catalogue', '/catalogue/C-ECS', '/catalogue/S-EVS', '/catalogue/M-MIG', '/cart', '/cart/system', '/drafts', '/requests', '/resources', '/resources?state=recycled&sort=erase', '/usage', '/usage/units', '/quota', '/notices', '/me', '/me/password', '/me/tokens', '/search?q=web', '/help', '/help/deadline', '/kit'],
  'leader.tjj': ['/', '/todo', '/done', '/quota'],
  reviewer: ['/todo', '/done', '/overview', '/admin/items', '/admin/items/C-ECS', '/admin/items/C-ECS?as=content', '/admin/policies', '/admin/policies/new', '/admin/policies/change', '/admin/policies/new?as=form', '/admin/policies/new?as=paper', '/quota'],
  finance: ['/admin/items/C-ECS', '/admin/items/C-ECS?as=price', '/admin/items/N-EIP?as=price'],
  operator: ['/operations', '/operations?state=done', '/operations?request=NB-20260101-0001&kind=build', '/operations/jobs', '/operations/jobs?state=done', '/operations/jobs?request=NB-20260101-0001&kind=saga.advance', '/operations/clouds', '/operations/clouds?limits=kept', '/operations/differences', '/operations/differences?past=yes&kind=changed', '/operations/import', '/operations/import/batches', '/work-orders', '/work-orders?who=me', '/help/deadline', '/overview'],
  leader: ['/overview', '/usage', '/usage/units', '/todo'],
  auditor: ['/admin/audit'],
  sysadmin: ['/admin/units', '/admin/users', '/admin/users/new'],
  secadmin: ['/admin/users'],
};

/** Pages of one thing: the first row of a list of the programming interface, as `{id}` or another of its
 *  columns. */
export const OF_ONE: Record<string, Record<string, string[]>> = {
  clerk: {
    '/requests': ['/requests/{id}', '/requests/{id}/print'],
    '/requests?status=closed': ['/deliveries/{id}'],
    '/drafts': ['/cart/{id}'],
    '/resources?kind=server&state=running': ['/resources/{id}', '/resources/{id}/rules', '/resources/{id}/reinstall', '/resources/{id}/change?what=resize', '/resources/{id}/change?what=renew', '/requests/release?resource={id}', '/usage/{id}'],
  },
  'leader.tjj': { '/todos': ['/todo/{step}'] },
  operator: { '/sagas?state=done': ['/operations/sagas/{id}'], '/work-orders': ['/work-orders/{id}'] },
  sysadmin: {
    '/units': ['/admin/units/{id}', '/admin/units/{id}/new', '/admin/units/{id}/edit'],
    '/users': ['/admin/users/{id}', '/admin/users/{id}/edit', '/admin/users/{id}/password'],
  },
  secadmin: { '/users': ['/admin/users/{id}/grant'] },
};

/** Pages that have no thing in the demo city: the journey that makes one looks at them. */
export const IN_JOURNEYS: Record<string, string> = {
  '/sign-in': 'sign-in',
  '/resources/{id}/snapshots/{snapshot}': 'disk',
  '/resources/{id}/backups/{backup}': 'disk',
  '/resources/{id}/bin': 'bin',
  '/resources/{id}/certificate': 'bin',
  '/requests/{id}/certificates': 'bin',
  '/operations/differences/{id}': 'truth',
  '/operations/import/batches/{id}': 'import',
};
