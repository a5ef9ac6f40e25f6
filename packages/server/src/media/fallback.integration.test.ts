/** Audio fall-back against the worker's own estimate, over a way that the test narrows. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sample } from '../../../../tests/sample.ts';
import { FarClient, FarWorker, startPlane, until } from './media-fixtures.ts';
import type { Plane } from './plane.ts';

let plane: Plane;
let far: FarWorker;
before(async () => {
  [plane, far] = await Promise.all([startPlane(), FarWorker.start()]);
});
after(async () => {
  far.close();
  await plane.close();
});

const queueMsMax = 500;
const udpHeaderBytes = 28;

/** A bottleneck towards the client: a rate that can be changed, and a queue in front of it that drops at its end. */
function bottleneck() {
  const way = { bps: Number.POSITIVE_INFINITY };
  let free = 0;
  const shape = (bytes: number, towards: 'one' | 'other', send: () => void): void => {
    if (towards === 'other') {
      send();
      return;
    }
    const now = performance.now();
    free = Math.max(free, now);
    if (free - now > queueMsMax) return;
    free += ((bytes + udpHeaderBytes) * 8 * 1000) / way.bps;
    if (free - now < 1) send();
    else setTimeout(send, free - now);
  };
  return { way, shape };
}

for (const layers of sample('layers of a fall-back', [3, 1], 1)) {
  test(`a poor way turns the picture off and a good one on again, with ${layers} layers; the sound goes on`, async () => {
    const room = await plane.openRoom(`fallback ${layers}`);
    const [publisher, subscriber] = await Promise.all([
      FarClient.join(room, far, 'publisher'),
      FarClient.join(room, far, 'subscriber'),
    ]);
    const { way, shape } = bottleneck();
    await Promise.all([publisher.connect('send'), subscriber.connect('receive', { shape })]);
    const [audio, video] = await Promise.all([far.source('audio'), far.source('video', layers)]);
    await publisher.publish('stream', audio);
    await publisher.publish('stream', video);
    await publisher.peer.allowStream('stream');
    await subscriber.subscribe('stream');
    await subscriber.peer.allowSubscription('stream');
    // Some 160 kbit/s in the lowest layer of three, some 600 without layers.
    const stops = [audio.run(20), video.run(16, { bytes: layers === 1 ? [1150] : [300, 1100, 1200] })];
    const told = () => subscriber.notes.of('subscriptionQuality').map(([, state]) => state);
    await until(async () => (await subscriber.got('stream', 'video')).packets > 200, 'the picture arrives', 15);
    assert.deepEqual(told(), []);

    way.bps = 150_000;
    await until(() => told().includes('off'), 'the picture goes', 15);
    const heard = async () => (await subscriber.got('stream', 'audio')).packets;
    const before = await heard();
    await until(async () => (await heard()) > before + 50, 'the sound goes on', 5);
    // A way that breaks down between two looks at it is off without a warning.
    assert.ok(['off', 'warning off'].includes(told().join(' ')), told().join(' '));

    way.bps = 10_000_000;
    await until(() => told().at(-1) === 'on', 'the picture comes back', 15);
    const seen = (await subscriber.got('stream', 'video')).packets;
    await until(
      async () => (await subscriber.got('stream', 'video')).packets > seen + 10,
      'the picture arrives again',
      5,
    );
    for (const stop of stops) stop();
    room.close();
  });
}
