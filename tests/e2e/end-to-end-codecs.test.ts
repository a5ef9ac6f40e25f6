/** Layers and codecs of end-to-end encrypted pictures: the server switches between layers that it cannot read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { assertPicture } from './calls.ts';
import { useStage } from './stage.ts';

const SECRET = 'what all of us know';
const LOW = { width: 320, height: 180 };
const TOP = { width: 1280, height: 720 };
/** A browser that found its machine too busy tries the top layer again after tens of seconds. */
const LAYER_MS = 90_000;

const stage = useStage();

/** Somebody publishes in a codec, somebody else watches. */
async function call(codec: 'vp8' | 'vp9' | 'h264') {
  const sessionId = await stage.customer.session({ mediaMode: 'routed', e2ee: true });
  const [publisher, watching] = [await stage.open(), await stage.open()];
  const ticket = () => ({ ...stage.customer.ticket(sessionId), encryptionSecret: SECRET });
  await publisher.join(ticket(), null);
  await watching.join(ticket());
  const streamId = await publisher.publish({
    resolution: '1280x720',
    frameRate: 15,
    preferredVideoCodecs: [codec],
    scalableVideo: true,
  } as never);
  await watching.subscribed(streamId);
  return { streamId, watching, close: () => Promise.all([publisher, watching].map((each) => each.close())) };
}

async function becomes(at: Participant, streamId: string, { width, height }: typeof LOW): Promise<void> {
  await at.page.evaluate((id, size) => window.rig.subscriber(id).setPreferredResolution(size), streamId, {
    width,
    height,
  });
  await eventually(
    `a picture ${width} wide`,
    () => at.inbound(streamId, 'video'),
    ({ frameWidth }) => frameWidth === width,
    LAYER_MS,
  );
  assertPicture(await at.look(streamId), 'chromium');
}

async function codecAt(at: Participant, streamId: string): Promise<string> {
  const { mimeType } = await at.inbound(streamId, 'video');
  return String(mimeType).toLowerCase();
}

async function switched(codec: 'vp8' | 'vp9'): Promise<void> {
  const { streamId, watching, close } = await call(codec);
  assertPicture(await watching.look(streamId), 'chromium');
  assert.equal(await codecAt(watching, streamId), `video/${codec}`);
  for (const size of [TOP, LOW, TOP]) await becomes(watching, streamId, size);
  await close();
}

/** H.264 has no layers that a server chooses from here. */
async function opened(): Promise<void> {
  const { streamId, watching, close } = await call('h264');
  assertPicture(await watching.look(streamId), 'chromium');
  assert.equal(await codecAt(watching, streamId), 'video/h264');
  await close();
}

const cases = [
  { name: 'layers of VP8 are switched, down and up', run: () => switched('vp8') },
  { name: 'layers of VP9 are switched, down and up', run: () => switched('vp9') },
  { name: 'H.264 is sealed and opened', run: opened },
];

for (const { name, run } of sample('sealed codecs', cases, 1)) test(name, run);
