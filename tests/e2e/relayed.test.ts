/**
 * Relayed sessions: Chromium and Firefox exchange media with each other, at an address that is not loopback, where browsers
 * do not look for each other. Only the way to the server is on loopback, and can be cut.
 */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { suiteOf } from '@cloister/protocol/suites';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type CapturedPacket, captureTraffic } from '../rig/capture.ts';
import { CuttableLine } from '../rig/cut.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { assertSeenAndHeard, type Call, small, startCallOf } from './calls.ts';

/** What browsers agree on between them: none of them offers AES-256 first. */
const BETWEEN_BROWSERS = ['AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_80'];
const UDP = 17;

let line: CuttableLine;
let server: Server;
let customer: Customer;
let site: Site;
let chromium: TestBrowser;
let firefox: TestBrowser;
/** Firefox shows no frames in a page that is not in front. */
let otherFirefox: TestBrowser;
/** Two Chromiums and a Firefox; another Firefox comes later. */
let [alice, bob, fred, fay]: Participant[] = [];
let call: Call;

const people = () => [alice, bob, fred] as [Participant, Participant, Participant];

before(async () => {
  line = await CuttableLine.open();
  server = await startServer({ through: line });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  [chromium, firefox] = await Promise.all([launchBrowser('chromium'), launchBrowser('firefox')]);
  const open = (browser: TestBrowser) => Participant.open(browser, site);
  [alice, bob, fred] = await Promise.all([open(chromium), open(chromium), open(firefox)]);
  call = await startCallOf(customer, people(), small, 'relayed');
});

after(async () => {
  await Promise.all([chromium?.close(), firefox?.close(), otherFirefox?.close()]);
  site?.close();
  await server?.stop();
});

const streamOf = (index: number) => call.streams[index] as string;
const kinds = ['chromium', 'chromium', 'firefox'] as const;

test('two Chromiums and a Firefox see and hear each other', async () => {
  const looks = people().map(async (participant, at) => {
    for (const [of, source] of kinds.entries()) {
      if (at !== of) await assertSeenAndHeard(participant, streamOf(of), source);
    }
  });
  await Promise.all(looks);
});

test('one more comes, and the two Firefoxes see and hear each other too', async () => {
  otherFirefox = await launchBrowser('firefox');
  fay = await Participant.open(otherFirefox, site);
  await fay.join(customer.ticket(call.sessionId));
  const stream = await fay.publish(small);
  await Promise.all(people().map((each) => each.subscribed(stream)));
  await fay.subscribed(streamOf(2));
  await Promise.all([
    assertSeenAndHeard(fay, streamOf(2), 'firefox'),
    assertSeenAndHeard(fred as Participant, stream, 'firefox'),
    assertSeenAndHeard(alice as Participant, stream, 'firefox'),
  ]);
});

test('statistics have an entry for each subscriber, and one connection serves a pair both ways', async () => {
  const own = await (bob as Participant).page.evaluate(async () => {
    const publisher = window.rig.publisher();
    const [numbers, reports] = [await publisher.getStats(), await publisher.getRtcStatsReport()];
    return {
      numbers: numbers.map(({ connectionId, stats }) => ({ connectionId, packets: stats.video.packetsSent })),
      reports: reports.map(({ connectionId, rtcStatsReport }) => [connectionId, rtcStatsReport.size > 0]),
    };
  });
  const others = [alice, fred, fay].map((each) => (each as Participant).connectionId).sort();
  assert.deepEqual(own.numbers.map(({ connectionId }) => connectionId).sort(), others);
  assert.ok(
    own.numbers.every(({ packets }) => packets > 0),
    JSON.stringify(own),
  );
  assert.deepEqual(own.reports.map(([connectionId]) => connectionId).sort(), others);
  const received = await (bob as Participant).page.evaluate((id) => window.rig.subscriber(id).getStats(), streamOf(0));
  assert.ok(received.video.packetsReceived > 0 && received.audio.packetsReceived > 0, JSON.stringify(received));
  assert.equal((await (bob as Participant).stats('transport')).length, 3);
});

test('the record has a leg for each stream at each subscriber, by the word of both browsers', async () => {
  const { legs } = await eventually(
    'twelve legs, each reported by both ends',
    () => customer.security(call.sessionId),
    (record) => record.legs.length === 12 && record.legs.every((leg) => leg.agree !== null),
  );
  for (const leg of legs) {
    assert.equal(leg.observedBy, 'clients');
    assert.equal(leg.suiteSeenByServer, null);
    assert.equal(leg.agree, true, JSON.stringify(leg));
    assert.ok(BETWEEN_BROWSERS.includes(String(leg.suiteReportedByClient)), JSON.stringify(leg));
    assert.equal(leg.dtlsVersion?.startsWith('DTLS 1.'), true, JSON.stringify(leg));
    // AES-128 between browsers, and AES-256 inside it.
    assert.equal(leg.frameLayer, 'AES_256_GCM_SHA512_128');
    assert.deepEqual([leg.framesSaidByClient, leg.framesSaidByPeer], Array(2).fill({ own: true, other: true }));
  }
  await eventually(
    'what the browser itself says of each connection',
    async () => (await (alice as Participant).stats('transport')).map((each) => suiteOf(String(each.srtpCipher))),
    (seen) => seen.length > 0 && seen.every((suite) => BETWEEN_BROWSERS.includes(suite)),
  );
  const told = await (alice as Participant).page.evaluate(() =>
    (window.rig.session() as unknown as { security(): { observedBy: string }[] }).security(),
  );
  assert.deepEqual(
    told.map(({ observedBy }) => observedBy),
    Array(6).fill('clients'),
  );
});

/** The security code that a participant sees with another. */
function codeWith(at: Participant, other: Participant): Promise<string | null> {
  return at.page.evaluate((id) => {
    const session = window.rig.session() as unknown as { securityCode(connection: unknown): string | null };
    return session.securityCode(window.rig.connection(id));
  }, other.connectionId);
}

test('two ends see one security code, and each pair has its own', async () => {
  const [a, b, f] = people();
  const codes = await Promise.all([codeWith(a, b), codeWith(b, a), codeWith(a, f), codeWith(f, a)]);
  assert.match(codes[0] as string, /^(\d{5} ){11}\d{5}$/);
  assert.deepEqual([codes[0], codes[2]], [codes[1], codes[3]]);
  assert.notEqual(codes[0], codes[2]);
});

/** Resolves when nothing of a track comes any more; others go on meanwhile, and are what time is told by. */
async function comesNoMore(at: Participant, streamId: string, kind: 'audio' | 'video'): Promise<void> {
  const packets = async () => Number((await at.inbound(streamId, kind)).packetsReceived);
  await eventually(
    `no packet of ${kind}`,
    async () => {
      const before = await packets();
      await at.look(streamOf(2), 5);
      return (await packets()) - before;
    },
    (more) => more === 0,
  );
}

test('what is muted is not sent, and comes back', async () => {
  const at = alice as Participant;
  const since = await at.mark();
  const publisher = (bob as Participant).page;
  await publisher.evaluate(() => void window.rig.publisher().publishVideo(false).publishAudio(false));
  await at.event(streamOf(1), 'videoDisabled', { since, reason: 'publishVideo' });
  await comesNoMore(at, streamOf(1), 'video');
  await comesNoMore(at, streamOf(1), 'audio');
  await publisher.evaluate(() => void window.rig.publisher().publishVideo(true).publishAudio(true));
  await at.event(streamOf(1), 'videoEnabled', { since });
  await assertSeenAndHeard(at, streamOf(1), 'chromium');
});

test('what a subscriber does not want is not sent to it alone', async () => {
  const at = alice as Participant;
  await at.page.evaluate((id) => window.rig.subscriber(id).subscribeToVideo.promise(false), streamOf(1));
  await comesNoMore(at, streamOf(1), 'video');
  assert.ok((await (fred as Participant).look(streamOf(1))).moved > 0);
  await at.page.evaluate((id) => window.rig.subscriber(id).subscribeToVideo.promise(true), streamOf(1));
  assert.ok((await at.look(streamOf(1))).moved > 0);
});

test('no page complained', () => {
  assert.deepEqual(
    // On a busy machine the SDK tries another way to the server and gives up one of the two, which Firefox reports by itself.
    [chromium, firefox, otherFirefox].flatMap(({ errors }) => errors).filter((each) => !/\/signalling\b/.test(each)),
    [],
  );
});

async function cutOfTheWay(): Promise<void> {
  const [at, by] = people();
  const since = await at.mark();
  line.cut();
  await at.event('session', 'sessionReconnecting', { since });
  assert.ok((await at.look(streamOf(1))).moved > 0);
  await by.page.evaluate(() => void window.rig.publisher().publishVideo(false));
  line.mend();
  await at.event('session', 'sessionReconnected', { since });
  await at.event(streamOf(1), 'videoDisabled', { since, reason: 'publishVideo' });
  await by.page.evaluate(() => void window.rig.publisher().publishVideo(true));
  await at.event(streamOf(1), 'videoEnabled', { since });
  assert.ok((await at.look(streamOf(1))).moved > 0);
}

async function soundAsAgreed(): Promise<void> {
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  const [speaker, listener] = await Promise.all([Participant.open(chromium, site), Participant.open(chromium, site)]);
  await Promise.all([speaker.join(customer.ticket(sessionId), null), listener.join(customer.ticket(sessionId))]);
  const stream = await speaker.publish({ ...small, enableStereo: true, enableDtx: true });
  await listener.subscribed(stream);
  const [atSpeaker] = await speaker.page.evaluate(() => window.rig.opusAgreed());
  const [atListener] = await listener.page.evaluate(() => window.rig.opusAgreed());
  assert.match(atSpeaker?.remote ?? '', /usedtx=1.*stereo=1|stereo=1.*usedtx=1/);
  assert.match(atListener?.local ?? '', /stereo=1/);
  await speaker.page.evaluate(() => window.rig.publisher().setAudioSource(window.rig.toneTrack(440, 1000)));
  await eventually(
    'a tone in each ear',
    () => listener.page.evaluate((id) => window.rig.pitches(id, 2), stream),
    ([left = 0, right = 0]) => Math.abs(left - 440) < 30 && Math.abs(right - 1000) < 30,
  );
  await Promise.all([speaker.close(), listener.close()]);
}

const cases = [
  {
    name: 'a cut of the way to the server does not stop media, and what was asked meanwhile is done',
    run: cutOfTheWay,
  },
  {
    name: 'sound of two channels, and silence that is not sent, are what the two descriptions agree on',
    run: soundAsAgreed,
  },
];

for (const { name, run } of sample('relayed', cases, 1)) test(name, run);

test('who is sent away or unpublished is gone for all, and the rest go on', async () => {
  const at = alice as Participant;
  const { apiKey } = server.credentials;
  const { connectionId } = fay as Participant;
  await customer.rest(
    'DELETE',
    `/v2/project/${apiKey}/session/${call.sessionId}/connection/${connectionId}`,
    'project',
  );
  await at.event('session', 'connectionDestroyed', { connection: connectionId, reason: 'forceDisconnected' });
  await (bob as Participant).page.evaluate(() => window.rig.session().unpublish(window.rig.publisher()));
  await at.event('session', 'streamDestroyed', { stream: streamOf(1) });
  await at.event(streamOf(1), 'destroyed');
  await assertSeenAndHeard(at, streamOf(2), 'firefox');
  await assertSeenAndHeard(bob as Participant, streamOf(0), 'chromium');
  await Promise.all([...people(), fay as Participant].map((each) => each.close()));
});

const isMedia = ({ bytes, port }: CapturedPacket) => bytes[0]! >> 4 === 4 && bytes[9] === UDP && port !== 5353;

/** An older browser: it has no way to encrypt frames towards other clients. */
const WITHOUT_FRAMES = 'delete window.RTCRtpScriptTransform;';

/** Somebody who publishes, and an older browser that watches or not. */
async function withOlder(subscribing: null | object) {
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  const [publisher, subscriber] = await Promise.all([
    Participant.open(chromium, site),
    Participant.open(firefox, site, WITHOUT_FRAMES),
  ]);
  await Promise.all([
    publisher.join(customer.ticket(sessionId)),
    subscriber.join(customer.ticket(sessionId), subscribing),
  ]);
  const stream = await publisher.publish(small);
  return {
    sessionId,
    publisher,
    subscriber,
    stream,
    close: () => Promise.all([publisher, subscriber].map((each) => each.close())),
  };
}

test('a client that cannot encrypt frames gets AES-128, and the record says who could not', async () => {
  const { sessionId, publisher, subscriber, stream, close } = await withOlder({});
  await subscriber.subscribed(stream);
  await assertSeenAndHeard(subscriber, stream, 'chromium');
  const { legs } = await eventually(
    'a leg that both ends reported',
    () => customer.security(sessionId),
    (record) => record.legs.some((leg) => leg.agree !== null),
  );
  const [leg] = legs;
  assert.deepEqual([legs.length, leg?.frameLayer, leg?.agree], [1, null, true]);
  assert.deepEqual(
    [leg?.framesSaidByClient, leg?.framesSaidByPeer],
    [
      { own: false, other: true },
      { own: true, other: false },
    ],
  );
  const { transcript } = await customer.signedSecurity(sessionId);
  assert.deepEqual(
    new Set(transcript[0]?.map(({ end, connectionId, frames }) => JSON.stringify([end, connectionId, frames]))),
    new Set(
      [
        ['client', subscriber.connectionId, { own: false, other: true }],
        ['peer', publisher.connectionId, { own: true, other: false }],
      ].map((word) => JSON.stringify(word)),
    ),
  );
  assert.equal(await codeWith(publisher, subscriber), null);
  await close();
});

test('under require-aes256 two that can encrypt frames have AES-256; one that cannot is refused, and no packet goes between them', async () => {
  await customer.setPolicy('require-aes256');
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  const [sender, receiver] = await Promise.all([Participant.open(chromium, site), Participant.open(firefox, site)]);
  await Promise.all([sender, receiver].map((each) => each.join(customer.ticket(sessionId))));
  const sent = await sender.publish(small);
  await receiver.subscribed(sent);
  await assertSeenAndHeard(receiver, sent, 'chromium');
  const strong = (await customer.security(sessionId)).legs;
  assert.deepEqual(
    strong.map(({ state, frameLayer }) => [state, frameLayer]),
    [['allowed', 'AES_256_GCM_SHA512_128']],
  );
  await Promise.all([sender, receiver].map((each) => each.close()));

  const capture = await captureTraffic();
  const older = await withOlder(null);
  await older.subscriber.event('session', 'streamCreated', { stream: older.stream });
  await assert.rejects(older.subscriber.subscribe(older.stream), /OT_MEDIA_SUITE_REFUSED: /);
  for (const each of [older.publisher, older.subscriber]) assert.deepEqual(await each.stats('peer-connection'), []);
  assert.deepEqual((await capture.stop()).filter(isMedia), []);
  const { legs } = await customer.security(older.sessionId);
  assert.deepEqual(
    legs.map(({ state, observedBy, frameLayer }) => [state, observedBy, frameLayer]),
    [['refused', 'clients', null]],
  );
});

test('two with different secrets are told so and see nothing, and see each other once they have the same', async () => {
  await customer.setPolicy('prefer-aes256');
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  const [one, other] = await Promise.all([Participant.open(chromium, site), Participant.open(firefox, site)]);
  const ticket = (encryptionSecret: string) => ({ ...customer.ticket(sessionId), encryptionSecret });
  await Promise.all([one.join(ticket('the first secret')), other.join(ticket('the second secret'))]);
  const stream = await one.publish(small);
  await other.event(stream, 'encryptionSecretMismatch');
  await other.subscribed(stream);
  assert.equal(Number((await other.inbound(stream, 'video')).framesDecoded ?? 0), 0);
  await other.page.evaluate(() => window.rig.session().setEncryptionSecret('the first secret'));
  await other.event(stream, 'encryptionSecretMatch');
  await assertSeenAndHeard(other, stream, 'chromium');
  await Promise.all([one, other].map((each) => each.close()));
});
