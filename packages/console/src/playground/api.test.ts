import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, createApi } from './api.ts';

interface Sent {
  path: string;
  init: RequestInit;
}

/** An API whose server gives these answers, one after the other. */
function apiWith(...answers: (Response | Error)[]) {
  const sent: Sent[] = [];
  const api = createApi(async (path, init) => {
    sent.push({ path, init });
    const answer = answers.shift();
    if (answer instanceof Response) return answer;
    throw answer;
  });
  return { api, sent };
}

test('a session is made as wished', async () => {
  const made = { sessionId: 'abc', secret: 'needed' };
  const { api, sent } = apiWith(Response.json(made));
  assert.deepEqual(await api.createSession({ mediaMode: 'routed', e2ee: true }), made);
  assert.equal(sent[0]?.path, '/cloister/v1/playground/sessions');
  assert.equal(sent[0]?.init.body, '{"mediaMode":"routed","e2ee":true}');
});

test('a session id is encoded in the addresses that it is asked by', async () => {
  const { api, sent } = apiWith(Response.json({ policy: 'prefer-aes256', legs: [] }), Response.json({}));
  await api.security('a&b=c');
  await api.session('a&b=c');
  assert.deepEqual(
    sent.map(({ path }) => path),
    ['security', 'session'].map((what) => `/cloister/v1/playground/${what}?sessionId=a%26b%3Dc`),
  );
});

test('archives are named with their session, and started as wished', async () => {
  const { api, sent } = apiWith(...Array.from({ length: 5 }, () => Response.json({ path: '/x' })));
  const wish = { resolution: '640x480', layout: { type: 'pip' }, hasAudio: true, hasVideo: true };
  await api.archives('a&b');
  await api.startArchive('a', wish);
  await api.layOutArchive('a', 'id/..', 'bestFit');
  await api.stopArchive('a', 'id');
  assert.equal(await api.archiveLink('a', 'id'), '/x');
  assert.deepEqual(
    sent.map(({ path, init }) => `${init.method} ${path} ${init.body ?? ''}`),
    [
      'GET /cloister/v1/playground/archives?sessionId=a%26b ',
      `POST /cloister/v1/playground/archives ${JSON.stringify({ sessionId: 'a', ...wish })}`,
      'PUT /cloister/v1/playground/archives/id%2F../layout {"sessionId":"a","layout":{"type":"bestFit"}}',
      'POST /cloister/v1/playground/archives/id/stop {"sessionId":"a"}',
      'POST /cloister/v1/playground/archives/id/link {"sessionId":"a"}',
    ],
  );
});

test('a log-in answers with nothing', async () => {
  const { api, sent } = apiWith(new Response(null, { status: 204 }));
  assert.equal(await api.logIn('key', 'secret'), undefined);
  assert.equal(sent[0]?.init.body, '{"accountKey":"key","accountSecret":"secret"}');
});

test('a code is sent without the spaces and dashes that it was typed with', async () => {
  for (const typed of ['12345678', ' 1234 5678\n', '1234-5678', '12\u00a034\u201356\u221278']) {
    const { api, sent } = apiWith(new Response(null, { status: 204 }));
    await api.logInWithCode(typed);
    assert.deepEqual([sent[0]?.path, sent[0]?.init.body], ['/cloister/v1/login', '{"code":"12345678"}']);
  }
});

test('a refusal keeps its code, its status and its words', async () => {
  const body = { code: 'LogInRequired', message: 'This page needs a log-in', help: 'Log in', details: {} };
  const { api } = apiWith(Response.json(body, { status: 401 }));
  const error = await api.info().catch((thrown) => thrown);
  assert.ok(error instanceof ApiError);
  assert.deepEqual(
    [error.name, error.status, error.message],
    ['LogInRequired', 401, 'This page needs a log-in. Log in'],
  );
});

test('no answer, and an answer of something in between, are a server that cannot be reached', async () => {
  const { api } = apiWith(new TypeError('Failed to fetch'), new Response('<h1>Bad gateway</h1>', { status: 502 }));
  for (let time = 0; time < 2; time++) {
    await assert.rejects(api.info(), { name: 'Unreachable' });
  }
});
