/** Relayed sessions: who may say what to whom through the server, and what is recorded of pairs that it does not see. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, type PeerMessage } from '@cloister/protocol';
import {
  aPair,
  everything,
  LAYER,
  publishTo as publish,
  report,
  subscribeTo as subscribe,
  unable,
  WEAK,
} from './pairs.ts';
import { type TestClient, type TestPlatform, testPlatform } from './platform.ts';

const offer: PeerMessage = { kind: 'description', build: 1, type: 'offer', sdp: 'v=0', tracks: [] };

describe('a relayed session', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
  });
  after(() => platform.close());

  const say = (from: TestClient, to: TestClient, message: PeerMessage = offer) =>
    from.client.actions.peerMessage({ connectionId: to.client.connectionId, message });
  it('announces a stream at once, and tells its publisher of each subscriber with what it wants', async () => {
    const { publisher, subscriber, streamId } = await aPair(platform);
    const { connectionId } = subscriber.client;
    assert.equal(subscriber.data('streamCreated').length, 1);
    const { actions } = subscriber.client;
    await actions.updateSubscription({ streamId, video: false, preferred: { width: 320 } });
    await actions.unsubscribe({ streamId });
    await actions.unsubscribe({ streamId });
    const wanted = { ...everything, preferred: null };
    assert.deepEqual(publisher.data('peerSubscribed'), [
      { streamId, connectionId, wanted },
      { streamId, connectionId, wanted: { audio: true, video: false, preferred: { width: 320 } } },
    ]);
    assert.deepEqual(publisher.data('peerUnsubscribed'), [{ streamId, connectionId }]);
    await assert.rejects(actions.updateSubscription({ streamId, video: true }), { code: 'StreamNotFound' });
  });

  it('passes messages on both ways between the two ends of a pair', async () => {
    const { publisher, subscriber } = await aPair(platform);
    await say(publisher, subscriber);
    await say(subscriber, publisher, { kind: 'anew', build: 2 });
    assert.deepEqual(subscriber.data('peerMessage'), [{ connectionId: publisher.client.connectionId, message: offer }]);
    assert.deepEqual(publisher.data('peerMessage'), [
      { connectionId: subscriber.client.connectionId, message: { kind: 'anew', build: 2 } },
    ]);
  });

  it('passes nothing on between those who are no pair, or not any more, and not to those who are gone', async () => {
    const { session, publisher, subscriber, streamId } = await aPair(platform);
    const stranger = await platform.enter(session);
    const elsewhere = await aPair(platform);
    await assert.rejects(say(stranger, publisher), { code: 'PeerUnpaired' });
    await assert.rejects(say(publisher, stranger), { code: 'PeerUnpaired' });
    await assert.rejects(say(publisher, publisher), { code: 'PeerUnpaired' });
    await assert.rejects(report(stranger, publisher), { code: 'PeerUnpaired' });
    await assert.rejects(say(publisher, elsewhere.subscriber), { code: 'ConnectionNotFound' });
    await subscriber.client.actions.unsubscribe({ streamId });
    await assert.rejects(say(publisher, subscriber), { code: 'PeerUnpaired' });
    subscriber.client.leave('clientDisconnected');
    await assert.rejects(say(publisher, subscriber), { code: 'ConnectionNotFound' });
    assert.deepEqual(stranger.data('peerMessage'), []);
    assert.deepEqual(elsewhere.subscriber.data('peerMessage'), []);
  });

  it('passes nothing on in a routed session', async () => {
    const session = await platform.session();
    const [one, other] = [await platform.enter(session), await platform.enter(session)];
    await assert.rejects(say(one, other), { code: 'SessionRouted' });
    await assert.rejects(report(one, other), { code: 'SessionRouted' });
  });

  it('holds the limit of peers: at it, and one past it, at either end', async () => {
    const session = await platform.session({ mediaMode: 'relayed' });
    const publisher = await platform.enter(session);
    const streams = [await publish(publisher), await publish(publisher)] as const;
    for (let each = 0; each < limits.peersPerConnection; each += 1) {
      const subscriber = await platform.enter(session);
      await subscribe(streams[0], subscriber);
      // Another stream of somebody with whom media is exchanged already costs no peer.
      if (each === 0) await subscribe(streams[1], subscriber);
    }
    const late = await platform.enter(session);
    await assert.rejects(subscribe(streams[0], late), { code: 'LimitReached', message: /peersPerConnection/ });
    const own = await publish(late);
    await assert.rejects(subscribe(own, publisher), { code: 'LimitReached' });
    const another = await platform.enter(session);
    await subscribe(own, another);
  });

  it('has no transport to the server, no mute by it, and no way from a client to itself', async () => {
    const { session, publisher, subscriber, streamId } = await aPair(platform);
    const refused = { code: 'SessionRelayed' };
    const { actions } = publisher.client;
    assert.equal(publisher.client.welcome.capabilities.forceMute, 0);
    await assert.rejects(actions.openTransport({ direction: 'send' }), refused);
    await assert.rejects(subscribe(streamId, publisher), refused);
    await assert.rejects(actions.forceMuteStream({ streamId }), refused);
    await assert.rejects(actions.forceMuteAll({ active: true, excludedStreamIds: [] }), refused);
    const { calls } = platform.core;
    const system = { kind: 'system' } as const;
    await assert.rejects(calls.forceMuteStream(system, platform.projectId, session.id, streamId), refused);
    await assert.rejects(calls.forceMuteAll(system, platform.projectId, session.id, true, []), refused);
    assert.deepEqual(subscriber.data('muteForced'), []);
  });

  it('is moderated, muted by its publisher, and signalled in as a routed one', async () => {
    const { publisher, subscriber, streamId } = await aPair(platform);
    await publisher.client.actions.updateStream({ streamId, hasVideo: false });
    await subscriber.client.actions.signal({ data: 'hello' });
    assert.equal(subscriber.data('streamUpdated')[0]?.newValue, false);
    assert.equal(publisher.data('signal').length, 1);
    await publisher.client.actions.forceUnpublish({ streamId });
    assert.deepEqual(subscriber.data('streamDestroyed'), [{ streamId, reason: 'forceUnpublished' }]);
    await publisher.client.actions.forceDisconnect({ connectionId: subscriber.client.connectionId });
    assert.equal(publisher.data('connectionDestroyed').length, 1);
  });

  it('records what each end says of a pair, compares the two, and closes the leg with its subscription', async () => {
    const { session, publisher, subscriber, streamId } = await aPair(platform);
    await report(publisher, subscriber);
    await report(publisher, subscriber);
    const first = await platform.core.calls.security(platform.projectId, session.id);
    assert.equal(first.legs.length, 1);
    assert.equal(first.legs[0]?.agree, null);
    await report(subscriber, publisher);
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    const [leg] = legs;
    assert.equal(legs.length, 1);
    assert.deepEqual(leg, {
      connectionId: subscriber.client.connectionId,
      streamId,
      direction: 'receive',
      observedBy: 'clients',
      peerConnectionId: publisher.client.connectionId,
      suiteSeenByServer: null,
      suiteReportedByClient: WEAK,
      suiteReportedByPeer: WEAK,
      agree: true,
      dtlsVersion: 'DTLS 1.2',
      zone: 'any',
      state: 'allowed',
      frameLayer: null,
      framesSaidByClient: unable,
      framesSaidByPeer: unable,
      connectedAt: leg?.connectedAt,
      closedAt: null,
    });
    // Both are told, of each of the two words once.
    assert.equal(publisher.data('leg').length, 2);
    assert.deepEqual(publisher.data('leg'), subscriber.data('leg'));
    await subscriber.client.actions.unsubscribe({ streamId });
    const closed = await platform.core.calls.security(platform.projectId, session.id);
    assert.notEqual(closed.legs[0]?.closedAt, null);
  });

  it('says so when the two ends disagree, and two who know nothing agree on nothing', async () => {
    for (const words of [
      [WEAK, 'AEAD_AES_256_GCM'],
      ['unknown', 'unknown'],
    ] as const) {
      const { session, publisher, subscriber } = await aPair(platform);
      await report(publisher, subscriber, { suite: words[0] });
      await report(subscriber, publisher, { suite: words[1] });
      const { legs } = await platform.core.calls.security(platform.projectId, session.id);
      assert.deepEqual(
        legs.map(({ agree, state }) => [agree, state]),
        [[false, 'allowed']],
      );
    }
  });

  it('has a leg for each connection that an end speaks of, until both speak of one, and hears no older word then', async () => {
    const { session, publisher, subscriber } = await aPair(platform);
    const rows = async () =>
      (await platform.core.calls.security(platform.projectId, session.id)).legs.map((leg) =>
        [leg.suiteReportedByPeer, leg.suiteReportedByClient, leg.closedAt === null ? 'open' : 'closed'].join(' '),
      );
    const other = 'AES_CM_128_HMAC_SHA1_80';
    await report(publisher, subscriber, { build: 2 });
    await report(subscriber, publisher, { build: 1, suite: other });
    assert.deepEqual(await rows(), [`${WEAK}  open`, ` ${other} open`]);
    await report(subscriber, publisher, { build: 3 });
    await report(publisher, subscriber, { build: 3 });
    await report(publisher, subscriber, { build: 2, suite: other });
    await report(subscriber, publisher, { build: 1 });
    assert.deepEqual(await rows(), [`${WEAK}  closed`, ` ${other} closed`, `${WEAK} ${WEAK} open`]);
  });

  it('is not spoiled by one end that names any connection: the other is heard, and so are both where they meet', async () => {
    const { session, publisher, subscriber } = await aPair(platform);
    const open = async () =>
      (await platform.core.calls.security(platform.projectId, session.id)).legs
        .filter(({ closedAt }) => closedAt === null)
        .map(({ suiteReportedByPeer, suiteReportedByClient, agree }) => [
          suiteReportedByPeer,
          suiteReportedByClient,
          agree,
        ]);
    const enormous = { build: Number.MAX_SAFE_INTEGER, suite: 'AEAD_AES_256_GCM' } as const;
    await report(publisher, subscriber, enormous);
    await report(subscriber, publisher);
    assert.deepEqual(await open(), [
      ['AEAD_AES_256_GCM', null, null],
      [null, WEAK, null],
    ]);
    await report(publisher, subscriber);
    assert.deepEqual(await open(), [[WEAK, WEAK, true]]);
    await report(publisher, subscriber, enormous);
    assert.deepEqual(await open(), [
      [WEAK, WEAK, true],
      ['AEAD_AES_256_GCM', null, null],
    ]);
    await report(subscriber, publisher, { build: 2 });
    await report(publisher, subscriber, { build: 2 });
    assert.deepEqual(await open(), [[WEAK, WEAK, true]]);
  });

  it('ends with its subscription past legsPerSubscription: who names ever other connections fills no record', async () => {
    const { session, publisher, subscriber, streamId } = await aPair(platform);
    for (let build = 1; build <= limits.legsPerSubscription; build += 1) await report(publisher, subscriber, { build });
    await report(subscriber, publisher, { build: limits.legsPerSubscription });
    const told = subscriber.data('leg').length;
    await report(publisher, subscriber, { build: limits.legsPerSubscription + 1 });
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.equal(legs.length, limits.legsPerSubscription);
    assert.ok(legs.every(({ closedAt }) => closedAt !== null));
    const [refused] = subscriber.data('leg').slice(told);
    assert.deepEqual([refused?.state, (refused?.error as { code: string } | null)?.code], ['refused', 'LimitReached']);
    assert.equal(publisher.data('peerUnsubscribed').at(-1)?.streamId, streamId);
    await assert.rejects(report(publisher, subscriber), { code: 'PeerUnpaired' });
  });

  it('takes a word that mends what both ends say of frames, also where it changes nothing of the leg at first', async () => {
    const { session, publisher, subscriber } = await aPair(platform);
    const layer = { frameLayer: LAYER, frames: { own: true, other: true } } as const;
    await report(publisher, subscriber, { frames: layer.frames, suite: 'AEAD_AES_256_GCM' });
    await report(subscriber, publisher, { frames: layer.frames });
    await report(publisher, subscriber, { ...layer, suite: 'AEAD_AES_256_GCM' });
    await report(subscriber, publisher, layer);
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.deepEqual(
      legs.map(({ frameLayer, agree }) => [frameLayer, agree]),
      [[LAYER, false]],
    );
  });

  it('has one leg for each stream of a pair, whoever publishes it', async () => {
    const { session, publisher, subscriber } = await aPair(platform);
    await subscribe(await publish(publisher), subscriber);
    await subscribe(await publish(subscriber), publisher);
    await report(publisher, subscriber);
    await report(subscriber, publisher);
    const { legs } = await platform.core.calls.security(platform.projectId, session.id);
    assert.equal(legs.filter((leg) => leg.agree).length, 3);
    assert.equal(legs.filter((leg) => leg.connectionId === publisher.client.connectionId).length, 1);
  });

  it('records a layer of frames that both ends report; of which one knows nothing is none, and who said what stays', async () => {
    const sealed = { frameLayer: LAYER, frames: { own: true, other: true } } as const;
    const { session, publisher, subscriber } = await aPair(platform);
    await report(publisher, subscriber, sealed);
    await report(subscriber, publisher, sealed);
    const record = async () => (await platform.core.calls.security(platform.projectId, session.id)).legs.at(-1);
    assert.deepEqual([(await record())?.frameLayer, (await record())?.agree], [LAYER, true]);
    assert.deepEqual(
      subscriber.data('leg').map(({ frameLayer }) => frameLayer),
      [LAYER, LAYER],
    );
    await report(publisher, subscriber, { build: 2, ...sealed });
    await report(subscriber, publisher, { build: 2, frames: { own: true, other: false } });
    const lied = await record();
    assert.deepEqual([lied?.frameLayer, lied?.agree], [null, false]);
    assert.deepEqual([lied?.framesSaidByPeer, lied?.framesSaidByClient], [sealed.frames, { own: true, other: false }]);
    // A word that is repeated is no agreement, and one that is mended is.
    await report(subscriber, publisher, { build: 2, frames: { own: true, other: false } });
    assert.equal((await record())?.agree, false);
    await report(subscriber, publisher, { build: 2, ...sealed });
    assert.deepEqual([(await record())?.frameLayer, (await record())?.agree], [LAYER, true]);
    // Somebody told both that the other cannot.
    for (const [one, other] of [
      [publisher, subscriber],
      [subscriber, publisher],
    ] as const)
      await report(one, other, { build: 3, frames: { own: true, other: false } });
    assert.deepEqual([(await record())?.frameLayer, (await record())?.agree], [null, false]);
  });

  it('under require-aes256 lets two that can encrypt frames try, and ends the pair when they report that they do not', async () => {
    const { projectId, core } = platform;
    await core.projects.setPolicy({ kind: 'system' }, projectId, 'require-aes256');
    const session = await platform.session({ mediaMode: 'relayed' });
    const able = { frames: true };
    const [publisher, subscriber] = [
      await platform.enter(session, 'publisher', '', able),
      await platform.enter(session, 'publisher', '', able),
    ];
    const streamId = await publish(publisher);
    await subscribe(streamId, subscriber);
    await report(publisher, subscriber, { frameLayer: LAYER, frames: { own: true, other: true } });
    assert.equal(subscriber.data('leg').at(-1)?.state, 'allowed');
    await report(subscriber, publisher, { frames: { own: true, other: false } });
    const told = subscriber.data('leg').at(-1);
    assert.equal(told?.state, 'refused');
    assert.match(JSON.stringify(told?.error), /SuiteRefused/);
    assert.equal(publisher.data('peerUnsubscribed').length, 1);
    await assert.rejects(say(publisher, subscriber), { code: 'PeerUnpaired' });
    await core.projects.setPolicy({ kind: 'system' }, projectId, 'prefer-aes256');
  });

  it('is refused under require-aes256 before a word is passed on, and the refusal is in the record', async () => {
    const { projectId, core } = platform;
    await core.projects.setPolicy({ kind: 'system' }, projectId, 'require-aes256');
    const session = await platform.session({ mediaMode: 'relayed' });
    const publisher = await platform.enter(session);
    const subscriber = await platform.enter(session);
    const streamId = await publish(publisher);
    await assert.rejects(subscribe(streamId, subscriber), { code: 'SuiteRefused' });
    await assert.rejects(say(publisher, subscriber), { code: 'PeerUnpaired' });
    assert.deepEqual(publisher.data('peerSubscribed'), []);
    const { legs } = await core.calls.security(projectId, session.id);
    assert.deepEqual(
      legs.map(({ state, suiteReportedByClient, closedAt }) => [state, suiteReportedByClient, closedAt !== null]),
      [['refused', null, true]],
    );
  });
});
