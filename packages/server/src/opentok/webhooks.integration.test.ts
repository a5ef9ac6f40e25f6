import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import type { BlockWish, Callback, Egress, JournalFields, Session } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';

type Call = Parameters<Egress['request']>[0];
type Reply = number | 'timeout' | Promise<number>;

/** A receiver behind the egress: what it was sent, and how it answers. The egress has its own tests with sockets. */
class Receiver implements Egress {
  readonly calls: Call[] = [];
  /** Most of the calls that were under way at once. */
  busiest = 0;
  answer: (call: Call, body: Body) => Reply = () => 200;
  #under = 0;
  #waiting: { count: number; resolve: () => void }[] = [];

  async check(): Promise<void> {}

  async request(call: Call): Promise<{ status: number }> {
    this.calls.push(call);
    this.#under += 1;
    this.busiest = Math.max(this.busiest, this.#under);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => this.calls.length < count || resolve());
    try {
      const status = await this.answer(call, JSON.parse(call.body));
      if (status === 'timeout') throw new PlatformError('DestinationFailed', { destination: 'x', why: 'no answer' });
      return { status };
    } finally {
      this.#under -= 1;
    }
  }

  /** Resolves once so many calls have come. */
  async until(count: number): Promise<void> {
    if (this.calls.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  bodies(): Body[] {
    return this.calls.map(({ body }) => JSON.parse(body));
  }
}

interface Body {
  event: string;
  sessionId: string;
  reason?: string;
  [field: string]: unknown;
}

let platform: TestPlatform;
let receiver: Receiver;
let webhooks: Webhooks;
let journal: { level: string; message: string; fields: JournalFields }[];
let registered: Callback[] = [];

before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());
afterEach(async () => {
  await webhooks.stop();
  for (const { id } of registered) await platform.core.callbacks.remove({ kind: 'system' }, platform.projectId, id);
  registered = [];
  // What a failed test left behind is not the next one's business.
  const { deliveries } = platform.core.store;
  for (;;) {
    const left = await deliveries.due(Number.MAX_SAFE_INTEGER, 100, []);
    if (left.length === 0) break;
    for (const { id } of left) await deliveries.done(id);
  }
});

/** Time is moved by hand, but for the short pause in which events gather. */
function unhurried(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    after(ms, task) {
      if (ms !== limits.webhookGatherMs) return clock.after(ms, task);
      const soon = setImmediate(task);
      return () => clearImmediate(soon);
    },
  };
}

function start(): void {
  journal = [];
  webhooks = createWebhooks({
    baseUrl: () => 'http://media.example',
    core: platform.core,
    egress: receiver,
    clock: unhurried(platform.clock),
    journal: { record: (level, message, fields = {}) => void journal.push({ level, message, fields }) },
  });
  webhooks.start();
}

async function listen(names: string[], url = 'https://app.example/hook'): Promise<void> {
  receiver = new Receiver();
  for (const name of names) {
    const [group = '', event = ''] = name.split('/');
    const wish = { group, event, url };
    registered.push(await platform.core.callbacks.register({ kind: 'system' }, platform.projectId, wish));
  }
  start();
}

const all = ['connection/created', 'connection/destroyed', 'stream/created', 'stream/destroyed'];

/** Somebody comes and goes. */
async function visit(session?: Session): Promise<Session> {
  const there = session ?? (await platform.session());
  (await platform.enter(there)).client.leave('clientDisconnected');
  return there;
}

/** Waits until a condition holds that only real work (the database) brings about. */
async function settled(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}

const queued = async () => (await platform.core.store.deliveries.nextDueAt()) !== null;

/** Lets the next retry fall due. */
async function passTime(): Promise<void> {
  let due = 0;
  await settled(async () => {
    due = (await platform.core.store.deliveries.nextDueAt()) ?? 0;
    return due > platform.clock.now();
  });
  platform.clock.advance(due - platform.clock.now());
}

describe('webhooks', () => {
  it('HOOK8 are read from the outbox webhookReadEvents at a time; one past it comes with the next read', async (t) => {
    const { outbox } = platform.core.store;
    const reads: number[] = [];
    const events = Array.from({ length: limits.webhookReadEvents + 1 }, (_, index) => ({
      position: index + 1,
      event: { type: 'callback.registered' },
    }));
    const read = t.mock.method(outbox, 'read', async (_reader: string, limit: number) => {
      const batch = events.splice(0, limit);
      if (batch.length > 0) reads.push(batch.length);
      return batch as never;
    });
    t.mock.method(outbox, 'advance', async () => {});
    await listen([]);
    await settled(() => events.length === 0 && reads.length === 2);
    read.mock.restore();
    assert.deepEqual(reads, [limits.webhookReadEvents, 1]);
  });

  it('HOOK12 ARC8 DOWN1 tell of every change of an archive, with a link once there is something to have', async () => {
    await listen(['archive/status']);
    const { core, projectId, recordings } = platform;
    const session = await platform.session();
    const client = await platform.enter(session);
    const streamId = await platform.publish(client);
    const actor = { kind: 'system' } as const;
    const { archive } = await core.archives.start(actor, projectId, { sessionId: session.id, name: 'Visit' });
    recordings.last.observer.began(archive.createdAt + 700);
    await client.client.actions.unpublish({ streamId });
    await core.archives.stop(actor, projectId, archive.id);
    await receiver.until(4);
    await core.archives.remove(actor, projectId, archive.id);
    await receiver.until(5);
    const bodies = receiver.bodies();
    const statuses = ['started', 'paused', 'stopped', 'available', 'deleted'];
    assert.deepEqual(
      bodies.map(({ status }) => status),
      statuses,
    );
    for (const body of bodies) {
      const { event, id, name, sessionId, projectId: project, createdAt, certificate, password } = body;
      assert.deepEqual([event, id, name, sessionId], ['archive', archive.id, 'Visit', session.id]);
      assert.deepEqual([project, createdAt, certificate, password], [Number(projectId), archive.createdAt, '', '']);
    }
    assert.match(String(bodies[3]!.url), /^http:\/\/media\.example\/cloister\/v1\/archive\//);
    assert.deepEqual([bodies[2]!.url, bodies[4]!.url], [null, null]);
    assert.equal(bodies[3]!.sha256sum, recordings.file(archive.id).sha256);
  });

  it('HOOK3 HOOK4 HOOK6 tell of connections and streams, in order, with reasons', async () => {
    await listen(all);
    const session = await platform.session();
    const first = await platform.enter(session, 'publisher', 'name=Bob');
    const streamId = await platform.publish(first);
    const moderator = await platform.enter(session, 'moderator');
    await moderator.client.actions.forceUnpublish({ streamId });
    const second = await platform.publish(first);
    await moderator.client.actions.forceDisconnect({ connectionId: first.client.connectionId });
    moderator.client.leave('networkDisconnected');
    await receiver.until(8);
    const at = platform.clock.now();
    const facts = { sessionId: session.id, projectId: platform.projectId, timestamp: at };
    const one = { id: first.client.connectionId, createdAt: at, data: 'name=Bob' };
    const two = { id: moderator.client.connectionId, createdAt: at, data: '' };
    const stream = (id: string) => ({ id, connection: one, createdAt: at, name: 'camera', videoType: 'camera' });
    assert.deepEqual(receiver.bodies(), [
      { ...facts, event: 'connectionCreated', connection: one },
      { ...facts, event: 'streamCreated', stream: stream(streamId) },
      { ...facts, event: 'connectionCreated', connection: two },
      { ...facts, event: 'streamDestroyed', stream: stream(streamId), reason: 'forceUnpublished' },
      { ...facts, event: 'streamCreated', stream: stream(second) },
      { ...facts, event: 'streamDestroyed', stream: stream(second), reason: 'forceDisconnected' },
      { ...facts, event: 'connectionDestroyed', connection: one, reason: 'forceDisconnected' },
      { ...facts, event: 'connectionDestroyed', connection: two, reason: 'networkDisconnected' },
    ]);
    assert.equal(receiver.busiest, 1);
  });

  it('HOOK4 leave out the type of a stream that has no picture', async () => {
    await listen(['stream/created']);
    const client = await platform.enter(await platform.session());
    const { transportId } = await client.client.actions.openTransport({ direction: 'send' });
    const { stream } = await client.client.actions.publish({
      name: '',
      initials: '',
      videoType: null,
      hasAudio: true,
      hasVideo: false,
      videoDimensions: { width: 0, height: 0 },
      frameRate: 30,
      audioFallback: true,
    });
    await client.client.actions.produce({
      streamId: stream.streamId,
      kind: 'audio',
      rtpParameters: {} as never,
      paused: false,
    });
    client.observer.transportConnected(transportId, 'send', 'AEAD_AES_256_GCM');
    await receiver.until(1);
    const [body] = receiver.bodies();
    assert.equal('videoType' in (body!.stream as object), false);
    client.client.leave('clientDisconnected');
  });

  it('HOOK13 tell every project with the address list of its changes, and who is behind of those to come', async () => {
    await listen(['ipRanges/changed', 'ipRanges/reminder']);
    const { addressLists, addressReminders } = platform.core;
    const system = { kind: 'system' } as const;
    const block: BlockWish = {
      ...{ prefix: '185.1.2.0/24', component: 'media', zone: 'eu', line: 'enterprise', effectiveAt: null },
      ...{ ports: [{ first: 443, last: 443 }], protocols: ['udp'] },
    };
    await addressLists.announce(system, { ...block, prefix: '185.1.3.0/24', line: 'standard' });
    const { token: version, blockId, blocks } = await addressLists.announce(system, block);
    await receiver.until(1);
    const at = platform.clock.now();
    const { projectId } = platform;
    const change = { version, change: 'announced', blockId, prefix: block.prefix, emergency: null };
    assert.deepEqual(receiver.bodies(), [{ projectId, event: 'ipRangesChanged', timestamp: at, ...change }]);
    platform.clock.advance(83 * 86_400_000);
    await addressReminders.remind();
    await receiver.until(2);
    const takesEffectAt = blocks.find(({ id }) => id === blockId)!.effectiveAt;
    const reminder = { version, takesEffectAt, days: 7, timestamp: platform.clock.now() };
    assert.deepEqual(receiver.bodies()[1], { projectId, event: 'ipRangesReminder', ...reminder });
  });

  it('HOOK5 are signed by a secret that signs nothing else', async () => {
    await listen(['connection/created']);
    receiver.answer = () => (receiver.calls.length === 1 ? 500 : 200);
    await visit();
    await receiver.until(1);
    await settled(() => journal.length > 0);
    await passTime();
    await receiver.until(2);
    const secret = await platform.core.projects.signatureSecretOf(platform.projectId);
    const ids = receiver.calls.map(({ headers, body, method }) => {
      assert.equal(method, 'POST');
      assert.equal(headers['content-type'], 'application/json');
      const [head, payload, signature] = headers.authorization!.replace(/^Bearer /, '').split('.');
      assert.equal(createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url'), signature);
      const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
      assert.equal(claims.iss, 'Vonage');
      assert.equal(claims.api_key, platform.projectId);
      assert.ok(Number.isInteger(claims.iat));
      assert.equal(claims.payload_hash, createHash('sha256').update(body).digest('hex'));
      return claims.jti;
    });
    assert.equal(ids[0], ids[1]);
    const [own] = await platform.core.projects.secretsOf(platform.projectId);
    assert.notEqual(own!.secret, secret);
  });

  it('HOOK5 are signed by the new secret once it is replaced, those that are tried again too', async () => {
    await listen(['connection/created']);
    receiver.answer = () => (receiver.calls.length === 1 ? 401 : 200);
    const { projects, store } = platform.core;
    await visit();
    await receiver.until(1);
    await settled(() => journal.length > 0);
    const secret = await projects.rotateSignatureSecret({ kind: 'system' }, platform.projectId);
    await passTime();
    await receiver.until(2);
    const signed = receiver.calls.map(({ headers }) => {
      const [head, payload, signature] = headers.authorization!.replace(/^Bearer /, '').split('.');
      return createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url') === signature;
    });
    assert.deepEqual(signed, [false, true]);
    const events = (await store.outbox.read('test', limits.outboxReadRows)).map(({ event }) => event);
    assert.equal(events.filter((event) => event?.type === 'project.signatureSecretRotated').length, 1);
    assert.ok(!JSON.stringify(events).includes(secret));
  });

  it('HOOK6 HOOK9 of one session wait for each other, and other sessions do not wait', async () => {
    await listen(['connection/created', 'connection/destroyed']);
    const dead = await platform.session();
    let revive: (status: number) => void = () => {};
    receiver.answer = (_call, body) =>
      body.sessionId === dead.id && body.event === 'connectionCreated'
        ? new Promise((resolve) => {
            revive = resolve;
          })
        : 200;
    await visit(dead);
    await receiver.until(1);
    const others = [await visit(), await visit(), await visit()];
    await receiver.until(7);
    assert.equal(receiver.bodies().filter((each) => each.sessionId === dead.id).length, 1);
    for (const { id } of others) {
      const events = receiver
        .bodies()
        .filter((each) => each.sessionId === id)
        .map(({ event }) => event);
      assert.deepEqual(events, ['connectionCreated', 'connectionDestroyed']);
    }
    revive(200);
    await receiver.until(8);
    assert.equal(receiver.bodies()[7]!.event, 'connectionDestroyed');
  });

  it('HOOK7 are tried again with doubling waits, in order, and given up in the end', async () => {
    await listen(['connection/created', 'connection/destroyed']);
    const session = await platform.session();
    receiver.answer = (_call, { event }) =>
      event === 'connectionDestroyed' ? 204 : receiver.calls.length % 2 ? 302 : 'timeout';
    await visit(session);
    for (let attempt = 1; attempt <= limits.webhookAttempts; attempt += 1) {
      await receiver.until(attempt);
      await settled(() => journal.length === attempt);
      const { message, fields } = journal[attempt - 1]!;
      if (attempt === limits.webhookAttempts) {
        assert.equal(message, 'a webhook was given up');
        break;
      }
      const wait = Math.min(limits.webhookFirstWaitSeconds * 2 ** (attempt - 1), limits.webhookWaitSecondsMax);
      assert.deepEqual([message, fields.delayMs], ['a webhook failed and will be tried again', wait * 1000]);
      await settled(async () => ((await platform.core.store.deliveries.nextDueAt()) ?? 0) > platform.clock.now());
      platform.clock.advance(wait * 1000 - 1);
      await new Promise(setImmediate);
      assert.equal(receiver.calls.length, attempt);
      platform.clock.advance(1);
    }
    await receiver.until(limits.webhookAttempts + 1);
    const events = receiver.bodies().map(({ event }) => event);
    assert.deepEqual(events, [...Array(limits.webhookAttempts).fill('connectionCreated'), 'connectionDestroyed']);
    await settled(async () => !(await queued()));
    assert.ok(journal.every(({ fields }) => !JSON.stringify(fields).includes('app.example')));
  });

  it('HOOK8 survive a restart, whether they were read, queued or under way', async () => {
    await listen(['connection/created']);
    receiver.answer = () => new Promise(() => {});
    await visit();
    await receiver.until(1);
    const stopping = webhooks.stop();
    platform.clock.advance(limits.webhookStopSeconds * 1000);
    await stopping;
    await visit();
    await platform.core.recorder.flush();
    receiver = new Receiver();
    start();
    await receiver.until(2);
    await settled(async () => !(await queued()));
    await webhooks.stop();
    receiver = new Receiver();
    start();
    await visit();
    await receiver.until(1);
    await settled(async () => !(await queued()));
    assert.equal(receiver.calls.length, 1);
  });

  it('HOOK9 leave room for other projects, and have a bound in all', async () => {
    await listen(['connection/created']);
    const { project } = await platform.core.projects.create({ kind: 'system' }, platform.accountId, {});
    const wish = { group: 'connection', event: 'created', url: 'https://other.example/' };
    await platform.core.callbacks.register({ kind: 'system' }, project.id, wish);
    let release: () => void = () => {};
    const blocked = new Promise<number>((resolve) => {
      release = () => resolve(200);
    });
    receiver.answer = (call) => (call.url.includes('other') ? 200 : blocked);
    const count = limits.webhooksInFlightPerProject + 4;
    for (let each = 0; each < count; each += 1) await visit();
    await receiver.until(limits.webhooksInFlightPerProject);
    const other = await platform.core.sessions.create({ kind: 'system' }, project.id, {
      mediaMode: 'routed',
      archiveMode: 'manual',
      e2ee: false,
    });
    await visit(other);
    await receiver.until(limits.webhooksInFlightPerProject + 1);
    assert.equal(receiver.bodies().at(-1)!.sessionId, other.id);
    assert.equal(receiver.busiest, limits.webhooksInFlightPerProject + 1);
    assert.ok(limits.webhooksInFlightPerProject < limits.webhooksInFlight);
    release();
    await receiver.until(count + 1);
    await settled(async () => !(await queued()));
    await platform.core.projects.remove({ kind: 'system' }, project.id);
  });

  it('HOOK10 are sealed while they wait, and go with their project', async () => {
    await listen(['connection/created']);
    receiver.answer = () => 500;
    const { project } = await platform.core.projects.create({ kind: 'system' }, platform.accountId, {});
    const wish = { group: 'connection', event: 'created', url: 'https://marker-url.example/' };
    await platform.core.callbacks.register({ kind: 'system' }, project.id, wish);
    const session = await platform.core.sessions.create({ kind: 'system' }, project.id, {
      mediaMode: 'routed',
      archiveMode: 'manual',
      e2ee: false,
    });
    await platform.enter(session, 'publisher', 'marker-data');
    await receiver.until(1);
    await settled(() => journal.length === 1);
    const [waiting] = await platform.core.store.deliveries.due(Number.MAX_SAFE_INTEGER, 10, []);
    assert.doesNotMatch(JSON.stringify(waiting), /marker|example/);
    await platform.core.projects.remove({ kind: 'system' }, project.id);
    await settled(async () => !(await queued()));
    platform.clock.advance(limits.webhookWaitSecondsMax * 1000);
    receiver.answer = () => 200;
    await visit();
    await receiver.until(2);
    await settled(async () => !(await queued()));
    assert.notEqual(receiver.bodies()[1]!.sessionId, session.id);
  });

  it('HOOK9 of others are sent when an event of one project does not open, and the journal says so', async () => {
    await listen(['connection/created']);
    await webhooks.stop();
    const { project } = await platform.core.projects.create({ kind: 'system' }, platform.accountId, {});
    const wish = { mediaMode: 'routed', archiveMode: 'manual', e2ee: false } as const;
    await visit(await platform.core.sessions.create({ kind: 'system' }, project.id, wish));
    await platform.core.recorder.flush();
    await platform.core.keys.destroyDataKey(project.id);
    await visit();
    receiver = new Receiver();
    start();
    await receiver.until(1);
    await settled(async () => !(await queued()));
    const expected = ['an event could not be opened: its webhooks are not sent', 'error', project.id, 'SealBroken'];
    assert.deepEqual(
      journal.map(({ level, message, fields }) => [message, level, fields.projectId, fields.why]),
      [expected, expected],
    );
    await platform.core.projects.remove({ kind: 'system' }, project.id);
  });

  it('HOOK9 go to the other callbacks when the address of one does not open', async () => {
    await listen(['connection/created']);
    const { core } = platform;
    const { project } = await core.projects.create({ kind: 'system' }, platform.accountId, {});
    const url = core.keys.seal(project.id, 'another place', 'https://broken.example/');
    const facts = { id: 'broken', projectId: project.id, group: 'connection', event: 'created', url } as const;
    const event = core.recorder.stamp(
      { kind: 'system' },
      { type: 'callback.registered', projectId: project.id, callbackId: 'broken' },
    );
    await core.store.callbacks.create({ ...facts, createdAt: 0 }, event);
    const good = { group: 'connection', event: 'created', url: 'https://good.example/' };
    await core.callbacks.register({ kind: 'system' }, project.id, good);
    const wish = { mediaMode: 'routed', archiveMode: 'manual', e2ee: false } as const;
    await visit(await core.sessions.create({ kind: 'system' }, project.id, wish));
    await receiver.until(1);
    await visit();
    await receiver.until(2);
    assert.deepEqual(receiver.calls.map((call) => new URL(call.url).hostname).sort(), ['app.example', 'good.example']);
    assert.deepEqual(
      journal.map(({ fields }) => [fields.callbackId, fields.why]),
      [['broken', 'SealBroken']],
    );
    await settled(async () => !(await queued()));
    await core.projects.remove({ kind: 'system' }, project.id);
  });

  it('HOOK11 go to callbacks that are registered, and to no others', async () => {
    await listen(['stream/created']);
    await visit();
    const [callback] = registered;
    await platform.core.callbacks.remove({ kind: 'system' }, platform.projectId, callback!.id);
    registered = [];
    const client = await platform.enter(await platform.session());
    await platform.publish(client);
    client.client.leave('clientDisconnected');
    await platform.core.recorder.flush();
    await settled(async () => (await platform.core.store.outbox.read('webhooks', 1)).length === 0);
    assert.equal(receiver.calls.length, 0);
    assert.equal(await queued(), false);
  });
});
