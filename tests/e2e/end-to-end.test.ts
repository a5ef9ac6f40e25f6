/** End-to-end encrypted sessions between real browsers: who has the secret sees and hears, nobody else does. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SecurityLeg } from '@cloister/client';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { frameSpy } from '../rig/frame-spy.ts';
import { type JoinAs, Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { assertSeenAndHeard, reportedLegs } from './calls.ts';

const SECRET = 'what all of us know';
const LAYER = 'AES_256_GCM_SHA512_128';

const OTHER = 'what some of us know';

let server: Server;
let customer: Customer;
let chromium: TestBrowser;
let firefox: TestBrowser;
let site: Site;
let sessionId: string;
let ana: Participant;
let ben: Participant;
let eva: Participant;
let streams: string[];

before(async () => {
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  [chromium, firefox] = await Promise.all([launchBrowser('chromium'), launchBrowser('firefox')]);
  const pages = await Promise.all(
    [chromium, firefox, chromium].map((browser) => Participant.open(browser, site, frameSpy('count'))),
  );
  [ana, ben, eva] = pages as [Participant, Participant, Participant];
  sessionId = await customer.session({ mediaMode: 'routed', e2ee: true });
  await Promise.all([ana, ben, eva].map((each) => each.join(ticket())));
  // The third only watches: so many encoders are enough for the machine.
  streams = await Promise.all([ana, ben].map((each) => each.publish({ resolution: '640x480' })));
  await Promise.all([ana.subscribed(streams[1] as string), ben.subscribed(streams[0] as string)]);
  await Promise.all(streams.map((streamId) => eva.subscribed(streamId)));
});

after(async () => {
  await Promise.all([chromium, firefox].map((browser) => browser?.close()));
  site?.close();
  await server?.stop();
});

function ticket(encryptionSecret: string | undefined = SECRET, session = sessionId): JoinAs {
  return { ...customer.ticket(session), ...(encryptionSecret ? { encryptionSecret } : {}) };
}

function change(at: Participant, secret: string): Promise<void> {
  return at.page.evaluate((to) => window.rig.session().setEncryptionSecret(to), secret);
}

function framesDecoded(at: Participant, streamId: string): Promise<number> {
  return at.inbound(streamId, 'video').then((video) => Number(video.framesDecoded ?? 0));
}

/** How many frames a page did not let through so far, because they did not seal or open. */
function framesStopped(at: Participant): Promise<number> {
  return at.page.evaluate(() => window.frameSpy.length);
}

/** The covers of a subscriber's view: what is seen of the picture. */
function isCovered(at: Participant, streamId: string): Promise<boolean> {
  return at.page.evaluate(
    (id) => window.rig.subscriber(id).element?.classList.contains('OT_audio-only') ?? true,
    streamId,
  );
}

test('Chromium and Firefox see and hear each other', async () => {
  await assertSeenAndHeard(ben, streams[0] as string, 'chromium');
  await assertSeenAndHeard(ana, streams[1] as string, 'firefox');
  await assertSeenAndHeard(eva, streams[1] as string, 'firefox');
});

test('the record names the frame layer of every leg, and so does each client', async () => {
  const legs = await reportedLegs(customer, sessionId, 6);
  assert.deepEqual(
    legs.map(({ frameLayer }) => frameLayer),
    Array(6).fill(LAYER),
  );
  const own = await ben.page.evaluate(() =>
    (window.rig.session() as unknown as { security(): SecurityLeg[] }).security(),
  );
  assert.deepEqual(
    own.map(({ frameLayer }) => frameLayer),
    [LAYER, LAYER],
  );
});

test('who has another secret is told so, by an event, and sees and hears nobody; nor is it seen', async () => {
  const mallory = await Participant.open(chromium, site);
  await mallory.join(ticket(OTHER));
  const streamId = await mallory.publish({ resolution: '320x240' });
  await Promise.all([
    ...streams.map((stream) => mallory.event(stream, 'encryptionSecretMismatch')),
    ...[ana, ben, eva].map((each) => each.event(streamId, 'encryptionSecretMismatch')),
  ]);
  await eventually(
    'packets for who has another secret',
    () => mallory.inbound(streams[0] as string, 'video'),
    ({ packetsReceived }) => Number(packetsReceived) > 50,
  );
  assert.equal(await framesDecoded(mallory, streams[0] as string), 0);
  assert.ok(await isCovered(mallory, streams[0] as string));
  assert.equal(await framesDecoded(ana, streamId), 0);
  await mallory.close();
  await ana.event(streamId, 'destroyed');
});

test('a changed secret excludes who lacks it, with no gap for the others', async () => {
  const since = await eva.mark();
  const facts = () =>
    Promise.all([
      framesStopped(ana),
      framesStopped(ben),
      framesDecoded(ana, streams[1] as string),
      framesDecoded(ben, streams[0] as string),
    ]);
  const before = await facts();
  await Promise.all([ana, ben].map((each) => change(each, OTHER)));
  await Promise.all(streams.map((stream) => eva.event(stream, 'encryptionSecretMismatch', { since })));
  assert.ok(await isCovered(eva, streams[0] as string));
  // Sealed with the new secret by now, since who lacks it was shut out; more of it comes and is seen.
  await Promise.all([ana.look(streams[1] as string), ben.look(streams[0] as string)]);
  const now = await facts();
  assert.deepEqual(now.slice(0, 2), before.slice(0, 2), 'frames that did not open for those who have the secret');
  assert.ok((now[2] as number) > (before[2] as number) && (now[3] as number) > (before[3] as number));
  for (const each of [ana, ben]) {
    const told = (await each.happenings()).filter(
      ({ target, type }) => type.startsWith('encryption') && streams.includes(target),
    );
    assert.deepEqual(told, []);
  }
});

test('who takes up the changed secret sees the others again', async () => {
  const since = await eva.mark();
  await change(eva, OTHER);
  await Promise.all(streams.map((stream) => eva.event(stream, 'encryptionSecretMatch', { since })));
  await assertSeenAndHeard(eva, streams[0] as string, 'chromium');
  await eventually(
    'the picture to be uncovered',
    () => isCovered(eva, streams[0] as string),
    (covered) => !covered,
  );
});

test('a session that is end-to-end encrypted is not joined without a secret, nor another with one', async () => {
  const page = await Participant.open(chromium, site);
  const unencrypted = await customer.session();
  await assert.rejects(page.join(customer.ticket(sessionId)), /OT_ENCRYPTION_SECRET_MISSING/);
  await assert.rejects(page.join(ticket(SECRET, unencrypted)), /OT_INVALID_PARAMETER: .*not end-to-end encrypted/);
  await assert.rejects(page.join(ticket('7 chars')), /OT_INVALID_ENCRYPTION_SECRET/);
  await page.join(customer.ticket(unencrypted));
  await assert.rejects(change(page, SECRET), /not end-to-end encrypted/);
  await page.close();
});

test('a browser with createEncodedStreams alone takes part; one with neither is refused', async () => {
  const older = await Participant.open(chromium, site, 'delete window.RTCRtpScriptTransform;');
  await older.join(ticket(OTHER));
  const streamId = await older.publish({ resolution: '320x240' });
  await older.subscribed(streams[0] as string);
  await assertSeenAndHeard(older, streams[0] as string, 'chromium');
  await eva.subscribed(streamId);
  await assertSeenAndHeard(eva, streamId, 'chromium');
  await older.close();
  const oldest = await Participant.open(
    chromium,
    site,
    'delete window.RTCRtpScriptTransform; delete RTCRtpSender.prototype.createEncodedStreams;',
  );
  assert.equal(await oldest.page.evaluate(() => window.OT.hasEndToEndEncryptionSupport()), false);
  await assert.rejects(oldest.join(ticket(OTHER)), /OT_UNSUPPORTED_BROWSER/);
  await oldest.close();
});

test('no page complained', () => {
  assert.deepEqual(
    [chromium, firefox].flatMap(({ errors }) => errors),
    [],
  );
});
