/** What reaches a subscriber: the layer that it asked for, and key frames that many can share. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
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

const bytes = [100, 300, 900];

/** Bytes a packet that arrive over the next packets. */
async function size(client: FarClient): Promise<number> {
  const before = await client.got('stream', 'video');
  const after = await until(async () => {
    const now = await client.got('stream', 'video');
    return now.packets > before.packets + 20 && now;
  }, 'packets arrive');
  return (after.bytes - before.bytes) / (after.packets - before.packets);
}

test('a small subscriber gets the lowest layer and a large one the top layer of the same stream', async () => {
  const room = await plane.openRoom('layers');
  const [publisher, small, large] = await Promise.all(['p', 's', 'l'].map((name) => FarClient.join(room, far, name)));
  assert.ok(publisher && small && large);
  await Promise.all([publisher.connect('send'), small.connect('receive'), large.connect('receive')]);
  const video = await far.source('video', 3);
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  const stop = video.run(10, { bytes });
  await small.subscribe('stream', { preferred: { width: 320, height: 180 } });
  await large.subscribe('stream');
  await Promise.all([small, large].map(({ peer }) => peer.allowSubscription('stream')));

  const layer = (client: FarClient) => client.notes.of('layersChanged').at(-1)?.[1];
  await until(() => layer(small) === 0 && layer(large) === 2, 'both have their layer', 10);
  // 12 bytes of header, and as much again for extensions.
  const smallBytes = await size(small);
  assert.ok(smallBytes >= 100 && smallBytes < 150, `${smallBytes}`);
  const largeBytes = await size(large);
  assert.ok(largeBytes >= 900, `${largeBytes}`);
  assert.equal(publisher.notes.of('streamWanted').at(-1)?.[1].spatialMax ?? 2, 2);

  // The small one grows, the large one shrinks.
  await small.peer.updateSubscription('stream', { preferred: null });
  await large.peer.updateSubscription('stream', { preferred: { width: 640, height: 360 } });
  await until(() => layer(small) === 2 && layer(large) === 1, 'both have their other layer', 10);
  stop();
  room.close();
});

test('fifty subscribers that come within a second cost at most three key frames', async () => {
  const room = await plane.openRoom('key frames');
  const publisher = await FarClient.join(room, far, 'publisher');
  await publisher.connect('send');
  const video = await far.source('video');
  const { sender } = await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  await sender.enableTraceEvent(['pli', 'fir']);
  sender.on('trace', () => video.write({ keyFrame: true }));
  // Counted by the worker, since mediasoup 3.19.22 tells each trace twice.
  const requests = async (): Promise<number> => {
    const stat = (await sender.getStats()).find(({ type }) => type === 'outbound-rtp');
    return (stat?.pliCount ?? 0) + (stat?.firCount ?? 0);
  };
  // The far end's own sender forwards nothing before a first key frame.
  video.write({ keyFrame: true });
  const stop = video.run(10, { keyFrame: false });
  const subscribers = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const subscriber = await FarClient.join(room, far, `subscriber ${index}`);
      await subscriber.connect('receive');
      return subscriber;
    }),
  );

  const before = await requests();
  const from = Date.now();
  await Promise.all(
    subscribers.map(async (subscriber) => {
      await subscriber.subscribe('stream');
      await subscriber.peer.allowSubscription('stream');
    }),
  );
  const tookMs = Date.now() - from;
  await Promise.all(
    subscribers.map((subscriber) =>
      until(async () => (await subscriber.got('stream', 'video')).packets > 3, 'the picture arrives', 10),
    ),
  );
  // The last request that the delay held back is out by then.
  await new Promise((resolve) => setTimeout(resolve, limits.keyFrameIntervalMs + 100));
  const count = (await requests()) - before;
  // Three for joins within a second; a machine that is slow to join them may cost one more for each second more.
  assert.ok(count >= 1 && count <= 2 + Math.ceil(tookMs / 1000), `${count} key frames in ${tookMs} ms`);
  stop();
  room.close();
});

test('a join is refused past the capacity, and calls that run go on', async (t) => {
  const narrow = await startPlane({ capacityStreams: 2 });
  t.after(() => narrow.close());
  const room = await narrow.openRoom('narrow');
  const publisher = await FarClient.join(room, far, 'publisher');
  const first = await FarClient.join(room, far, 'first');
  const second = await FarClient.join(room, far, 'second');
  await Promise.all([publisher.connect('send'), first.connect('receive'), second.connect('receive')]);
  const [audio, video] = await Promise.all([far.source('audio'), far.source('video')]);
  await publisher.publish('stream', audio);
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  await first.subscribe('stream');
  await first.peer.allowSubscription('stream');
  assert.deepEqual(narrow.capacity(), { used: 2, limit: 2 });
  await assert.rejects(second.subscribe('stream'), /as much media as it can/);
  await assert.rejects(FarClient.join(room, far, 'third'), /as much media as it can/);
  const stop = video.run(10);
  await until(async () => (await first.got('stream', 'video')).packets > 20, 'the running call goes on');
  first.peer.closeSubscription('stream');
  assert.equal(narrow.capacity().used, 0);
  await second.subscribe('stream');
  stop();
});

test('media flows over IPv6 from end to end, beside a client on IPv4', async (t) => {
  const both = await startPlane({ address: { listen: ['127.0.0.1', '::1'] } });
  t.after(() => both.close());
  const room = await both.openRoom('families');
  const [publisher, six, four] = await Promise.all(['p', 's', 'f'].map((name) => FarClient.join(room, far, name)));
  assert.ok(publisher && six && four);
  await Promise.all([
    publisher.connect('send', { family: 6 }),
    six.connect('receive', { family: 6 }),
    four.connect('receive'),
  ]);
  const sound = await far.source('audio');
  await publisher.publish('stream', sound);
  await publisher.peer.allowStream('stream');
  const stop = sound.run(10);
  for (const subscriber of [six, four]) {
    await subscriber.subscribe('stream');
    await subscriber.peer.allowSubscription('stream');
  }
  for (const subscriber of [six, four]) {
    await until(async () => (await subscriber.got('stream', 'audio')).packets > 20, 'packets arrive');
  }
  stop();
  room.close();
});
