import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Core } from '../core/index.ts';
import { escapeXml } from './answer.ts';
import { opentokRoutes, routeTable } from './index.ts';
import { type Ask, type RestFixture, restFixture } from './rest-fixture.ts';

let rest: RestFixture;
/** What the next call to `accounts` or `sessions` throws, for refusals that cannot be made otherwise. */
let broken: unknown = null;

/** The rules with one use case that breaks when it is told to. */
function breakable(core: Core): Core {
  const sessions = Object.create(core.sessions) as Core['sessions'];
  sessions.create = async (...args) => {
    if (broken) throw broken;
    return core.sessions.create(...args);
  };
  return { ...core, sessions };
}

before(async () => {
  rest = await restFixture({ change: breakable });
});
after(() => rest.close());

const asAccount = (method: string, path: string, ask: Ask = {}) => rest.call(method, path, { as: 'account', ...ask });

describe('projects of an account', () => {
  async function make(body?: unknown) {
    const answer = await asAccount('POST', '/v2/project', { body });
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  }

  it('PRJ1 PRJ2 PRJ3 PRJ4 are made with a secret that is shown once', async () => {
    const made = await make({ name: 'Clinic' });
    assert.match(made.id, /^\d{8,10}$/);
    assert.ok(Number(made.id) < 2 ** 31);
    assert.match(made.secret, /^[0-9a-f]{40}$/);
    assert.match(made.signatureSecret, /^[0-9a-f]{40}$/);
    const shape = {
      id: made.id,
      secret: '********',
      status: 'ACTIVE',
      name: 'Clinic',
      environment: 'default',
      environmentName: 'default',
      environmentDescription: 'Standard Environment',
      createdAt: rest.clock.now(),
    };
    assert.deepEqual(
      { ...made, secret: shape.secret, signatureSecret: undefined },
      { ...shape, signatureSecret: undefined },
    );
    assert.deepEqual((await asAccount('GET', `/v2/project/${made.id}`)).json(), shape);
    const list = (await asAccount('GET', '/v2/project')).json();
    assert.ok(Array.isArray(list));
    assert.deepEqual(
      list.find((each: { id: string }) => each.id === made.id),
      shape,
    );
    assert.equal((await make()).name, '');
    assert.equal((await make('')).name, '');
    assert.equal((await make({ name: null })).name, '');
    assert.equal((await make({ name: 'n'.repeat(limits.nameChars) })).name.length, limits.nameChars);
    assert.equal(
      (await asAccount('POST', '/v2/project', { body: { name: 'n'.repeat(limits.nameChars + 1) } })).statusCode,
      400,
    );
    assert.equal((await asAccount('POST', '/v2/project', { body: { name: 1 } })).statusCode, 400);
  });

  it('PRJ2 are shown with their secret where the operator says so', async () => {
    const { app } = rest;
    const { createHttpServer } = await import('../http.ts');
    const shown = createHttpServer(null);
    await opentokRoutes(shown, {
      core: rest.core,
      limiter: { take: () => ({ ok: true }) },
      clientAddress: () => '192.0.2.1',
      signallingUrl: () => 'ws://media.example/signalling',
      baseUrl: () => 'http://media.example',
      showSecrets: true,
    });
    const headers = { 'x-opentok-auth': rest.credential({ iss: rest.accountId, ist: 'account' }, rest.accountSecret) };
    const url = `/v2/project/${rest.projectId}`;
    assert.equal((await shown.inject({ url, headers })).json().secret, rest.secret);
    assert.equal((await app.inject({ url, headers })).json().secret, '********');
    await shown.close();
  });

  it('PRJ5 PRJ6 change their state and their secret', async () => {
    const { id, secret } = await make();
    for (const body of [{}, { status: 'active' }, { status: 'GONE' }, { status: true }]) {
      assert.equal((await asAccount('PUT', `/v2/project/${id}`, { body })).statusCode, 400);
    }
    const suspended = (await asAccount('PUT', `/v2/project/${id}`, { body: { status: 'SUSPENDED' } })).json();
    assert.deepEqual([suspended.status, suspended.secret], ['SUSPENDED', '********']);
    assert.equal((await asAccount('PUT', `/v2/partner/${id}`, { body: { status: 'ACTIVE' } })).json().status, 'ACTIVE');
    const ask = (by: string) =>
      rest.call('GET', `/v2/project/${id}/callback`, { as: rest.credential({ iss: id }, by) });
    assert.equal((await ask(secret)).statusCode, 200);
    const refreshed = (await asAccount('POST', `/v2/project/${id}/refreshSecret`)).json();
    assert.match(refreshed.secret, /^[0-9a-f]{40}$/);
    assert.equal(refreshed.signatureSecret, undefined);
    assert.equal((await ask(secret)).statusCode, 403);
    assert.equal((await ask(refreshed.secret)).statusCode, 200);
  });

  it('PRJ7 are gone when they are deleted, and belong to one account', async () => {
    const { id, secret } = await make();
    const gone = await asAccount('DELETE', `/v2/project/${id}`);
    assert.deepEqual([gone.statusCode, gone.body], [204, '']);
    const after = await rest.call('GET', `/v2/project/${id}/callback`, { as: rest.credential({ iss: id }, secret) });
    assert.deepEqual([after.statusCode, after.json().message], [403, 'Issuer not found']);
    const { account } = await rest.core.accounts.create({ kind: 'system' }, { name: 'Other', plan: 'standard' });
    const { project } = await rest.core.projects.create({ kind: 'system' }, account.id, {});
    for (const [method, path, body] of [
      ['GET', `/v2/project/${id}`],
      ['GET', `/v2/project/${project.id}`],
      ['PUT', `/v2/project/${project.id}`, { status: 'SUSPENDED' }],
      ['POST', `/v2/project/${project.id}/refreshSecret`],
      ['DELETE', `/v2/project/${project.id}`],
    ] as const) {
      const answer = await asAccount(method, path, { body });
      assert.equal(answer.statusCode, 404, `${method} ${path}`);
      assert.equal(answer.json().code, 404);
    }
    assert.equal((await rest.core.projects.get(project.id)).status, 'ACTIVE');
  });
});

describe('callbacks', () => {
  const register = (body: unknown) => rest.call('POST', '/v2/project/{k}/callback', { body });

  it('HOOK1 are registered, listed as a bare array and removed', async () => {
    assert.deepEqual((await rest.call('GET', '/v2/project/{k}/callback')).json(), []);
    const wish = { group: 'connection', event: 'created', url: 'https://app.example/hook?a=b' };
    const made = (await register(wish)).json();
    assert.deepEqual(made, { id: made.id, ...wish, createdAt: rest.clock.now() });
    assert.deepEqual((await rest.call('GET', '/v2/project/{k}/callback')).json(), [made]);
    const gone = await rest.call('DELETE', `/v2/project/{k}/callback/${made.id}`);
    assert.deepEqual([gone.statusCode, gone.body], [204, '']);
    const again = await rest.call('DELETE', `/v2/project/{k}/callback/${made.id}`);
    assert.equal(again.statusCode, 404);
    assert.deepEqual((await rest.call('GET', '/v2/project/{k}/callback')).json(), []);
  });

  it('HOOK2 have known groups and events', async () => {
    const url = 'https://app.example/';
    const wrong = [
      {},
      { group: 'connection', event: 'created' },
      { group: 'connection', event: 'status', url },
      { group: 'archive', event: 'created', url },
      { group: 'sip', event: 'created', url },
      { group: 'stream', event: 'created', url: `https://app.example/${'a'.repeat(limits.urlChars)}` },
      { group: 'stream', event: 'created', url: 7 },
    ];
    for (const body of wrong) assert.equal((await register(body)).statusCode, 400, JSON.stringify(body).slice(0, 60));
    const room = limits.urlChars - 'https://app.example/'.length;
    const right = [
      { group: 'archive', event: 'status', url },
      { group: 'stream', event: 'destroyed', url: `https://app.example/${'a'.repeat(room)}` },
    ];
    for (const body of right) assert.equal((await register(body)).statusCode, 200);
  });
});

describe('refusals', () => {
  const create = (headers: Record<string, string>, as?: Ask['as']) =>
    rest.call('POST', '/session/create', { as, headers, body: '' });

  it('ERR1 ERR3 are code, message and description in JSON', async () => {
    const unknown = rest.credential({ iss: '99999999' });
    const answer = await create({}, unknown);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['cloister-error'], 'IssuerNotFound');
    assert.deepEqual(answer.json(), { code: -1, message: 'Issuer not found', description: 'Issuer not found' });
    const missing = (await rest.call('DELETE', '/v2/project/{k}/callback/none')).json();
    assert.deepEqual(Object.keys(missing), ['code', 'message', 'description']);
    assert.match(missing.description, /List the callbacks/);
  });

  it('ERR2 are XML for who does not ask for JSON', async () => {
    const unknown = rest.credential({ iss: '99999999' });
    const plain = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const accept of ['*/*', 'text/xml', '']) {
      const answer = await create({ ...plain, accept }, unknown);
      assert.equal(answer.statusCode, 403);
      assert.equal(answer.headers['content-type'], 'text/xml');
      assert.equal(
        answer.body,
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><errorPayload><code>-1</code><message>Issuer not found</message>' +
          '<description>Issuer not found</description><error code="-1"><anyElement message="Issuer not found"/></error></errorPayload>',
      );
    }
    for (const [accept, type] of [
      ['*/*', 'application/json'],
      ['application/xml', 'text/xml'],
    ] as const) {
      const answer = await rest.call('POST', '/v2/project/{k}/callback', { headers: { accept }, body: {} });
      assert.equal(answer.headers['content-type'], type);
    }
    assert.equal(escapeXml(`<a b="c">&'\u0000\ud800é`), '&lt;a b=&quot;c&quot;&gt;&amp;&apos;\ufffd\ufffdé');
  });

  it('ERR4 say nothing that is not for the caller', async () => {
    broken = new Error('password hunter2 at 10.1.2.3');
    const internal = await create({});
    broken = new PlatformError('StoreUnavailable', { why: 'it is restarting' }, { cause: new Error('hunter2') });
    const named = await create({ accept: '*/*', 'content-type': 'text/plain' });
    broken = null;
    assert.deepEqual([internal.statusCode, named.statusCode], [500, 503]);
    assert.ok(internal.headers['x-request-id']);
    for (const { body } of [internal, named]) assert.doesNotMatch(body, /hunter2|10\.1/);
    const credential = rest.credential({}, 'wrong');
    const refused = await create({}, credential);
    assert.ok(!refused.body.includes(credential.slice(0, 20)) && !refused.body.includes(rest.secret));
  });
});

describe('the table of routes', () => {
  it('REST1 REST10 answers all it names, and says what is not built to who may ask', async () => {
    assert.deepEqual(
      [...new Set(routeTable.filter(({ handle }) => handle).map(({ number }) => Number(number)))],
      [...Array.from({ length: 21 }, (_, at) => at + 1), ...Array.from({ length: 9 }, (_, at) => at + 36)],
    );
    for (const { method, path, feature, handle } of routeTable) {
      assert.equal(handle === undefined, feature !== undefined, path);
      if (!feature) continue;
      const url = path.replace(':apiKey', '{k}').replace(/:\w+/g, '0b0a7a5e-1111-4222-8333-444455556666');
      const answer = await rest.call(method, url, { body: method === 'GET' ? undefined : {} });
      assert.equal(answer.statusCode, 501, url);
      assert.equal(answer.headers['cloister-error'], 'NotBuilt');
      assert.match(answer.json().message, new RegExp(feature));
      assert.equal((await rest.call(method, url, { as: null, from: '192.0.2.88' })).statusCode, 403);
      rest.clock.advance(1000);
    }
    assert.equal((await rest.call('POST', '/v2/project/{k}/broadcast/', { body: {} })).statusCode, 501);
  });

  it('REST13 counts calls by address and by project', async () => {
    const bare = { 'x-opentok-auth': rest.credential() };
    const ask = () =>
      rest.app.inject({ url: `/v2/project/${rest.projectId}/nothing`, headers: bare, remoteAddress: '1.1.1.1' });
    for (let each = 0; each < limits.restPerAddressBurst; each += 1) {
      if ((await ask()).statusCode === 429) break;
    }
    const answer = await ask();
    assert.equal(answer.statusCode, 429);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    const elsewhere = (from: string) => rest.call('GET', '/v2/project/{k}/callback', { from });
    assert.equal((await elsewhere('198.51.100.1')).statusCode, 200);
    let spent = 0;
    while ((await elsewhere(`198.51.100.${spent % 250}`)).statusCode === 200) spent += 1;
    assert.ok(spent >= limits.restPerProjectBurst - 10 && spent < limits.restPerProjectBurst + 10, `${spent}`);
    assert.equal((await elsewhere('198.51.100.2')).json().message, 'Too many requests by this project');
    rest.clock.advance(1000);
    assert.equal((await elsewhere('198.51.100.3')).statusCode, 200);
  });
});
