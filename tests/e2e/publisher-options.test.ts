/** What a publisher asks of its sound and picture, as the browsers agreed on it and as it arrives. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { PublisherProperties } from '@opentok/client';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { useStage } from './stage.ts';

/** Two microphones, two cameras; the second one gives no picture to a call, but it is another. */
const stage = useStage({
  options: async () => ({ browser: { args: ['--use-fake-device-for-media-stream=device-count=2'] } }),
});

/** Without DTX a packet goes out every 20 ms. */
const PACKETS_PER_SECOND = 50;
/** About 2 s of the small picture, which is the clock here: the fake camera gives 20 a second. */
const FRAMES = 40;
const LEFT_HERTZ = 500;
const RIGHT_HERTZ = 1500;
/** Of what is measured; the lines of the spectrum are some 12 Hz apart. */
const HERTZ_OFF = 30;

let speaker: Participant;
let listener: Participant;

beforeEach(async () => {
  const sessionId = await stage.customer.session();
  [speaker, listener] = await Promise.all([stage.open(), stage.open()]);
  await Promise.all([
    speaker.join(stage.customer.ticket(sessionId), null),
    listener.join(stage.customer.ticket(sessionId)),
  ]);
});

afterEach(async () => {
  assert.deepEqual(stage.browser.errors, []);
  await Promise.all([speaker.close(), listener.close()]);
});

async function publish(properties: PublisherProperties): Promise<string> {
  const streamId = await speaker.publish({ resolution: '320x240', ...properties });
  await listener.subscribed(streamId);
  return streamId;
}

/** What the answer of the other end asks of the encoder at the speaker. */
async function askedOfEncoder(): Promise<string[]> {
  const [agreed] = await speaker.page.evaluate(() => window.rig.opusAgreed());
  return (agreed?.remote ?? '').split(';');
}

/** Lets the speaker say nothing from now on, or sound a tone in each channel (0 Hz is silence). */
async function speak(...hertz: number[]): Promise<void> {
  await speaker.page.evaluate((tones) => window.rig.publisher().setAudioSource(window.rig.toneTrack(...tones)), hertz);
}

/** Packets of sound that arrive in a second. */
async function packetRate(streamId: string): Promise<number> {
  const count = async () => {
    const { packetsReceived, timestamp } = await listener.inbound(streamId, 'audio');
    return { packets: Number(packetsReceived ?? 0), at: Number(timestamp) };
  };
  const before = await count();
  await listener.look(streamId, FRAMES);
  const now = await count();
  return ((now.packets - before.packets) * 1000) / (now.at - before.at);
}

async function hears(streamId: string, ...hertz: number[]): Promise<void> {
  await eventually(
    `tones of ${hertz} Hz`,
    () => listener.page.evaluate((id, count) => window.rig.pitches(id, count), streamId, hertz.length),
    (heard) => hertz.every((each, index) => Math.abs(each - (heard[index] ?? 0)) <= HERTZ_OFF),
  );
}

test('without a wish: FEC is on, DTX and stereo are off, and silence is sent like sound', async () => {
  const streamId = await publish({});
  const asked = await askedOfEncoder();
  assert.ok(asked.includes('useinbandfec=1'), asked.join(';'));
  assert.ok(!asked.includes('usedtx=1') && !asked.includes('stereo=1'), asked.join(';'));
  await speak(0);
  const rate = await eventually(
    'packets in silence',
    () => packetRate(streamId),
    (each) => each > PACKETS_PER_SECOND * 0.8,
  );
  assert.ok(rate < PACKETS_PER_SECOND * 1.5, `${rate} packets a second`);
});

test('enableDtx: hardly a packet in silence, FEC stays on, and what is said then is heard', async () => {
  const streamId = await publish({ enableDtx: true });
  const asked = await askedOfEncoder();
  assert.ok(asked.includes('usedtx=1') && asked.includes('useinbandfec=1'), asked.join(';'));
  await speak(0);
  await eventually(
    'hardly a packet in silence',
    () => packetRate(streamId),
    (rate) => rate < PACKETS_PER_SECOND * 0.15,
  );
  await speak(LEFT_HERTZ);
  await hears(streamId, LEFT_HERTZ);
});

test('enableStereo: each ear hears its own channel', async () => {
  const streamId = await publish({ enableStereo: true });
  assert.ok((await askedOfEncoder()).includes('stereo=1'));
  const [atListener] = await listener.page.evaluate(() => window.rig.opusAgreed());
  assert.ok(atListener?.local.split(';').includes('stereo=1'), JSON.stringify(atListener));
  await speak(LEFT_HERTZ, RIGHT_HERTZ);
  await hears(streamId, LEFT_HERTZ, RIGHT_HERTZ);
  await speak(0, RIGHT_HERTZ);
  await hears(streamId, 0, RIGHT_HERTZ);
});

test('without enableStereo one channel is sent: what only one side said, both ears hear', async () => {
  const streamId = await publish({});
  await speak(0, RIGHT_HERTZ);
  await hears(streamId, RIGHT_HERTZ, RIGHT_HERTZ);
});

test('videoContentHint reaches the track and the encoder, and stays through a change of the camera', async () => {
  await publish({ videoContentHint: 'text' });
  const hints = () =>
    speaker.page.evaluate(() => [
      window.rig.publisher().getVideoContentHint(),
      window.rig.publisher().getVideoSource().track?.contentHint,
    ]);
  const encodedAs = (wanted: string | undefined) =>
    eventually(
      `the encoder's kind of picture to be ${wanted}`,
      async () => (await speaker.stats('outbound-rtp')).filter(({ kind }) => kind === 'video'),
      (layers) => layers.length > 0 && layers.every(({ contentType }) => contentType === wanted),
    );
  assert.deepEqual(await hints(), ['text', 'text']);
  await encodedAs('screenshare');
  await speaker.page.evaluate(() => window.rig.publisher().setVideoContentHint('motion'));
  assert.deepEqual(await hints(), ['motion', 'motion']);
  await encodedAs(undefined);
  await speaker.page.evaluate(() => window.rig.publisher().cycleVideo());
  assert.deepEqual(await hints(), ['motion', 'motion']);
});
