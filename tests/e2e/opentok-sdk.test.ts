/** OpenTok's own Node SDK, unmodified, through every call that routes 1 to 12 and 36 to 38 serve, against the server. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type Server, startServer } from '../rig/server.ts';
import { Feed } from '../rig/wait.ts';
import { WeakClient } from '../rig/weak-client.ts';

/** The SDK comes without types; its answers are what is looked at. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of what an untyped package answers
type Answer = any;
type Method = (...args: Answer[]) => void;

const OpenTok = createRequire(import.meta.url)('opentok') as new (
  apiKey: string,
  secret: string,
  url: string,
) => Record<string, Method> & {
  generateToken(sessionId: string, options?: object, t1?: boolean): string;
};

let server: Server;
let sdk: InstanceType<typeof OpenTok>;
const clients: WeakClient[] = [];

before(async () => {
  server = await startServer({ mediaWorkers: 1 });
  sdk = client(server.credentials.apiSecret);
});
after(async () => {
  for (const each of clients) each.close();
  await server.stop();
});

function client(secret: string, apiKey = server.credentials.apiKey): InstanceType<typeof OpenTok> {
  return new OpenTok(apiKey, secret, server.url);
}

/** Calls a method of the SDK and waits for its callback. */
function ask(method: string, ...args: unknown[]): Promise<Answer> {
  return askBy(sdk, method, ...args);
}

function askBy(by: InstanceType<typeof OpenTok>, method: string, ...args: unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    (by[method] as Method)(...args, (error: Error | null, ...answer: unknown[]) =>
      error ? reject(error) : resolve(answer[0]),
    );
  });
}

async function routed(): Promise<string> {
  return (await ask('createSession', { mediaMode: 'routed' })).sessionId;
}

/** Joins with a token of the SDK. */
async function join(sessionId: string, options: object = {}, t1 = false): Promise<WeakClient> {
  const token = sdk.generateToken(sessionId, options, t1);
  const joined = await WeakClient.join(server.url, { apiKey: server.credentials.apiKey, sessionId, token });
  clients.push(joined);
  return joined;
}

const never = '2_unknown';
const missing = (sessionId: string) =>
  `2_${Buffer.from(`2~${server.credentials.apiKey}~~1~${sessionId.slice(-24)}~~`).toString('base64url')}`;

test('SES1 SES2 SES3 createSession makes sessions as they were asked for', async () => {
  const plain = await ask('createSession');
  assert.match(plain.sessionId, /^2_/);
  assert.equal(plain.mediaMode, 'relayed');
  const whole = await ask('createSession', {
    mediaMode: 'routed',
    archiveMode: 'always',
    archiveName: 'n',
    archiveResolution: '1280x720',
    location: '192.0.2.4',
    anything: 'else',
  });
  assert.ok(whole.generateToken().length > 100);
  assert.ok((await ask('createSession', { mediaMode: 'routed', e2ee: true })).sessionId);
  await assert.rejects(ask('createSession', { mediaMode: 'relayed', e2ee: true }), /Failed to createSession.*routed/);
});

test('AUTH2 ERR1 a wrong secret or key is an AuthError in every call', async () => {
  const sessionId = await routed();
  for (const wrong of [client('wrong'), client(server.credentials.apiSecret, '12345678')]) {
    await assert.rejects(askBy(wrong, 'createSession'), /Invalid API key or secret/);
    await assert.rejects(askBy(wrong, 'listStreams', sessionId), { message: 'Invalid API key or secret' });
    await assert.rejects(askBy(wrong, 'signal', sessionId, null, { data: 'x' }), { message: /Invalid API key/ });
    await assert.rejects(askBy(wrong, 'forceDisconnect', sessionId, 'c'), { message: /Invalid API key/ });
  }
});

test('TOK1 TOK2 TOK3 TOK10 tokens of both forms let a client in, again and again', async () => {
  const sessionId = await routed();
  for (const t1 of [false, true]) {
    const options = { role: 'moderator', data: 'name=Bob & co', initialLayoutClassList: ['focus', 'big'] };
    const token = sdk.generateToken(sessionId, options, t1);
    assert.equal(token.startsWith('T1=='), t1);
    for (let use = 0; use < 2; use += 1) {
      const joined = await WeakClient.join(server.url, { apiKey: server.credentials.apiKey, sessionId, token });
      assert.equal(joined.welcome.connection.data, 'name=Bob & co');
      assert.equal(joined.welcome.capabilities.forceMute, 1);
      joined.close();
    }
    const subscriber = await join(sessionId, { role: 'subscriber', expireTime: Date.now() / 1000 + 5.5 }, t1);
    assert.equal(subscriber.welcome.capabilities.publish, 0);
  }
  const other = await routed();
  const token = sdk.generateToken(other, {}, true);
  const shown = { apiKey: server.credentials.apiKey, sessionId, token };
  await assert.rejects(WeakClient.join(server.url, shown), /403.*TokenInvalid.*another session/);
});

test('AUTH7 TOK4 a client token is no REST credential, and the other way round', async () => {
  const sessionId = await routed();
  const { apiKey } = server.credentials;
  for (const t1 of [false, true]) {
    const answer = await fetch(`${server.url}/v2/project/${apiKey}/callback`, {
      headers: { 'x-opentok-auth': sdk.generateToken(sessionId, {}, t1), accept: 'application/json' },
    });
    assert.equal(answer.status, 403);
    assert.equal(((await answer.json()) as { code: number }).code, -1);
  }
  const token = (sdk.generateJwt as unknown as () => string)();
  await assert.rejects(WeakClient.join(server.url, { apiKey, sessionId, token }), /403.*TokenInvalid/);
});

test('STR1 STR2 STR3 STR7 streams are listed, found and given layout classes', async () => {
  const sessionId = await routed();
  assert.deepEqual(await ask('listStreams', sessionId), []);
  const publisher = await join(sessionId, { initialLayoutClassList: ['first'] });
  const streamId = await publisher.publishAllowed();
  const [listed, ...more] = await ask('listStreams', sessionId);
  assert.deepEqual(more, []);
  assert.equal(listed.id, streamId);
  assert.deepEqual(listed.layoutClassList, ['first']);
  await ask('setStreamClassLists', sessionId, [{ id: streamId, layoutClassList: ['focus'] }]);
  assert.deepEqual((await ask('listStreams', sessionId))[0].layoutClassList, ['focus']);
  const found = await ask('getStream', sessionId, streamId);
  assert.deepEqual([found.id, found.layoutClassList], [streamId, ['focus']]);
  const unknown = [{ id: 'unknown', layoutClassList: [] }];
  await assert.rejects(ask('setStreamClassLists', sessionId, unknown), { message: /Unexpected response.*not in this/ });
  await assert.rejects(ask('getStream', sessionId, 'unknown'), { message: /Unexpected response.*Invalid stream id/ });
  await assert.rejects(ask('listStreams', never), { message: /Unexpected response/ });
  await assert.rejects(ask('listStreams', missing(sessionId)), { message: 'Not Found' });
});

test('SIG1 SIG3 SIG4 signals reach all or one', async () => {
  const sessionId = await routed();
  const [one, two] = [await join(sessionId), await join(sessionId, { role: 'subscriber' }, true)];
  await ask('signal', sessionId, null, { type: 'chat', data: 'to all' });
  await ask('signal', sessionId, two.connectionId, { type: 'chat', data: 'to two' });
  await two.event('signal', ({ data }) => data === 'to two');
  await ask('signal', sessionId, null, { data: 'last' });
  for (const each of [one, two]) await each.event('signal', ({ data }) => data === 'last');
  const heard = (by: WeakClient) =>
    by.told.items.flatMap(({ event, data }) => (event === 'signal' ? [(data as { data: string }).data] : []));
  assert.deepEqual(heard(one), ['to all', 'last']);
  assert.deepEqual(heard(two), ['to all', 'to two', 'last']);
  await assert.rejects(ask('signal', sessionId, 'unknown', { data: 'x' }), {
    message: /Session or Connection not found/,
  });
  await assert.rejects(ask('signal', await routed(), null, { data: 'x' }), {
    message: /Session or Connection not found/,
  });
  await assert.rejects(ask('signal', sessionId, null, {}), { message: /Signal payload 'data' must be set/ });
  await assert.rejects(ask('signal', sessionId, null, { data: 'x'.repeat(8193) }), { message: /longer than 8192/ });
});

test('MUT1 MUT2 MUT3 mutes reach the publishers', async () => {
  const sessionId = await routed();
  const [one, two] = [await join(sessionId), await join(sessionId)];
  const [first, second] = [await one.publishAllowed(), await two.publishAllowed()];
  await ask('forceMuteStream', sessionId, first);
  await one.event('muteForced', ({ streamIds }) => streamIds.includes(first));
  await ask('forceMuteAll', sessionId, { excludedStreams: [first] });
  await two.event('muteForced', ({ active, streamIds }) => active && streamIds.includes(second));
  await one.event('muteForced', ({ active, streamIds }) => active && streamIds.length === 0);
  await ask('disableForceMute', sessionId);
  await one.event('muteForced', ({ active, streamIds }) => !active && streamIds.length === 0);
  await assert.rejects(ask('forceMuteStream', sessionId, 'unknown'), { message: 'Not Found' });
  await assert.rejects(ask('forceMuteAll', await routed(), {}), { message: 'Not Found' });
});

test('STR6 forceDisconnect sends a client away', async () => {
  const sessionId = await routed();
  const [victim, other] = [await join(sessionId), await join(sessionId)];
  await ask('forceDisconnect', sessionId, victim.connectionId);
  assert.equal((await victim.closed)?.reason, 'forceDisconnected');
  await other.event('connectionDestroyed', ({ reason }) => reason === 'forceDisconnected');
  const again = ask('forceDisconnect', sessionId, victim.connectionId);
  await assert.rejects(again, { message: 'Session or Connection not found' });
});

test('DTM1 DTM2 DTM3 playDTMF knows its digits and whom it plays to', async () => {
  const sessionId = await routed();
  const { connectionId } = await join(sessionId);
  await ask('playDTMF', sessionId, null, '1713*#p');
  await ask('playDTMF', sessionId, connectionId, '0');
  await assert.rejects(ask('playDTMF', sessionId, null, '12a'), { message: /Invalid DTMF Digits/ });
  await assert.rejects(ask('playDTMF', sessionId, 'unknown', '1'), { message: 'Not Found' });
  await assert.rejects(ask('playDTMF', await routed(), null, '1'), { message: 'Not Found' });
});

test('REST10 what is not built says so through the SDK', async () => {
  const sessionId = await routed();
  const message = /does not offer broadcasts/;
  await assert.rejects(ask('startBroadcast', sessionId, { outputs: { hls: {} } }), { message });
});

test('HOOK1 HOOK2 HOOK5 HOOK6 callbacks are registered, called in order and removed', async () => {
  const receiver = await startReceiver();
  const names = ['connection/created', 'connection/destroyed', 'stream/created', 'stream/destroyed'];
  const made = [];
  for (const name of names) {
    const [group, event] = name.split('/');
    made.push(await ask('registerCallback', { group, event, url: receiver.url }));
  }
  assert.deepEqual(
    made.map(({ id, group, event, url, createdAt }) => [typeof id, `${group}/${event}`, url, typeof createdAt]),
    names.map((name) => ['string', name, receiver.url, 'number']),
  );
  assert.deepEqual(
    (await ask('listCallbacks')).map(({ id }: { id: string }) => id),
    made.map(({ id }) => id),
  );
  const url = 'http://169.254.169.254/latest';
  await assert.rejects(ask('registerCallback', { group: 'stream', event: 'created', url }), { message: /not allowed/ });
  await assert.rejects(ask('registerCallback', { group: 'x', event: 'y', url: receiver.url }), {
    message: /must be one/,
  });

  receiver.statuses.push(500, 503);
  const sessionId = await routed();
  receiver.only = sessionId;
  const publisher = await join(sessionId, { data: 'who' });
  const streamId = await publisher.publishAllowed();
  await ask('forceDisconnect', sessionId, publisher.connectionId);
  const last = await receiver.got.next('the last call', ({ body }) => body.event === 'connectionDestroyed');
  const calls = receiver.got.items;
  assert.deepEqual(
    calls.map(({ body }) => body.event),
    [...Array(3).fill('connectionCreated'), 'streamCreated', 'streamDestroyed', 'connectionDestroyed'],
  );
  assert.equal(calls[3]!.body.stream.id, streamId);
  assert.deepEqual(
    [last.body.sessionId, last.body.projectId, last.body.reason, last.body.connection.data],
    [sessionId, server.credentials.apiKey, 'forceDisconnected', 'who'],
  );
  for (const { text, authorization } of calls) {
    const claims = JSON.parse(Buffer.from(authorization.split('.')[1]!, 'base64url').toString());
    assert.equal(claims.payload_hash, createHash('sha256').update(text).digest('hex'));
    const [head, payload, signature] = authorization.replace('Bearer ', '').split('.');
    const byProject = createHmac('sha256', server.credentials.apiSecret)
      .update(`${head}.${payload}`)
      .digest('base64url');
    assert.notEqual(byProject, signature);
  }
  for (const { id } of made) await ask('unregisterCallback', id);
  assert.deepEqual(await ask('listCallbacks'), []);
  await assert.rejects(ask('unregisterCallback', made[0].id), { message: 'Not Found' });
  receiver.close();
});

/** A receiver of webhooks on loopback, which development mode allows. */
async function startReceiver() {
  const got = new Feed<{ body: Answer; text: string; authorization: string }>();
  /** What it answers next for the session that it is about; 200 when there is nothing. */
  const statuses: number[] = [];
  const made = { got, statuses, url: '', only: '', close: () => receiver.close() };
  const receiver = createServer(async (request, response) => {
    const text = await textOf(request);
    const body = JSON.parse(text);
    // Callbacks are by project: clients of the tests before are still leaving.
    if (body.sessionId !== made.only) return void response.end();
    got.push({ text, body, authorization: request.headers.authorization ?? '' });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  receiver.unref();
  const { port } = receiver.address() as AddressInfo;
  made.url = `http://127.0.0.1:${port}/hook`;
  return made;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}
