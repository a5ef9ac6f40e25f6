import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { camera, rtpParameters, type TestClient, type TestPlatform, testPlatform } from './platform.ts';

describe('a live session', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
  });
  after(() => platform.close());

  it('tells everybody of everybody, in one order', async () => {
    const session = await platform.session();
    const first = await platform.enter(session, 'publisher', 'one');
    const second = await platform.enter(session, 'publisher', 'two');
    assert.deepEqual(
      second.client.welcome.connections.map((each) => each.data),
      ['one'],
    );
    assert.deepEqual(
      first.data('connectionCreated').map((each) => (each.connection as { data: string }).data),
      ['two'],
    );
    const streamId = await platform.publish(second);
    second.client.leave('networkDisconnected');
    assert.deepEqual(first.events(), ['connectionCreated', 'streamCreated', 'streamDestroyed', 'connectionDestroyed']);
    assert.deepEqual(first.data('streamDestroyed'), [{ streamId, reason: 'networkDisconnected' }]);
  });

  it('announces a stream only when its leg is recorded and allowed', async () => {
    const session = await platform.session();
    const first = await platform.enter(session);
    const second = await platform.enter(session);
    const { actions } = second.client;
    const { transportId } = await actions.openTransport({ direction: 'send' });
    const wish = { ...camera, hasVideo: false } as const;
    const { stream } = await actions.publish(wish);
    await actions.produce({ streamId: stream.streamId, kind: 'audio', rtpParameters, paused: false });
    assert.deepEqual(first.data('streamCreated'), []);
    await assert.rejects(
      first.client.actions.subscribe({ streamId: stream.streamId, rtpCapabilities: {}, audio: true, video: true }),
      { code: 'StreamNotFound' },
    );
    second.observer.transportConnected(transportId, 'send', 'AES_CM_128_HMAC_SHA1_80');
    await new Promise(setImmediate);
    assert.equal(first.data('streamCreated').length, 1);
    assert.deepEqual(second.media.slice(-1), ['allow stream']);
  });

  it('announces no stream of which no track is there yet, though its leg is allowed and it named none', async () => {
    const session = await platform.session();
    const first = await platform.enter(session);
    const second = await platform.enter(session);
    const { actions } = second.client;
    const { transportId } = await actions.openTransport({ direction: 'send' });
    const { stream } = await actions.publish({ ...camera, hasVideo: false });
    second.observer.transportConnected(transportId, 'send', 'AEAD_AES_256_GCM');
    await new Promise(setImmediate);
    assert.deepEqual(first.data('streamCreated'), []);
    const track = { streamId: stream.streamId, kind: 'audio', rtpParameters, paused: false } as const;
    // One that goes with its transport is none either.
    await actions.openTransport({ direction: 'send' });
    await actions.produce(track);
    const { transportId: newest } = await actions.openTransport({ direction: 'send' });
    second.observer.transportConnected(newest, 'send', 'AEAD_AES_256_GCM');
    await new Promise(setImmediate);
    assert.deepEqual(first.data('streamCreated'), []);
    await actions.produce(track);
    assert.equal(first.data('streamCreated').length, 1);
  });

  it('mutes at the server before it tells the client, and those who come later start muted', async () => {
    const session = await platform.session();
    const moderator = await platform.enter(session, 'moderator');
    const speaker = await platform.enter(session);
    const streamId = await platform.publish(speaker);
    await moderator.client.actions.forceMuteStream({ streamId });
    assert.ok(speaker.media.includes('pause audio'));
    assert.deepEqual(speaker.data('muteForced'), [{ active: false, streamIds: [streamId] }]);
    assert.deepEqual(
      moderator.data('streamUpdated').map((each) => [each.changed, each.newValue]),
      [['hasAudio', false]],
    );

    await moderator.client.actions.forceMuteAll({ active: true, excludedStreamIds: [] });
    const late = await platform.enter(session);
    await platform.publish(late);
    assert.ok(late.media.includes('produce audio paused'));
    await moderator.client.actions.forceMuteAll({ active: false, excludedStreamIds: [] });
    const later = await platform.enter(session);
    await platform.publish(later);
    assert.ok(later.media.includes('produce audio'));
  });

  it('leaves excluded streams alone', async () => {
    const session = await platform.session();
    const moderator = await platform.enter(session, 'moderator');
    const kept = await platform.publish(moderator);
    const muted = await platform.publish(await platform.enter(session));
    await moderator.client.actions.forceMuteAll({ active: true, excludedStreamIds: [kept] });
    assert.deepEqual(
      moderator.data('streamUpdated').map((each) => each.streamId),
      [muted],
    );
  });

  it('lets nobody moderate whose role does not allow it', async () => {
    const session = await platform.session();
    const publisher = await platform.enter(session, 'publisher');
    const other = await platform.enter(session, 'publisher');
    const streamId = await platform.publish(other);
    const { actions, connectionId } = publisher.client;
    const attempts = [
      () => actions.forceDisconnect({ connectionId: other.client.connectionId }),
      () => actions.forceUnpublish({ streamId }),
      () => actions.forceMuteStream({ streamId }),
      () => actions.forceMuteAll({ active: true, excludedStreamIds: [] }),
    ];
    for (const attempt of attempts) await assert.rejects(attempt, { code: 'PermissionDenied' });
    const quiet = await platform.enter(session, 'publisheronly');
    await assert.rejects(quiet.client.actions.subscribe({ streamId, rtpCapabilities: {}, audio: true, video: true }), {
      code: 'PermissionDenied',
    });
    await assert.rejects(quiet.client.actions.signal({ data: 'x' }), { code: 'PermissionDenied' });
    const viewer = await platform.enter(session, 'subscriber');
    await assert.rejects(platform.publish(viewer), { code: 'PermissionDenied' });
    assert.ok(connectionId);
  });

  it('disconnects by force: told, its streams first, gone for the others', async () => {
    const session = await platform.session();
    const moderator = await platform.enter(session, 'moderator');
    const victim = await platform.enter(session);
    await platform.publish(victim);
    await moderator.client.actions.forceDisconnect({ connectionId: victim.client.connectionId });
    assert.deepEqual(victim.data('close'), [{ reason: 'forceDisconnected', error: null }]);
    assert.deepEqual(moderator.events().slice(-2), ['streamDestroyed', 'connectionDestroyed']);
    await assert.rejects(moderator.client.actions.forceDisconnect({ connectionId: victim.client.connectionId }), {
      code: 'ConnectionNotFound',
    });
  });

  it('delivers signals to all with the sender, or to one', async () => {
    const session = await platform.session();
    const first = await platform.enter(session);
    const second = await platform.enter(session);
    await first.client.actions.signal({ type: 'chat', data: 'hello' });
    await first.client.actions.signal({ data: 'you', to: second.client.connectionId });
    await platform.core.calls.signal(platform.projectId, session.id, { type: 's', data: 'server' }, null);
    const texts = (client: TestClient) => client.data('signal').map((each) => each.data);
    assert.deepEqual(texts(first), ['hello', 'server']);
    assert.deepEqual(texts(second), ['hello', 'you', 'server']);
    assert.equal(second.data('signal')[2]?.from, null);
  });

  it('refuses every DTLS role but client', async () => {
    const client = await platform.enter(await platform.session());
    const { transportId } = await client.client.actions.openTransport({ direction: 'send' });
    const fingerprints = [{ algorithm: 'sha-256', value: 'AA' }];
    for (const role of ['server', 'auto', undefined] as const) {
      await assert.rejects(
        client.client.actions.connectTransport({ transportId, dtlsParameters: { role, fingerprints } }),
        { code: 'DtlsRoleRefused' },
      );
    }
    await client.client.actions.connectTransport({ transportId, dtlsParameters: { role: 'client', fingerprints } });
    assert.deepEqual(client.media, ['connect']);
  });

  it('holds the limit of streams of a connection: at it, and one past it', async () => {
    const client = await platform.enter(await platform.session());
    const wish = {
      name: '',
      initials: '',
      videoType: 'custom',
      hasAudio: true,
      hasVideo: true,
      videoDimensions: { width: 0, height: 0 },
      frameRate: 30,
      audioFallback: true,
    } as const;
    for (let each = 0; each < limits.streamsPerConnection; each += 1) await client.client.actions.publish(wish);
    await assert.rejects(client.client.actions.publish(wish), { code: 'LimitReached' });
  });

  it('admits a ticket once, for a minute, and only while its secret is valid', async () => {
    const session = await platform.session();
    const [secret] = await platform.core.projects.secretsOf(platform.projectId);
    const claims = {
      projectId: platform.projectId,
      sessionId: session.id,
      role: 'publisher',
      connectionData: '',
      layoutClasses: [],
      secretId: secret!.id,
    } as const;
    const link = { send() {}, close() {} };
    const { ticket } = await platform.core.calls.join(claims, 'ws://x');
    await platform.core.calls.admit(ticket, link);
    await assert.rejects(platform.core.calls.admit(ticket, link), { code: 'AdmissionRefused' });
    const late = await platform.core.calls.join(claims, 'ws://x');
    platform.clock.advance(limits.admissionSeconds * 1000);
    await assert.rejects(platform.core.calls.admit(late.ticket, link), { code: 'AdmissionRefused' });
    const old = await platform.core.calls.join(claims, 'ws://x');
    await platform.core.projects.rotateSecret({ kind: 'system' }, platform.projectId, { how: 'at once' });
    await assert.rejects(platform.core.calls.admit(old.ticket, link), { code: 'AdmissionRefused' });
    await assert.rejects(platform.core.calls.admit(`${ticket}x`, link), { code: 'AdmissionRefused' });
  });

  it('closes the connections of a compromised secret, and no others', async () => {
    const session = await platform.session();
    const old = await platform.enter(session);
    await platform.core.projects.rotateSecret({ kind: 'system' }, platform.projectId, { how: 'grace', seconds: 60 });
    const fresh = await platform.enter(session);
    assert.ok(!old.events().includes('close'));
    const secrets = await platform.core.projects.secretsOf(platform.projectId);
    assert.equal(secrets.length, 2);
    platform.clock.advance(60_000);
    assert.equal((await platform.core.projects.secretsOf(platform.projectId)).length, 1);
    await platform.core.projects.rotateSecret({ kind: 'system' }, platform.projectId, { how: 'compromised' });
    assert.ok(old.events().includes('close'));
    assert.ok(fresh.events().includes('close'));
  });

  it('sends everybody away when its project is suspended, and lets nobody in', async () => {
    const session = await platform.session();
    const client = await platform.enter(session);
    await platform.core.projects.setStatus({ kind: 'system' }, platform.projectId, 'SUSPENDED');
    assert.ok(client.events().includes('close'));
    await assert.rejects(platform.enter(session), { code: 'ProjectSuspended' });
    await platform.core.projects.setStatus({ kind: 'system' }, platform.projectId, 'ACTIVE');
    await platform.enter(session);
  });

  it('asks a client whose media was lost to connect it again, in the same session', async () => {
    const session = await platform.session();
    const viewer = await platform.enter(session);
    const client = await platform.enter(session);
    const streamId = await platform.publish(client);
    client.observer.mediaLost('worker died');
    assert.equal(client.data('mediaReset').length, 1);
    assert.deepEqual(viewer.data('streamDestroyed'), []);
    const { transportId } = await client.client.actions.openTransport({ direction: 'send' });
    const again = await client.client.actions.publish({ streamId, ...camera });
    assert.equal(again.stream.streamId, streamId);
    await client.client.actions.produce({ streamId, kind: 'audio', rtpParameters, paused: false });
    client.observer.transportConnected(transportId, 'send', 'AEAD_AES_256_GCM');
    await new Promise(setImmediate);
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.deepEqual(
      legs.map((leg) => [leg.streamId, leg.closedAt === null]),
      [
        [streamId, false],
        [streamId, true],
      ],
    );
  });
});

describe('the media policy', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
    await platform.core.projects.setPolicy({ kind: 'system' }, platform.projectId, 'require-aes256');
  });
  after(() => platform.close());

  it('refuses a weak leg with the typed error, records it, and announces nothing', async () => {
    const session = await platform.session();
    const viewer = await platform.enter(session);
    const weak = await platform.enter(session);
    const streamId = await platform.publish(weak, 'AES_CM_128_HMAC_SHA1_80');
    const [leg] = weak.data('leg');
    assert.equal(leg?.state, 'refused');
    assert.equal((leg!.error as { code: string }).code, 'SuiteRefused');
    assert.ok(!weak.media.includes('allow stream'));
    assert.ok(weak.media.includes('close stream'));
    assert.deepEqual(viewer.events(), ['connectionCreated']);
    const record = await platform.core.calls.security(platform.projectId, session.id);
    assert.equal(record.policy, 'require-aes256');
    assert.deepEqual(
      record.legs.map((each) => [each.streamId, each.state, each.suiteSeenByServer]),
      [[streamId, 'refused', 'AES_CM_128_HMAC_SHA1_80']],
    );
  });

  it('refuses a receive leg that is weak or unknown, before the consumer may run', async () => {
    const session = await platform.session();
    const streamId = await platform.publish(await platform.enter(session));
    for (const suite of ['AEAD_AES_128_GCM', 'unknown'] as const) {
      const viewer = await platform.enter(session);
      const { transportId } = await viewer.client.actions.openTransport({ direction: 'receive' });
      await viewer.client.actions.subscribe({ streamId, rtpCapabilities: {}, audio: true, video: true });
      await viewer.client.actions.resumeSubscription({ streamId });
      viewer.observer.transportConnected(transportId, 'receive', suite);
      await new Promise(setImmediate);
      assert.equal(viewer.data('leg')[0]?.state, 'refused');
      assert.ok(!viewer.media.includes('allow subscription'));
      assert.ok(viewer.media.includes('close subscription'));
    }
  });

  it('judges a transport that is opened again anew, whatever the media plane says late of the older one', async () => {
    const session = await platform.session();
    const streamId = await platform.publish(await platform.enter(session));
    const viewer = await platform.enter(session);
    const { actions } = viewer.client;
    const wish = { streamId, rtpCapabilities: {}, audio: true, video: true };
    const first = await actions.openTransport({ direction: 'receive' });
    viewer.observer.transportConnected(first.transportId, 'receive', 'AEAD_AES_256_GCM');
    await actions.subscribe(wish);
    await new Promise(setImmediate);
    assert.ok(viewer.media.includes('allow subscription'));

    viewer.media.length = 0;
    platform.whileOpening = () => viewer.observer.consumersAdded(streamId, []);
    const second = await actions.openTransport({ direction: 'receive' });
    platform.whileOpening = () => {};
    await actions.subscribe(wish);
    viewer.observer.transportConnected(second.transportId, 'receive', 'AES_CM_128_HMAC_SHA1_80');
    await new Promise(setImmediate);
    assert.ok(!viewer.media.includes('allow subscription'), viewer.media.join(', '));
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.deepEqual(
      legs
        .filter((leg) => leg.connectionId === viewer.client.connectionId)
        .map((leg) => [leg.state, leg.suiteSeenByServer, leg.closedAt !== null]),
      [
        ['allowed', 'AEAD_AES_256_GCM', true],
        ['refused', 'AES_CM_128_HMAC_SHA1_80', true],
      ],
    );
  });

  it('keeps a leg of its own for each time that a stream is subscribed to', async () => {
    const session = await platform.session();
    const streamId = await platform.publish(await platform.enter(session));
    const viewer = await platform.enter(session);
    const { actions } = viewer.client;
    const wish = { streamId, rtpCapabilities: {}, audio: true, video: true };
    const { transportId } = await actions.openTransport({ direction: 'receive' });
    viewer.observer.transportConnected(transportId, 'receive', 'AEAD_AES_256_GCM');
    await actions.subscribe(wish);
    // The record of a refusal is not to be wiped by subscribing again.
    await actions.reportSuite({ transportId, suite: 'AES_CM_128_HMAC_SHA1_80', dtlsVersion: 'DTLS 1.2' });
    await actions.reportSuite({ transportId, suite: 'AEAD_AES_256_GCM', dtlsVersion: 'DTLS 1.2' });
    await actions.subscribe(wish);
    await actions.unsubscribe({ streamId });
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.deepEqual(
      legs
        .filter((leg) => leg.direction === 'receive')
        .map((leg) => [leg.state, leg.suiteReportedByClient, leg.closedAt !== null]),
      [
        ['refused', 'AES_CM_128_HMAC_SHA1_80', true],
        ['allowed', 'AEAD_AES_256_GCM', true],
      ],
    );
  });

  it('ends a leg whose client says another suite than the server saw', async () => {
    const session = await platform.session();
    const viewer = await platform.enter(session);
    const client = await platform.enter(session);
    const streamId = await platform.publish(client);
    const { transportId } = await client.client.actions.openTransport({ direction: 'send' });
    await client.client.actions.produce({ streamId, kind: 'audio', rtpParameters, paused: false });
    client.observer.transportConnected(transportId, 'send', 'AEAD_AES_256_GCM');
    await new Promise(setImmediate);
    await client.client.actions.reportSuite({ transportId, suite: 'AEAD_AES_256_GCM', dtlsVersion: 'DTLS 1.2' });
    assert.deepEqual(viewer.data('streamDestroyed'), []);
    await client.client.actions.reportSuite({ transportId, suite: 'AES_CM_128_HMAC_SHA1_80', dtlsVersion: 'DTLS 1.2' });
    assert.deepEqual(
      viewer.data('streamDestroyed').map((each) => each.streamId),
      [streamId],
    );
    const record = await platform.core.calls.security(platform.projectId, session.id);
    const last = record.legs.at(-1)!;
    assert.deepEqual(
      [last.agree, last.state, last.suiteReportedByClient, last.dtlsVersion],
      [false, 'refused', 'AES_CM_128_HMAC_SHA1_80', 'DTLS 1.2'],
    );
  });

  it('is not taken where the worker cannot prove suites, nor where the plan does not have it', async () => {
    const session = await platform.session();
    platform.reportsSuites = false;
    await assert.rejects(platform.enter(session), { code: 'SuiteUnprovable' });
    await assert.rejects(platform.core.projects.setPolicy({ kind: 'system' }, platform.projectId, 'require-aes256'), {
      code: 'SuiteUnprovable',
    });
    platform.reportsSuites = true;
    const standard = await testPlatform('standard');
    await assert.rejects(standard.core.projects.setPolicy({ kind: 'system' }, standard.projectId, 'require-aes256'), {
      code: 'NotEntitled',
    });
    await standard.core.accounts.changePlan({ kind: 'system' }, standard.accountId, {
      plan: 'standard',
      addOns: ['media.aes256'],
    });
    await standard.core.projects.setPolicy({ kind: 'system' }, standard.projectId, 'require-aes256');
    await standard.close();
  });
});

describe('while the database is away for long', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
  });
  after(() => platform.close());

  it('refuses what begins something, lets everything end, and loses no leg', async () => {
    const { core, projectId } = platform;
    const session = await platform.session();
    const [publisher, moderator] = [await platform.enter(session), await platform.enter(session, 'moderator')];
    const streamId = await platform.publish(publisher);
    await core.recorder.flush();
    const outbox = core.store.outbox as { append: typeof core.store.outbox.append };
    const { append } = outbox;
    outbox.append = async () => {
      throw new PlatformError('StoreUnavailable', { why: 'no connection' });
    };
    const home = (await core.calls.home(projectId, session.id))!;
    for (let count = 0; count < limits.recordsWaiting; count += 1) {
      home.record({ kind: 'system' }, { type: 'signal.sent', toConnectionId: null });
    }
    const overloaded = { code: 'Overloaded' };
    const { actions } = publisher.client;
    await assert.rejects(platform.enter(session), overloaded);
    await assert.rejects(actions.signal({ data: 'hello' }), overloaded);
    await assert.rejects(actions.openTransport({ direction: 'receive' }), overloaded);
    await assert.rejects(core.calls.signal(projectId, session.id, { data: 'hello' }, null), overloaded);
    const record = core.calls.security(projectId, session.id);
    record.catch(() => {});
    await new Promise(setImmediate);
    platform.clock.advance(limits.recordFlushSeconds * 1000);
    await assert.rejects(record, { code: 'StoreUnavailable' });
    await moderator.client.actions.forceMuteStream({ streamId });
    publisher.client.leave('clientDisconnected');
    assert.equal(moderator.data('connectionDestroyed').length, 1);
    outbox.append = append;
    platform.clock.advance(1000);
    const { legs } = await core.calls.security(projectId, session.id);
    assert.deepEqual(
      legs.map(({ closedAt }) => closedAt !== null),
      [true],
    );
    await platform.enter(session);
  });
});
