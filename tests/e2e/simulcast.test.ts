/** Two subscribers of one 1280x720 stream: the small one gets the low layer, the large one the top layer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { useStage } from './stage.ts';

const WINDOW_MS = 4000;
/** A browser that found its machine too busy tries the top layer again after tens of seconds. */
const TOP_LAYER_MS = 90_000;

const stage = useStage({
  ready: async () => {
    sessionId = await stage.customer.session();
    [publisher, small, large] = await Promise.all([stage.open(), stage.open(), stage.open()]);
    await publisher.join(stage.customer.ticket(sessionId), null);
    await small.join(stage.customer.ticket(sessionId), { preferredResolution: { width: 320, height: 180 } });
    await large.join(stage.customer.ticket(sessionId), { preferredResolution: { width: 1280, height: 720 } });
    // At 30 pictures a second a browser on a busy machine leaves the top layer out, and says that its processor limits it.
    streamId = await publisher.publish({ resolution: '1280x720', frameRate: 15 });
    await Promise.all([small.subscribed(streamId), large.subscribed(streamId)]);
  },
});
let publisher: Participant;
let small: Participant;
let large: Participant;
let sessionId: string;
let streamId: string;

/** Bytes of the picture that a subscriber's browser counted, and when. */
async function counted(at: Participant): Promise<{ bytes: number; ms: number }> {
  const video = await at.inbound(streamId, 'video');
  return { bytes: Number(video.bytesReceived), ms: Number(video.timestamp) };
}

/** What the publisher's browser says of its layers, lowest first. */
async function layers(): Promise<Record<string, unknown>[]> {
  const video = (await publisher.stats('outbound-rtp')).filter((each) => each.kind === 'video');
  return video.sort((a, b) => String(a.rid).localeCompare(String(b.rid)));
}

/** What the publisher's encoder is set to for each layer, lowest first, in bits a second. */
async function layerRates(): Promise<number[]> {
  return (await layers()).map((each) => Number(each.targetBitrate ?? 0));
}

function rate(before: { bytes: number; ms: number }, now: { bytes: number; ms: number }): number {
  return Math.round(((now.bytes - before.bytes) * 8000) / (now.ms - before.ms));
}

interface Inspected {
  connections: { connectionId: string; packets: { sent: number } }[];
}

/** Packets that the media worker forwarded to a participant so far. */
async function forwarded(to: Participant): Promise<number> {
  const path = `/cloister/v1/projects/${stage.server.credentials.apiKey}/sessions/${sessionId}`;
  const { connections } = (await stage.customer.rest('GET', path, 'project')) as Inspected;
  return connections.find((each) => each.connectionId === to.connectionId)?.packets.sent ?? 0;
}

test('each subscriber is sent the layer that it asked for', async () => {
  await eventually(
    'the top layer at the large subscriber, the low one at the small',
    async () => ({
      top: (await large.inbound(streamId, 'video')).frameWidth,
      low: (await small.inbound(streamId, 'video')).frameWidth,
      sent: (await layers()).map(({ frameWidth, active, qualityLimitationReason }) => [
        frameWidth,
        active,
        qualityLimitationReason,
      ]),
    }),
    ({ top, low }) => top === 1280 && low === 320,
    TOP_LAYER_MS,
  );
});

/** What both subscribers received, and what was forwarded to them, over some seconds. */
async function windowOf(both: readonly [Participant, Participant]) {
  const before = await Promise.all(both.map(counted));
  const packetsBefore = await Promise.all(both.map(forwarded));
  await small.page.evaluate((ms) => new Promise((resolve) => setTimeout(resolve, ms)), WINDOW_MS);
  const now = await Promise.all(both.map(counted));
  const packetsNow = await Promise.all(both.map(forwarded));
  const [toSmall = 0, toLarge = 0] = now.map((each, index) => rate(before[index] ?? each, each));
  const [smallPackets = 0, largePackets = 0] = packetsNow.map((count, index) => count - (packetsBefore[index] ?? 0));
  return { toSmall, toLarge, smallPackets, largePackets };
}

test('the small subscriber receives at most 1.2 times the low layer', async () => {
  // On a machine too busy for its line the browser leaves the top layer out for a while: such a window shows nothing.
  const { layers, seen } = await eventually(
    'some seconds in which all layers were sent',
    async () => {
      const atFirst = await layerRates();
      const seen = await windowOf([small, large]);
      const layers = await layerRates();
      const { frameWidth } = await large.inbound(streamId, 'video');
      return { layers, seen, frameWidth, whole: [...atFirst, ...layers].every((bps) => bps > 0) };
    },
    ({ whole, frameWidth }) => whole && frameWidth === 1280,
    TOP_LAYER_MS,
  );
  // The encoder's own target: what the browser counts as sent on the lowest layer has its probes of the line in it.
  const [low = 0] = layers;
  const { toSmall, toLarge, smallPackets, largePackets } = seen;
  const told = JSON.stringify({ layers, ...seen });
  assert.equal(layers.length, 3, told);
  assert.ok(toSmall > 0 && toSmall <= 1.2 * low, told);
  assert.ok(toLarge > 2 * toSmall, `the large one receives too little: ${told}`);
  assert.ok(smallPackets > 0 && largePackets > smallPackets, told);
});

test('a subscriber that asks for more gets more', async () => {
  await small.page.evaluate(
    (id) => window.rig.subscriber(id).setPreferredResolution({ width: 1280, height: 720 }),
    streamId,
  );
  await eventually(
    'the top layer at the subscriber that was small',
    () => small.inbound(streamId, 'video'),
    (video) => video.frameWidth === 1280,
    TOP_LAYER_MS,
  );
});
