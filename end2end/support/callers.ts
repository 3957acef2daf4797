// Who may do what, as the program's own table says it, and somebody of the demo city for each role.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './server.ts';

export interface Caller {
  login: string;
  roles: string[];
  /** Whether a role of theirs reaches the whole site: then the bureau's things are theirs to see. */
  ofSite: boolean;
}

/** The words of an enum of the model by their names in the program: `DeptLeader` is `dept_leader`. */
export function wordsOf(file: string, name: string): Map<string, string> {
  const text = readFileSync(join(ROOT, 'crates', 'model', 'src', file), 'utf8');
  const list = new RegExp(`pub enum ${name} \\{([\\s\\S]*?)\\n {4}\\}`).exec(text)?.[1] ?? '';
  const words = new Map([...list.matchAll(/(\w+) = "(\w+)"/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
  if (words.size === 0) throw new Error(`no words of ${name} in ${file}`);
  return words;
}

/** Every role. */
export const everyRole = () => wordsOf('people.rs', 'Role');

/** Which roles give an ability. */
function abilities(): Map<string, string[]> {
  const text = readFileSync(join(ROOT, 'crates', 'core', 'src', 'authz.rs'), 'utf8');
  const roles = everyRole();
  return new Map(
    [...text.matchAll(/((?:Self::\w+[\s|]*)+)=>\s*&\[([^\]]*)\]/g)].flatMap(([, names = '', given = '']) => {
      const words = [...given.matchAll(/\w+/g)].map(([role]) => roles.get(role) ?? '');
      return [...names.matchAll(/Self::(\w+)/g)].map((m): [string, string[]] => [m[1] ?? '', words]);
    }),
  );
}

/** Whether the caller has one of the abilities on the whole site. */
export function maySee(caller: Caller, any: string[]): boolean {
  const table = abilities();
  return caller.ofSite && any.some((ability) => {
    const roles = table.get(ability);
    if (!roles) throw new Error(`${ability} is no ability`);
    return caller.roles.some((role) => roles.includes(role));
  });
}

/** Somebody of another unit, or of the site, for each role. */
export function callers(logins: string[]): Caller[] {
  const city = JSON.parse(readFileSync(join(ROOT, 'crates', 'core', 'data', 'city', 'ningbo.json'), 'utf8')) as {
    accounts: { login: string; roles: [string, string][] }[];
  };
  return logins.map((login) => {
    const account = city.accounts.find((one) => one.login === login);
    if (!account) throw new Error(`nobody is called ${login}`);
    return { login, roles: account.roles.map(([role]) => role), ofSite: account.roles.some(([, reach]) => reach === 'site') };
  });
}
