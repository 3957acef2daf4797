// Two copies of the portal serve the same people: what one of them does counts on the other at once.
import { expect } from '@playwright/test';
import { SAME, call, session } from '../support/api.ts';
import { SMALL, place } from '../support/order.ts';
import { test } from '../support/replicas.ts';

/** The bandwidth of the unit is enough for no more. */
const REQUESTS = 4;

/** How an approval ended: whether it counted, and what was said. */
interface Ended {
  won: boolean;
  status: number;
  said: string;
}

/** Approves a step as its page does without scripts. */
async function byForm(url: string, cookie: string, step: string, digest: string): Promise<Ended> {
  const form = new URLSearchParams({ do: 'approve', opinion: '同意', digest });
  const answer = await fetch(`${url}/todo/${step}`, { method: 'POST', redirect: 'manual', headers: { ...SAME, cookie, accept: 'text/html' }, body: form });
  return { won: answer.status === 303, status: answer.status, said: await answer.text() };
}

/** Approves a step as a program does. */
async function byCall(url: string, cookie: string, step: string, digest: string): Promise<Ended> {
  const { status, body } = await call(() => url, cookie, 'POST', `/todos/${step}/decide`, { decision: 'approve', opinion: '同意', digest });
  return { won: status === 200, status, said: body.title ?? '' };
}

test('of two who approve a step at once on two copies one wins, and the other is told by whom @once', async ({ first, second, postgres }) => {
  test.setTimeout(120_000);
  const clerk = await session(first.url, 'clerk');
  const boss = await session(first.url, 'leader.tjj');
  const { cell, system } = await place(first.url, clerk);
  const office = await Promise.all(
    [{ url: first.url, login: 'reviewer' }, { url: second.url, login: 'reviewer2' }].map(async ({ url, login }) => {
      const cookie = await session(url, login);
      return { url, cookie, name: (await call(() => url, cookie, 'GET', '/me')).body.name as string };
    }),
  );

  /** The open step of a request, as one person is asked for it. */
  const ask = async (url: string, cookie: string, request: string): Promise<{ step: string; digest: string }> => {
    const { body } = await call(() => url, cookie, 'GET', '/todos?limit=200');
    const { step } = body.rows.find((row: { request: string }) => row.request === request);
    return { step, digest: (await call(() => url, cookie, 'GET', `/todos/${step}`)).body.digest };
  };

  for (let i = 0; i < REQUESTS; i += 1) {
    // Dear enough for the cloud office.
    const draft = await call(() => first.url, clerk, 'POST', '/drafts', {
      head: { system, title: `同时办理 ${i + 1}`, reason: '两人同时办理时的核验，一台主机、一个地址。' },
      lines: [
        { item: 'C-ECS', name: `twin-${i + 1}`, cell, typed: SMALL },
        { item: 'N-EIP', cell, typed: { attach_to: '#1', carrier: 'three_line', bandwidth_mbps: '60' } },
      ],
    });
    expect(draft.status, JSON.stringify(draft.body)).toBe(201);
    const id = draft.body.id;
    const sent = await call(() => first.url, clerk, 'POST', `/requests/${id}/submit`, { version: draft.body.version });
    expect(sent.status, JSON.stringify(sent.body)).toBe(200);
    const own = await ask(first.url, boss, id);
    expect((await byCall(first.url, boss, own.step, own.digest)).status).toBe(200);

    // Both have read that the step is open before either can write that it is not.
    const decide = i % 2 ? byCall : byForm;
    const asked = await Promise.all(office.map(({ url, cookie }) => ask(url, cookie, id)));
    expect(asked[0]).toEqual(asked[1]);
    const letGo = await postgres.holdUp('approval_step');
    const ends = office.map(({ url, cookie }) => decide(url, cookie, asked[0].step, asked[0].digest));
    try {
      await expect(() => {
        expect(postgres.rows(`SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'approval_step'::regclass`).length).toBe(2);
      }).toPass({ timeout: 4_000, intervals: [50] });
    } finally {
      letGo();
    }
    const ended = await Promise.all(ends);
    expect(ended.map((one) => one.status).sort()).toEqual(decide === byForm ? [303, 409] : [200, 409]);
    const winner = office[ended.findIndex((one) => one.won)];
    const loser = ended.find((one) => !one.won);
    expect(loser?.said).toMatch(new RegExp(`${winner.name} 已在 \\S+ \\S+ 办理：同意`));

    const { steps, history } = (await call(() => second.url, clerk, 'GET', `/requests/${id}`)).body;
    const signed = steps.filter((step: { role: string }) => step.role === 'reviewer').map((step: { opinion: { by_name: string } }) => step.opinion.by_name);
    expect(signed).toEqual([winner.name]);
    const agreed = history.filter((one: { by_name: string; msg: { key: string } }) => one.msg.key === 'request.history.agreed' && office.some(({ name }) => name === one.by_name));
    expect(agreed.length).toBe(1);
  }
});

test('a session is one on all copies: signed in on one, signed out on the other @once', async ({ first, second }) => {
  const me = async (url: string, cookie: string) => (await call(() => url, cookie, 'GET', '/me')).status;
  const cookie = await session(first.url, 'clerk');
  const other = await session(second.url, 'clerk');
  expect(await me(second.url, cookie)).toBe(200);
  expect(await me(first.url, other)).toBe(200);

  const left = await fetch(`${first.url}/sign-out`, { method: 'POST', redirect: 'manual', headers: { ...SAME, cookie }, body: new URLSearchParams() });
  expect(left.status).toBe(303);
  expect(await me(second.url, cookie)).toBe(401);
  expect(await me(first.url, cookie)).toBe(401);
  // The person's other session is another one.
  expect(await me(first.url, other)).toBe(200);
});
