/** The signed security record over the real store and real keys: who said what of each leg, and that nobody can change it. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { PeerReport, SignedSecurityRecord } from '@cloister/protocol';
import {
  type KeyRing,
  type VerifiedSecurityRecord,
  verifyManifest,
  verifySecurityRecord,
} from '../../packages/server/src/keys/index.ts';
import { aPair, LAYER, report, WEAK } from './pairs.ts';
import { camera, rtpParameters, settled, type TestPlatform, testPlatform } from './platform.ts';

const STRONG = 'AEAD_AES_256_GCM';
let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

const keySet = (of = platform) => JSON.stringify({ keys: of.core.keys.publicKeys('manifest') });
const signed = (sessionId: string) => platform.core.calls.signedSecurity(platform.projectId, sessionId);
const verified = async (sessionId: string): Promise<VerifiedSecurityRecord> =>
  verifySecurityRecord(await signed(sessionId), keySet());

/** Of each leg, who said what and when, in short. */
function said({ transcript }: SignedSecurityRecord) {
  return transcript.map((words) =>
    words.map(({ at, end, connectionId, build, suite, frameLayer, frames }) => {
      const word: unknown[] = [at, end, connectionId, suite];
      return build === null ? word : [...word, build, frameLayer, frames];
    }),
  );
}

it('has what the route gives, the words of both ends, and the names of session and project', async () => {
  const { session, publisher, subscriber } = await aPair(platform);
  await report(publisher, subscriber);
  await report(subscriber, publisher);
  platform.clock.advance(1000);
  const { record, keyId } = await verified(session.id);
  const { policy, legs } = await platform.core.calls.security(platform.projectId, session.id);
  const { transcript, ...facts } = record;
  assert.deepEqual(facts, {
    type: 'cloister-security-record',
    version: 1,
    projectId: platform.projectId,
    sessionId: session.id,
    mediaMode: 'relayed',
    policy,
    zone: 'any',
    legs,
    signedAt: platform.clock.now(),
  });
  assert.equal(legs.length, 1);
  assert.equal(keyId, platform.core.keys.publicKeys('manifest')[0]?.kid);
  const word = {
    build: 1,
    suite: WEAK,
    dtlsVersion: 'DTLS 1.2',
    frameLayer: null,
    frames: { own: false, other: false },
  };
  const at = platform.clock.now() - 1000;
  assert.deepEqual(transcript, [
    [
      { at, end: 'peer', connectionId: publisher.client.connectionId, ...word, leftOut: 0 },
      { at, end: 'client', connectionId: subscriber.client.connectionId, ...word, leftOut: 0 },
    ],
  ]);
});

it('names who was told that the other end cannot encrypt frames: one end, or both', async () => {
  const able = { own: true, other: true };
  const toldOfNone = { own: true, other: false };
  const lies: [Partial<PeerReport>, Partial<PeerReport>][] = [
    [{ frameLayer: LAYER, frames: able }, { frames: toldOfNone }],
    [{ frames: toldOfNone }, { frames: toldOfNone }],
  ];
  for (const [ofPublisher, ofSubscriber] of lies) {
    const { session, publisher, subscriber } = await aPair(platform, { frames: true });
    await report(publisher, subscriber, ofPublisher);
    platform.clock.advance(20);
    await report(subscriber, publisher, ofSubscriber);
    const { record } = await verified(session.id);
    const [leg] = record.legs;
    assert.deepEqual([leg?.frameLayer, leg?.agree, leg?.state], [null, false, 'allowed']);
    const now = platform.clock.now();
    assert.deepEqual(said(record), [
      [
        [now - 20, 'peer', publisher.client.connectionId, WEAK, 1, ofPublisher.frameLayer ?? null, ofPublisher.frames],
        [now, 'client', subscriber.client.connectionId, WEAK, 1, null, toldOfNone],
      ],
    ]);
  }
});

it('keeps the first word of an end that a later one replaced, also when all have left', async () => {
  const { session, publisher, subscriber } = await aPair(platform, { frames: true });
  const sealed = { frameLayer: LAYER, frames: { own: true, other: true } } as const;
  await report(publisher, subscriber, sealed);
  await report(subscriber, publisher, sealed);
  assert.equal((await verified(session.id)).record.legs[0]?.frameLayer, LAYER);
  await report(subscriber, publisher, { frames: { own: true, other: false } });
  for (const each of [publisher, subscriber]) each.client.leave('clientDisconnected');
  const { record } = await verified(session.id);
  assert.deepEqual([record.legs[0]?.frameLayer, record.legs[0]?.agree], [null, false]);
  assert.notEqual(record.legs[0]?.closedAt, null);
  assert.deepEqual(
    record.transcript[0]?.map(({ end, frameLayer, frames }) => [end, frameLayer, frames?.other]),
    [
      ['peer', LAYER, true],
      ['client', LAYER, true],
      ['client', null, false],
    ],
  );
});

/** Somebody who is about to send in a routed session that asks for AES-256. */
async function strictPublisher() {
  await platform.core.projects.setPolicy({ kind: 'system' }, platform.projectId, 'require-aes256');
  const session = await platform.session();
  await platform.core.projects.setPolicy({ kind: 'system' }, platform.projectId, 'prefer-aes256');
  const client = await platform.enter(session);
  const { actions, connectionId } = client.client;
  const { transportId } = await actions.openTransport({ direction: 'send' });
  const { stream } = await actions.publish(camera);
  await actions.produce({ streamId: stream.streamId, kind: 'audio', rtpParameters, paused: false });
  return { session, client, actions, connectionId, transportId };
}

it('has in a routed session what the server saw and what the client said of it, of a refused leg too', async () => {
  const { session, client, actions, connectionId, transportId } = await strictPublisher();
  const seenAt = platform.clock.now();
  client.observer.transportConnected(transportId, 'send', STRONG);
  await settled();
  platform.clock.advance(500);
  for (const suite of [STRONG, STRONG, WEAK] as const) {
    await actions.reportSuite({ transportId, suite, dtlsVersion: 'DTLS 1.2' });
  }
  const { record } = await verified(session.id);
  assert.deepEqual([record.mediaMode, record.policy, record.legs[0]?.state], ['routed', 'require-aes256', 'refused']);
  assert.deepEqual(said(record), [
    [
      [seenAt, 'server', null, STRONG],
      [seenAt + 500, 'client', connectionId, STRONG],
      [seenAt + 500, 'client', connectionId, WEAK],
    ],
  ]);
});

it('has what a client says of a handshake that the server has refused already', async () => {
  const { session, client, actions, connectionId, transportId } = await strictPublisher();
  client.observer.transportConnected(transportId, 'send', WEAK);
  await settled();
  await actions.reportSuite({ transportId, suite: STRONG, dtlsVersion: 'DTLS 1.2' });
  const { record } = await verified(session.id);
  const [leg] = record.legs;
  assert.deepEqual([leg?.state, leg?.suiteSeenByServer, leg?.suiteReportedByClient], ['refused', WEAK, STRONG]);
  assert.ok(leg?.closedAt !== null);
  const at = platform.clock.now();
  assert.deepEqual(said(record), [
    [
      [at, 'server', null, WEAK],
      [at, 'client', connectionId, STRONG],
    ],
  ]);
});

it('cannot be changed, cut, or signed by another platform, and is no manifest', async () => {
  const { session, publisher, subscriber } = await aPair(platform);
  await report(publisher, subscriber, { frames: { own: true, other: false } });
  const jws = await signed(session.id);
  const refused = { code: 'SecurityRecordRefused' };
  const [header, payload = '', signature] = jws.split('.');
  const bytes = Buffer.from(payload, 'base64url');
  for (let at = 0; at < bytes.length; at += 7) {
    const altered = Buffer.from(bytes);
    altered[at]! ^= 1;
    assert.throws(
      () => verifySecurityRecord([header, altered.toString('base64url'), signature].join('.'), keySet()),
      { ...refused, message: /changed after it was signed/ },
      `byte ${at}`,
    );
  }
  for (const cut of [jws.slice(0, -1), jws.slice(0, jws.length / 2), jws.slice(1)]) {
    assert.throws(() => verifySecurityRecord(cut, keySet()), refused);
  }
  const another = await testPlatform();
  try {
    assert.throws(() => verifySecurityRecord(jws, keySet(another)), { code: 'SecurityRecordKeyUnknown' });
    const [theirs] = another.core.keys.publicKeys('manifest');
    const [ours] = platform.core.keys.publicKeys('manifest');
    const renamed = JSON.stringify({ keys: [{ ...theirs, kid: ours?.kid }] });
    assert.throws(() => verifySecurityRecord(jws, renamed), { ...refused, message: /signed by somebody else/ });
  } finally {
    await another.close();
  }
  assert.throws(() => verifyManifest(jws, keySet()), { message: /cloister-security-record, and no manifest/ });
});

it('of a session in which nobody was is empty, and of none it is refused', async () => {
  await assert.rejects(signed('nothing'), { code: 'SessionNotFound' });
  const session = await platform.session();
  const { record } = await verified(session.id);
  assert.deepEqual([record.legs, record.transcript], [[], []]);
});

it('is verified a year after its key was replaced, and not any more once that key has leaked', async () => {
  const keys = platform.core.keys as KeyRing;
  const session = await platform.session();
  const jws = await signed(session.id);
  const { keyId } = verifySecurityRecord(jws, keySet());
  await keys.rotate('manifest');
  platform.clock.advance(365 * 24 * 3600 * 1000);
  assert.equal(verifySecurityRecord(jws, keySet()).keyId, keyId);
  assert.notEqual((await verified(session.id)).keyId, keyId);
  await keys.compromise(keyId);
  assert.throws(() => verifySecurityRecord(jws, keySet()), { code: 'SecurityRecordKeyUnknown' });
});
