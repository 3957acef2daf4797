// The programming interface, called as a program calls it: again until there is an answer, with a
// key that makes the second call harmless.
import { PASSWORD } from './helpers.ts';

/** As a browser's own page would ask. */
export const SAME = { 'sec-fetch-site': 'same-origin' };
const PATIENCE_MS = 90_000;

export interface Answer {
  status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

/** Signs in and gives the session's cookie. */
export async function session(url: string, login: string): Promise<string> {
  const answer = await fetch(`${url}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: SAME,
    body: new URLSearchParams({ account: login, password: PASSWORD }),
  });
  if (answer.status !== 303) throw new Error(`sign-in as ${login}: ${answer.status}`);
  return answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
}

/** One call. `where` is asked anew for each try: a server that was killed comes back elsewhere. */
export async function call(where: () => string, cookie: string, method: string, path: string, body?: unknown, key?: string): Promise<Answer> {
  const headers: Record<string, string> = { ...SAME, cookie, 'content-type': 'application/json' };
  if (key) headers['idempotency-key'] = key;
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const answer = await fetch(`${where()}/api/v1${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      const text = await answer.text();
      if (answer.status !== 503) return { status: answer.status, body: text ? JSON.parse(text) : null };
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`${method} ${path}: no answer`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
