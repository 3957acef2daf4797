// OpenStack's own dashboard, as a person with its session meets it: for the figures beside the
// portal's list. `WITH_HORIZON=1` brings it up.
import { readFileSync } from 'node:fs';
import { access } from './cloud.ts';

const URL = `http://127.0.0.1:${process.env.PORT_HORIZON ?? 8000}`;

export class Horizon {
  private readonly cookies = new Map<string, string>();

  /** A session in a project; nothing if no dashboard runs. */
  static async open(project: string): Promise<Horizon | undefined> {
    const horizon = new Horizon();
    const form = await horizon.get('/auth/login/').catch(() => undefined);
    if (!form) return undefined;
    const it = JSON.parse(readFileSync(access(), 'utf8'));
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(form.text)?.[1] ?? '';
    const region = /name="region"[^>]*value="([^"]*)"/.exec(form.text)?.[1] ?? 'default';
    const body = new URLSearchParams({ csrfmiddlewaretoken: token, username: it.user, password: it.password, region, next: '' });
    const entered = await horizon.get('/auth/login/', { method: 'POST', body, headers: { referer: `${URL}/auth/login/` } });
    if (entered.status !== 302) throw new Error(`Horizon's sign-in: ${entered.status}`);
    const switched = await horizon.get(`/auth/switch/${project}/?next=/project/`);
    if (switched.status !== 302) throw new Error(`Horizon's change of project: ${switched.status}`);
    return horizon;
  }

  /** The page of a project's instances. */
  async instances(): Promise<string> {
    const page = await this.get('/project/instances/');
    if (page.status !== 200) throw new Error(`Horizon's instances: ${page.status}`);
    return page.text;
  }

  private async get(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<{ status: number; text: string }> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(URL + path, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } });
    for (const one of answer.headers.getSetCookie()) {
      const [name, value] = (one.split(';')[0] ?? '').split(/=(.*)/s);
      if (name) this.cookies.set(name, value ?? '');
    }
    return { status: answer.status, text: await answer.text() };
  }
}
