/** A client that offers nothing above AES-128: let in where the policy prefers AES-256, refused where it requires it. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { noteMeasured } from '../rig/measured.ts';
import { eventually } from '../rig/wait.ts';
import { type Refused, WeakClient } from '../rig/weak-client.ts';
import { reportedLegs } from './calls.ts';
import { useStage } from './stage.ts';

const WEAK = 'AES_CM_128_HMAC_SHA1_80';

const stage = useStage();
const clients: WeakClient[] = [];

after(() => {
  for (const client of clients) client.close();
});

async function joinWeak(sessionId: string): Promise<WeakClient> {
  const client = await WeakClient.join(stage.server.url, stage.customer.ticket(sessionId));
  clients.push(client);
  return client;
}

interface Inspected {
  connections: { connectionId: string; packets: { received: number; sent: number } }[];
}

/** Packets that the media worker forwarded from and to a client. */
async function forwarded(sessionId: string, connectionId: string): Promise<{ received: number; sent: number }> {
  const path = `/cloister/v1/projects/${stage.server.credentials.apiKey}/sessions/${sessionId}`;
  const { connections } = (await stage.customer.rest('GET', path, 'project')) as Inspected;
  const own = connections.find((each) => each.connectionId === connectionId);
  assert.ok(own, 'the client is not in the session');
  return own.packets;
}

test('prefer-aes256: weak clients are heard, and the record says how weak they are', async () => {
  const sessionId = await stage.customer.session();
  const [speaker, listener] = [await joinWeak(sessionId), await joinWeak(sessionId)];
  const streamId = await speaker.publish();
  await listener.event('streamCreated', ({ stream }) => stream.streamId === streamId);
  await listener.subscribe(streamId);
  await listener.heard.next('the tone', (each) => each.streamId === streamId);
  for (const leg of await reportedLegs(stage.customer, sessionId, 2)) {
    assert.equal(leg.suiteSeenByServer, WEAK);
    assert.equal(leg.suiteReportedByClient, WEAK);
    assert.equal(leg.agree, true);
    assert.equal(leg.state, 'allowed');
  }
  assert.ok((await forwarded(sessionId, listener.connectionId)).sent > 0);
  noteMeasured('wrtc (Node)', {
    version: '@roamhq/wrtc 0.10',
    suites: { send: WEAK, receive: WEAK },
    test: 'tests/e2e/weak-client.test.ts',
  });
});

test('prefer-aes256: a strong and a weak client meet, each with the best that it can do', async () => {
  const sessionId = await stage.customer.session();
  const strong = await stage.open();
  await strong.join(stage.customer.ticket(sessionId));
  const weak = await joinWeak(sessionId);
  const streamId = await weak.publish();
  await strong.subscribed(streamId);
  await strong.hear(streamId, 1);
  const legs = await reportedLegs(stage.customer, sessionId, 2);
  const suites = Object.fromEntries(legs.map((leg) => [leg.direction, leg.suiteSeenByServer]));
  assert.deepEqual(suites, { send: WEAK, receive: 'AEAD_AES_256_GCM' });
  await strong.close();
});

test('require-aes256: a weak client is refused by name, and not one packet goes to or from it', async () => {
  await stage.customer.setPolicy('require-aes256');
  const sessionId = await stage.customer.session();
  const strong = await stage.open();
  await strong.join(stage.customer.ticket(sessionId));
  const strongStream = await strong.publish();
  const weak = await joinWeak(sessionId);

  // A track that is announced after the refusal is refused itself.
  const failure = await weak.publish().then(
    () => null,
    (error: Refused) => error.code,
  );
  assert.ok(failure === null || failure === 'SuiteRefused', String(failure));
  const sending = await weak.event('leg', ({ direction }) => direction === 'send');
  const weakStream = sending.streamId;
  assert.deepEqual([sending.state, sending.suiteSeenByServer], ['refused', WEAK]);
  assert.equal(sending.error?.code, 'SuiteRefused');

  // The client knows of the stream and insists.
  await weak.subscribe(strongStream).catch(() => {});
  const receiving = await weak.event('leg', (leg) => leg.streamId === strongStream);
  assert.deepEqual([receiving.direction, receiving.state], ['receive', 'refused']);
  assert.equal(receiving.error?.code, 'SuiteRefused');

  // The strong one stays in its call: a second strong one sees it, but nobody was told of the weak stream.
  const second = await stage.open();
  await second.join(stage.customer.ticket(sessionId));
  await second.subscribed(strongStream);
  await second.look(strongStream);
  const told = [...(await strong.happenings()), ...(await second.happenings())];
  assert.ok(!told.some((each) => each.type === 'streamCreated' && each.detail.stream === weakStream));
  assert.deepEqual(await forwarded(sessionId, weak.connectionId), { received: 0, sent: 0 });
  assert.equal((await weak.packets()).received, 0);
  assert.ok((await forwarded(sessionId, second.connectionId)).sent > 0);

  const { policy, legs } = await eventually(
    'the refused legs in the record',
    () => stage.customer.security(sessionId),
    (record) => record.legs.filter((leg) => leg.state === 'refused').length === 2,
  );
  assert.equal(policy, 'require-aes256');
  for (const leg of legs) {
    const own = leg.connectionId === weak.connectionId;
    assert.equal(leg.state, own ? 'refused' : 'allowed');
    assert.equal(leg.suiteSeenByServer, own ? WEAK : 'AEAD_AES_256_GCM');
  }
});
