/** Codecs of the picture: the one that the publisher prefers, until somebody comes who cannot decode it. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { assertPicture, assertSeenAndHeard } from './calls.ts';

let server: Server;
let customer: Customer;
let chromium: TestBrowser;
let firefox: TestBrowser;
let site: Site;

before(async () => {
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  [chromium, firefox] = await Promise.all([launchBrowser('chromium'), launchBrowser('firefox')]);
});

after(async () => {
  await Promise.all([chromium?.close(), firefox?.close()]);
  site?.close();
  await server?.stop();
});

let sessionId: string;
let speaker: Participant;
let present: Participant[] = [];

beforeEach(async () => {
  sessionId = await customer.session();
  present = [];
  speaker = await come(chromium);
});

afterEach(async () => {
  await Promise.all(present.map((each) => each.close()));
});

async function come(browser: TestBrowser): Promise<Participant> {
  const participant = await Participant.open(browser, site);
  present.push(participant);
  await participant.join(customer.ticket(sessionId));
  return participant;
}

const speak = (codec: 'vp8' | 'vp9' | 'h264'): Promise<string> => speaker.publish({ preferredVideoCodecs: [codec] });

/** Somebody who comes to watch, and sees and hears. */
async function watch(browser: TestBrowser, streamId: string): Promise<Participant> {
  const watcher = await come(browser);
  await watcher.subscribed(streamId);
  await assertSeenAndHeard(watcher, streamId, 'chromium');
  return watcher;
}

async function codec(at: Participant, streamId: string): Promise<unknown> {
  return (await at.inbound(streamId, 'video')).mimeType;
}

async function decoders(at: Participant): Promise<string[]> {
  return (await at.page.evaluate(() => window.OT.getSupportedCodecs())).videoDecoders;
}

/** What the SDK told of a stream from place `since` on. */
async function told(at: Participant, streamId: string, since = 0): Promise<string[]> {
  const own = (await at.happenings()).slice(since).filter(({ target }) => target === streamId);
  return own.map(({ type, detail }) => (detail.reason ? `${type} ${detail.reason}` : type));
}

test('H.264 between two Chromiums; for a Firefox without it, VP8 for all, which stays', async () => {
  const streamId = await speak('h264');
  const watcher = await watch(chromium, streamId);
  assert.equal(await codec(watcher, streamId), 'video/H264');

  const since = await watcher.mark();
  const fox = await come(firefox);
  assert.ok(!(await decoders(fox)).includes('H264'), 'this Firefox was to have no H.264');
  await fox.event(streamId, 'videoDisabled', { reason: 'codecNotSupported' });
  await fox.event(streamId, 'videoEnabled', { reason: 'codecChanged' });
  await assertSeenAndHeard(fox, streamId, 'chromium');
  assert.equal(await codec(fox, streamId), 'video/VP8');

  await eventually(
    'the picture of the other Chromium in VP8',
    () => codec(watcher, streamId),
    (mimeType) => mimeType === 'video/VP8',
  );
  await assertSeenAndHeard(watcher, streamId, 'chromium');
  assert.deepEqual(await told(watcher, streamId, since), []);
  assertPicture(await speaker.look('publisher'), 'chromium');

  await fox.close();
  present = present.filter((each) => each !== fox);
  const late = await watch(chromium, streamId);
  assert.equal(await codec(late, streamId), 'video/VP8');
  assert.equal(await codec(watcher, streamId), 'video/VP8');
  assert.deepEqual([...chromium.errors, ...firefox.errors], []);
});

test('VP9 where it is preferred, for everybody who has it', async () => {
  const streamId = await speak('vp9');
  for (const browser of [chromium, firefox]) {
    const watcher = await watch(browser, streamId);
    assert.equal(await codec(watcher, streamId), 'video/VP9');
    assert.deepEqual(
      (await told(watcher, streamId)).filter((each) => each.startsWith('video')),
      [],
    );
  }
  assert.deepEqual([...chromium.errors, ...firefox.errors], []);
});

test('a publisher that cannot change goes on in H.264 for who has it; the others hear it and are told', async () => {
  const streamId = await speak('h264');
  const watcher = await watch(chromium, streamId);
  await speaker.page.evaluate(() => {
    RTCPeerConnection.prototype.addTransceiver = () => {
      throw new Error('nothing more is sent');
    };
  });
  const fox = await come(firefox);
  await fox.subscribed(streamId);
  await fox.event(streamId, 'videoDisabled', { reason: 'codecNotSupported' });
  assert.ok((await fox.hear(streamId, 1)).peak > 0.01);
  const covered = await fox.page.evaluate(
    (id) => window.rig.subscriber(id).element?.classList.contains('OT_audio-only'),
    streamId,
  );
  assert.equal(covered, true);
  await assertSeenAndHeard(watcher, streamId, 'chromium');
  assert.equal(await codec(watcher, streamId), 'video/H264');
});
