// The pages, by the people who use them.

export const PAGES: Record<string, string[]> = {
  clerk: ['/', '/catalogue', '/catalogue/C-ECS', '/catalogue/S-EVS', '/catalogue/M-MIG', '/cart', '/cart/system', '/drafts', '/requests', '/resources', '/resources?state=recycled&sort=erase', '/usage', '/usage/units', '/quota', '/notices', '/me', '/me/password', '/me/tokens', '/search?q=web', '/help'],
  'leader.tjj': ['/', '/todo', '/done', '/quota'],
  reviewer: ['/todo', '/done', '/overview', '/admin/items', '/admin/items/C-ECS', '/quota'],
  finance: ['/admin/items/C-ECS'],
  operator: ['/operations', '/operations?state=done', '/operations/jobs', '/operations/jobs?state=done', '/operations/clouds', '/operations/differences', '/operations/differences?past=yes&kind=changed', '/operations/import', '/operations/import/batches', '/work-orders', '/overview'],
  leader: ['/overview', '/usage', '/usage/units', '/todo'],
  auditor: ['/admin/audit'],
  sysadmin: ['/admin/units', '/admin/users'],
};
