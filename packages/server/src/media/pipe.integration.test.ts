import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import type { MediaRoom } from '../core/index.ts';
import { FarClient, FarWorker, freePorts, startPlane, until } from './media-fixtures.ts';
import { Pipe } from './pipe.ts';
import type { Plane } from './plane.ts';
import type { Room } from './room.ts';

let plane: Plane;
let far: FarWorker;
before(async () => {
  [plane, far] = await Promise.all([startPlane({ workers: 2 }), FarWorker.start()]);
});
after(async () => {
  far.close();
  await plane.close();
});

/** A publisher and a subscriber of one room on two workers: the first worker counts as full when the second joins. */
async function apart(room: Room): Promise<{ publisher: FarClient; subscriber: FarClient }> {
  const publisher = await FarClient.join(room, far, 'publisher');
  const home = room.routers[0];
  assert.ok(home);
  const release = fill(room);
  const subscriber = await FarClient.join(room, far, 'subscriber');
  release();
  assert.equal(room.routers.length, 2);
  await Promise.all([publisher.connect('send'), subscriber.connect('receive')]);
  return { publisher, subscriber };
}

/** Makes the room's first router look as if it had all the tracks it may have. */
function fill(room: Room): () => void {
  const counts = Array.from({ length: 400 }, () => room.routers[0]?.countIn());
  return () => {
    for (const countOut of counts) countOut?.();
  };
}

const flows = (room: Room, streamId: string): boolean | undefined => {
  const track = room.streams.get(streamId)?.tracks.get('video');
  const other = room.routers.find((router) => router !== track?.router);
  return other && track?.flowsTo(other);
};

test('a stream reaches a subscriber on another worker through a pipe with SRTP, on ports of the range', async () => {
  const room = await plane.openRoom('piped');
  const { publisher, subscriber } = await apart(room);
  const [audio, video] = await Promise.all([far.source('audio'), far.source('video')]);
  await publisher.publish('stream', audio);
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  await subscriber.subscribe('stream');
  await subscriber.peer.allowSubscription('stream');
  const stops = [audio.run(20), video.run(20)];
  await until(async () => (await subscriber.got('stream', 'video')).packets > 5, 'the picture arrives');
  await until(async () => (await subscriber.got('stream', 'audio')).packets > 5, 'the sound arrives');

  const [from, to] = room.routers;
  assert.ok(from && to);
  assert.notEqual(from.worker, to.worker);
  const pipe = await from.pipeTo(to);
  for (const end of [pipe.near, pipe.far]) {
    const { srtpParameters, tuple } = await end.dump();
    assert.equal(srtpParameters?.cryptoSuite, 'AEAD_AES_256_GCM');
    const { min, max } = plane.pool.pipePorts;
    assert.ok(tuple.localPort >= min && tuple.localPort <= max);
    assert.equal(tuple.localIp, '127.0.0.1');
  }
  // One pipe carries both tracks.
  assert.equal((await pipe.near.dump()).consumerIds.length, 2);
  for (const stop of stops) stop();
  publisher.close();
  subscriber.close();
  room.close();
});

test('a piped stream is paused while nobody beyond subscribes', async () => {
  const room = await plane.openRoom('paused');
  const { publisher, subscriber } = await apart(room);
  const video = await far.source('video');
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  const stop = video.run(10);
  await subscriber.subscribe('stream');
  assert.equal(flows(room, 'stream'), false);
  await subscriber.peer.allowSubscription('stream');
  assert.equal(flows(room, 'stream'), true);
  await until(async () => (await subscriber.got('stream', 'video')).packets > 5, 'the picture arrives');
  await subscriber.peer.updateSubscription('stream', { video: false });
  assert.equal(flows(room, 'stream'), false);
  const before = (await publisher.peer.packets()).received;
  await subscriber.peer.updateSubscription('stream', { video: true });
  assert.equal(flows(room, 'stream'), true);
  await until(async () => (await publisher.peer.packets()).received > before, 'the picture goes on');
  subscriber.peer.closeSubscription('stream');
  assert.equal(flows(room, 'stream'), false);
  stop();
  publisher.close();
  room.close();
});

test('a mute goes through a pipe', async () => {
  const room = await plane.openRoom('mute');
  const { publisher, subscriber } = await apart(room);
  const video = await far.source('video');
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  const stop = video.run(10);
  await subscriber.subscribe('stream');
  await subscriber.peer.allowSubscription('stream');
  const got = async () => (await subscriber.got('stream', 'video')).packets;
  await until(async () => (await got()) > 5, 'the picture arrives');
  await publisher.peer.pauseTrack('stream', 'video', true);
  await publisher.peer.pauseTrack('stream', 'video', false);
  const before = await got();
  await until(async () => (await got()) > before + 10, 'the picture comes back');
  stop();
  room.close();
});

test('when the worker of a piped stream is lost, its subscriber elsewhere keeps its place and gets the new tracks', async () => {
  const room = await plane.openRoom('heals');
  const { publisher, subscriber } = await apart(room);
  const publish = async () => {
    const video = await far.source('video');
    await publisher.publish('stream', video);
    await publisher.peer.allowStream('stream');
    return video.run(20);
  };
  const stop = await publish();
  await subscriber.subscribe('stream');
  await subscriber.peer.allowSubscription('stream');
  await until(async () => (await subscriber.got('stream', 'video')).packets > 3, 'the picture arrives');

  const home = room.streams.get('stream')?.tracks.get('video')?.router.worker.worker;
  process.kill(home?.pid ?? 0, 'SIGKILL');
  await until(() => publisher.notes.of('mediaLost').length === 1, 'the publisher hears of it');
  stop();
  assert.equal(subscriber.notes.of('mediaLost').length, 0);
  await publisher.connect('send');
  const stopAgain = await publish();
  const [streamId, offers] = await until(() => subscriber.notes.of('consumersAdded')[0], 'the subscriber hears of it');
  assert.equal(streamId, 'stream');
  await subscriber.receive('stream', offers);
  await until(async () => (await subscriber.got('stream', 'video')).packets > 3, 'the picture arrives again');
  stopAgain();
  room.close();
});

test('a range without a free port is a refusal, and is asked again the next time', async () => {
  const room = await plane.openRoom('no ports');
  const other = await plane.openRoom('no ports either');
  const [from, to] = [room.routers[0]?.router, other.routers[0]?.router];
  assert.ok(from && to);
  const { min } = await freePorts(1, 1);
  await assert.rejects(
    Pipe.open(from, to, { min, max: min }),
    (error: unknown) => error instanceof PlatformError && error.code === 'CapacityReached',
  );
  const pipe = await Pipe.open(from, to, plane.pool.pipePorts);
  assert.equal(pipe.closed, false);
  for (const each of [room, other] as MediaRoom[]) each.close();
});
