import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { type KeyRing, verifySecurityRecord } from '../keys/index.ts';
import { type Served, serve } from './admin-fixture.ts';

describe('the playground in development', () => {
  let served: Served;
  before(async () => {
    served = await serve('development');
  });
  after(() => served.close());

  it('makes a session and a token for it without a log-in', async () => {
    const info = await served.call('GET', '/cloister/v1/playground');
    assert.deepEqual(info.body, {
      apiKey: served.platform.projectId,
      mode: 'development',
      turn: 'off',
      logIn: 'none',
      loggedIn: true,
    });
    const { body } = await served.call('POST', '/cloister/v1/playground/sessions', { body: {} });
    const made = await served.call('POST', '/cloister/v1/playground/tokens', {
      body: { sessionId: body.sessionId, role: 'moderator' },
    });
    assert.equal(made.body.token, `token for ${body.sessionId} as moderator`);
    const security = await served.call('GET', `/cloister/v1/playground/security?sessionId=${body.sessionId}`);
    assert.deepEqual(security.body, { policy: 'prefer-aes256', legs: [] });
  });

  it('makes an end-to-end encrypted session, and says of each what a secret is to it', async () => {
    const make = (body: object) => served.call('POST', '/cloister/v1/playground/sessions', { body });
    const wishes = [{}, { mediaMode: 'routed', e2ee: true }, { mediaMode: 'relayed' }];
    const made = await Promise.all(wishes.map(async (wish) => (await make(wish)).body));
    assert.deepEqual(
      made.map(({ secret }) => secret),
      ['none', 'needed', 'possible'],
    );
    for (const session of made) {
      const { body } = await served.call('GET', `/cloister/v1/playground/session?sessionId=${session.sessionId}`);
      assert.deepEqual(body, session);
    }
    assert.equal((await make({ mediaMode: 'relayed', e2ee: true })).status, 400);
    const nobodys = '/cloister/v1/playground/session?sessionId=2_MX4xfn4xfmFhYWFhYWFhYWF-fg';
    assert.equal((await served.call('GET', nobodys)).status, 404);
  });

  it('gives no token for a session of somebody else, or of nobody', async () => {
    const answer = await served.call('POST', '/cloister/v1/playground/tokens', {
      body: { sessionId: '2_MX4xfn4xfmFhYWFhYWFhYWF-fg' },
    });
    assert.equal(answer.status, 404);
  });

  it('answers under addresses and localhost only', async () => {
    for (const host of ['localhost:8080', '[::1]:8080', '192.0.2.7']) {
      assert.equal((await served.call('GET', '/cloister/v1/playground', { host })).status, 200);
    }
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.nip.example']) {
      const answer = await served.call('GET', '/cloister/v1/playground', { host });
      assert.equal(answer.status, 400);
      assert.ok(String(answer.body.message).includes('localhost'));
    }
  });

  it('makes calls with another project where that of the first start may not be used', async () => {
    const { core, accountId, projectId } = served.platform;
    const actor = { kind: 'system' } as const;
    const apiKey = async () => (await served.call('GET', '/cloister/v1/playground')).body.apiKey;
    const { project } = await core.projects.create(actor, accountId, {});
    assert.equal(await apiKey(), projectId);
    await core.projects.setStatus(actor, projectId, 'SUSPENDED');
    assert.equal(await apiKey(), project.id);
    await core.projects.remove(actor, project.id);
    assert.equal(await apiKey(), null);
    const refused = await served.call('POST', '/cloister/v1/playground/sessions', { body: {} });
    assert.deepEqual([refused.status, refused.body.code], [409, 'WrongState']);
    await core.projects.setStatus(actor, projectId, 'ACTIVE');
    assert.equal(await apiKey(), projectId);
  });

  it('names the wrong field of a body', async () => {
    const answer = await served.call('POST', '/cloister/v1/playground/tokens', { body: { sessionId: 5 } });
    assert.equal(answer.status, 400);
    assert.match(String(answer.body.message), /sessionId/);
  });
});

describe('the playground on the local network', () => {
  let served: Served;
  before(async () => {
    served = await serve('development', '12345678');
  });
  after(() => served.close());

  it('asks for the code, once for each device', async () => {
    const before = await served.call('GET', '/cloister/v1/playground');
    assert.deepEqual([before.body.logIn, before.body.loggedIn, before.body.turn], ['code', false, null]);
    assert.equal((await served.call('POST', '/cloister/v1/playground/sessions', { body: {} })).status, 401);
    assert.equal((await served.call('POST', '/cloister/v1/login', { body: { code: '87654321' } })).status, 403);
    const login = await served.call('POST', '/cloister/v1/login', { body: { code: '12345678' } });
    assert.equal(login.status, 204);
    const cookie = login.cookie.split(';')[0]!;
    assert.equal((await served.call('POST', '/cloister/v1/playground/sessions', { body: {}, cookie })).status, 200);
  });

  it('does not let the code be guessed', async () => {
    const statuses: number[] = [];
    for (let code = 0; code < 8; code += 1) {
      statuses.push((await served.call('POST', '/cloister/v1/login', { body: { code: String(code) } })).status);
    }
    assert.equal(statuses.at(-1), 429);
  });
});

describe('the playground in production', () => {
  let served: Served;
  before(async () => {
    served = await serve('production');
  });
  after(() => served.close());

  it('does nothing without a log-in', async () => {
    assert.equal((await served.call('GET', '/cloister/v1/playground')).body.loggedIn, false);
    const attempts = [
      served.call('POST', '/cloister/v1/playground/sessions', { body: {} }),
      served.call('POST', '/cloister/v1/playground/tokens', { body: { sessionId: 'x' } }),
      served.call('GET', '/cloister/v1/playground/security?sessionId=x'),
      served.call('GET', '/cloister/v1/playground/session?sessionId=x'),
    ];
    for (const { status, body } of await Promise.all(attempts))
      assert.deepEqual([status, body.code], [401, 'LogInRequired']);
  });

  it('takes the account key and secret for a cookie that no other site can send, and that ends', async () => {
    const { accountId } = served.platform;
    const wrong = await served.call('POST', '/cloister/v1/login', {
      body: { accountKey: accountId, accountSecret: 'no' },
    });
    assert.equal(wrong.status, 403);
    const unknown = await served.call('POST', '/cloister/v1/login', { body: { accountKey: '1', accountSecret: 'no' } });
    assert.deepEqual(unknown.body.message, wrong.body.message);
    const code = await served.call('POST', '/cloister/v1/login', { body: { code: '' } });
    assert.equal(code.status, 403);
    const { cookie } = await served.call('POST', '/cloister/v1/login', {
      body: { accountKey: accountId, accountSecret: served.accountSecret },
    });
    for (const part of ['__Host-', 'HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/'])
      assert.ok(cookie.includes(part), part);
    const pair = cookie.split(';')[0]!;
    const info = await served.call('GET', '/cloister/v1/playground', { cookie: pair });
    assert.deepEqual(info.body, {
      apiKey: served.platform.projectId,
      mode: 'production',
      turn: 'off',
      logIn: 'account',
      loggedIn: true,
    });
    assert.equal(
      (await served.call('POST', '/cloister/v1/playground/sessions', { body: {}, cookie: pair })).status,
      200,
    );
    assert.equal(
      (await served.call('POST', '/cloister/v1/playground/sessions', { body: {}, cookie: `${pair}x` })).status,
      401,
    );
    const status = async () =>
      (await served.call('POST', '/cloister/v1/playground/sessions', { body: {}, cookie: pair })).status;
    served.platform.clock.advance(limits.loginSeconds * 1000 - 1);
    assert.equal(await status(), 200);
    served.platform.clock.advance(1);
    assert.equal(await status(), 401);
  });

  it('logs everybody off when the log-in key is rotated', async () => {
    const { core, accountId } = served.platform;
    const body = { accountKey: accountId, accountSecret: served.accountSecret };
    const cookie = (await served.call('POST', '/cloister/v1/login', { body })).cookie.split(';')[0]!;
    const status = async () =>
      (await served.call('POST', '/cloister/v1/playground/sessions', { body: {}, cookie })).status;
    assert.equal(await status(), 200);
    await (core.keys as KeyRing).rotate('login');
    assert.equal(await status(), 401);
  });
});

/** Acts of log-ins, as the audit hears of them. */
function logIns({ platform }: Served) {
  const found = platform.acts.filter(({ action }) => action === 'page.loggedIn');
  return found.map(({ actor, subject, outcome, code }) => ({ actor, subject, outcome, code }));
}

describe('a log-in to the pages', () => {
  it('is an act with its result and the class of its network, by account or by code', async () => {
    for (const lanCode of [null, '12345678']) {
      const served = await serve(lanCode === null ? 'production' : 'development', lanCode);
      const { accountId } = served.platform;
      const right = lanCode ? { code: lanCode } : { accountKey: accountId, accountSecret: served.accountSecret };
      const wrong = lanCode ? { code: 'no' } : { accountKey: accountId, accountSecret: 'no' };
      assert.equal((await served.call('POST', '/cloister/v1/login', { body: wrong })).status, 403);
      assert.equal((await served.call('POST', '/cloister/v1/login', { body: right })).status, 204);
      const stranger = { kind: 'stranger', network: 'public' };
      const subject = lanCode ? { kind: 'platform', id: 'pages' } : { kind: 'account', id: accountId };
      assert.deepEqual(logIns(served), [
        { actor: stranger, subject, outcome: 'failed', code: 'AuthenticationFailed' },
        {
          actor: lanCode ? stranger : { kind: 'account', accountId, network: 'public' },
          subject,
          outcome: 'done',
          code: null,
        },
      ]);
      await served.close();
    }
  });

  it('shows a signature secret as an act of the account', async () => {
    const served = await serve('production');
    const { projectId, accountId, acts } = served.platform;
    await served.call('GET', `/cloister/v1/projects/${projectId}/signature-secret`);
    const { actor, action, subject } = acts.at(-1)!;
    assert.deepEqual([action, subject], ['secret.shown', { kind: 'project', id: projectId }]);
    assert.deepEqual(actor, { kind: 'account', accountId, network: 'public' });
    await served.close();
  });
});

describe('our own routes of a project', () => {
  let served: Served;
  before(async () => {
    served = await serve('production');
  });
  after(() => served.close());

  it('set the media policy, and never show a secret', async () => {
    const url = `/cloister/v1/projects/${served.platform.projectId}`;
    const changed = await served.call('PATCH', url, { body: { policy: 'require-aes256' } });
    assert.equal(changed.body.policy, 'require-aes256');
    assert.equal((await served.call('PATCH', url, { body: { policy: 'aes128' } })).status, 400);
    const shown = await served.call('GET', url);
    assert.ok(!JSON.stringify(shown.body).includes('secret'));
  });

  it('rotate the secret: at once, with grace, or as compromised', async () => {
    const url = `/cloister/v1/projects/${served.platform.projectId}/secret`;
    const { projects } = served.platform.core;
    const first = await served.call('POST', url, { body: { how: 'at once' } });
    assert.match(String(first.body.secret), /^[0-9a-f]{40}$/);
    assert.deepEqual(
      (await projects.secretsOf(served.platform.projectId)).map((each) => each.secret),
      [first.body.secret],
    );
    const second = await served.call('POST', url, { body: { how: 'grace', seconds: 60 } });
    assert.deepEqual(
      (await projects.secretsOf(served.platform.projectId)).map((each) => each.secret),
      [second.body.secret, first.body.secret],
    );
    assert.equal((await served.call('POST', url, { body: { how: 'grace' } })).status, 400);
  });

  it('show the secret that signs webhooks to its account, and replace it', async () => {
    const { core, projectId } = served.platform;
    const url = `/cloister/v1/projects/${projectId}/signature-secret`;
    const shown = await served.call('GET', url);
    assert.deepEqual(shown.body, { signatureSecret: await core.projects.signatureSecretOf(projectId) });
    const replaced = await served.call('POST', url);
    assert.match(String(replaced.body.signatureSecret), /^[0-9a-f]{40}$/);
    assert.notEqual(replaced.body.signatureSecret, shown.body.signatureSecret);
    assert.equal(await core.projects.signatureSecretOf(projectId), replaced.body.signatureSecret);
    assert.deepEqual((await served.call('GET', url)).body, replaced.body);
  });

  it('show a session without names or data', async () => {
    const session = await served.platform.session();
    await served.platform.enter(session, 'publisher', 'Jane Doe');
    const { body } = await served.call(
      'GET',
      `/cloister/v1/projects/${served.platform.projectId}/sessions/${session.id}`,
    );
    assert.equal((body.connections as unknown[]).length, 1);
    assert.ok(!JSON.stringify(body).includes('Jane'));
  });

  it('give the security record signed, checked with the keys that anybody may read', async () => {
    const { platform, app } = served;
    const session = await platform.session();
    await platform.publish(await platform.enter(session));
    const route = `/cloister/v1/projects/${platform.projectId}/sessions`;
    const headers = { 'x-account': platform.accountId };
    const answer = await app.inject({ method: 'GET', url: `${route}/${session.id}/security/signed`, headers });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['content-type'], 'application/jose');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const keys = await app.inject({ method: 'GET', url: '/cloister/v1/manifest-keys' });
    const { record } = verifySecurityRecord(answer.payload, keys.payload);
    const plain = await served.call('GET', `${route}/${session.id}/security`);
    assert.deepEqual(record.legs, plain.body.legs);
    assert.deepEqual(
      [record.sessionId, record.transcript.map((words) => words.map(({ end }) => end))],
      [session.id, [['server']]],
    );
    const unknown = await served.call('GET', `${route}/nothing/security/signed`);
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'SessionNotFound']);
  });

  it('know nothing of a project of another account', async () => {
    const other = await served.platform.core.accounts.create({ kind: 'system' }, { name: 'Other', plan: 'standard' });
    const { project } = await served.platform.core.projects.create({ kind: 'system' }, other.account.id, {});
    for (const path of [project.id, `${project.id}/signature-secret`]) {
      const answer = await served.call('GET', `/cloister/v1/projects/${path}`);
      assert.deepEqual([answer.status, answer.body.code], [404, 'ProjectNotFound']);
    }
    const answer = await served.call('POST', `/cloister/v1/projects/${project.id}/signature-secret`);
    assert.deepEqual([answer.status, answer.body.code], [404, 'ProjectNotFound']);
  });
});
