/** A picture that somebody cannot decode: who is asked, who is told, and how another takes its place. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits, PlatformError, type RtpCapabilities, type RtpParameters } from '@cloister/protocol';
import type { MediaPeer } from '../core/index.ts';
import { codecOf, picturesOf } from './codecs.ts';
import { FarClient, FarWorker, startPlane, until } from './media-fixtures.ts';
import type { Plane } from './plane.ts';

let plane: Plane;
let far: FarWorker;
let rooms = 0;
before(async () => {
  [plane, far] = await Promise.all([startPlane({ workers: 2 }), FarWorker.start()]);
});
after(async () => {
  far.close();
  await plane.close();
});

const openRoom = () => plane.openRoom(`room ${rooms++}`);

function without(...names: string[]): RtpCapabilities {
  const codecs = far.rtpCapabilities.codecs?.filter(({ mimeType }) => !names.some((name) => mimeType.includes(name)));
  return { ...far.rtpCapabilities, codecs };
}

let ssrc = 1000;

/** Produces a picture in a codec of which no packet comes. */
function produce(peer: MediaPeer, mimeType: string): Promise<{ producerId: string }> {
  const parameters = mimeType === 'video/H264' ? { 'packetization-mode': 1, 'profile-level-id': '42e01f' } : {};
  const rtpParameters: RtpParameters = {
    mid: String(ssrc),
    codecs: [{ mimeType, clockRate: 90_000, payloadType: 102, parameters }],
    encodings: [{ ssrc: ssrc++ }],
  };
  const dimensions = { width: 640, height: 480 };
  const rest = { paused: false, audioFallback: true, dimensions, frameRate: 30 };
  return peer.produce({ streamId: 'stream', kind: 'video', rtpParameters, ...rest });
}

/** A publisher of sound and of a picture in a codec, allowed; whoever joins receives. */
async function publishing(mimeType: string) {
  const room = await openRoom();
  const publisher = await FarClient.join(room, far, 'publisher');
  await publisher.connect('send');
  const audio = await far.source('audio');
  await publisher.publish('stream', audio);
  await produce(publisher.peer, mimeType);
  await publisher.peer.allowStream('stream');
  const clients = [publisher];
  const stop = audio.run(10);
  return {
    room,
    publisher,
    asked: () => publisher.notes.of('codecWanted'),
    async join(name: string) {
      const client = await FarClient.join(room, far, name);
      clients.push(client);
      await client.connect('receive');
      return client;
    },
    end() {
      stop();
      for (const client of clients) client.close();
      room.close();
    },
  };
}

const kinds = (offers: readonly { kind: string }[]): string[] => offers.map(({ kind }) => kind).sort();

test('who cannot decode the picture gets the sound, and the publisher is asked once', async () => {
  const { asked, join, end } = await publishing('video/H264');
  const [able, unable, other] = await Promise.all(['able', 'unable', 'other'].map(join));
  assert.deepEqual(kinds(await able!.subscribe('stream')), ['audio', 'video']);
  assert.deepEqual(asked(), []);
  for (const client of [unable!, other!]) {
    assert.deepEqual(kinds(await client.subscribe('stream', { rtpCapabilities: without('H264') })), ['audio']);
    assert.deepEqual(client.notes.of('codecNotSupported'), [['stream', 'video/H264']]);
    await client.peer.allowSubscription('stream');
    await until(async () => (await client.got('stream', 'audio')).packets > 5, 'the sound arrives');
  }
  assert.deepEqual(asked(), [['stream', ['video/VP8', 'video/VP9']]]);
  assert.deepEqual(able!.notes.of('codecNotSupported'), []);
  end();
});

test('the new picture takes the place of the old for everybody, on every worker, once its leg is allowed', async () => {
  const { room, publisher, join, end } = await publishing('video/H264');
  const able = await join('able');
  const near = await join('near');
  // The publisher's worker counts as full when the others join.
  const counts = Array.from({ length: limits.subscribersPerRouter }, () => room.routers[0]?.countIn());
  const unable = [near, await join('far'), await join('never allowed')];
  for (const countOut of counts) countOut?.();
  assert.equal(room.routers.length, 2);
  const old = (await able.subscribe('stream')).find(({ kind }) => kind === 'video');
  await Promise.all(unable.map((client) => client.subscribe('stream', { rtpCapabilities: without('H264') })));
  const [refused, ...allowed] = unable.toReversed();
  for (const client of [able, ...allowed]) await client.peer.allowSubscription('stream');

  const video = await far.source('video');
  const { producerId } = await publisher.publish('stream', video);
  const stop = video.run(10);
  for (const client of [able, ...unable]) {
    const [, offers] = await until(() => client.notes.of('consumersAdded')[0], 'the new picture is offered');
    assert.deepEqual(kinds(offers), ['video']);
    assert.equal(offers[0]?.producerId, producerId);
    assert.notEqual(offers[0]?.consumerId, old?.consumerId);
    assert.equal(codecOf(offers[0]!.rtpParameters), 'video/VP8');
    await client.receive('stream', offers);
  }
  await publisher.peer.allowStream('stream');
  for (const client of [able, ...allowed]) {
    await until(async () => (await client.got('stream', 'video')).packets > 5, 'the new picture arrives');
  }
  assert.deepEqual(await refused!.got('stream', 'video'), { packets: 0, bytes: 0 });
  assert.equal((await refused!.peer.packets()).sent, 0);
  stop();
  end();
});

test('nobody is asked to leave VP8, and no codec is asked for that somebody could not decode', async () => {
  const { publisher, asked, join, end } = await publishing('video/VP9');
  const first = await join('first');
  await first.subscribe('stream', { rtpCapabilities: without('VP8', 'VP9') });
  assert.deepEqual(asked(), [['stream', ['video/H264']]]);
  await produce(publisher.peer, 'video/H264');
  const second = await join('second');
  await second.subscribe('stream', { rtpCapabilities: without('VP8', 'H264') });
  assert.equal(asked().length, 1, 'VP9 was given up');
  const third = await join('third');
  await third.subscribe('stream', { rtpCapabilities: without('H264') });
  assert.deepEqual(asked()[1], ['stream', ['video/VP8']]);
  await produce(publisher.peer, 'video/VP8');
  await until(() => first.notes.of('codecNotSupported').length === 1 + 1, 'the first is told of VP8');
  await until(() => third.notes.of('consumersAdded').length === 1, 'the third gets VP8');
  assert.equal(asked().length, 2);
  // A client of somebody's own that goes back is asked again, once for each time.
  await produce(publisher.peer, 'video/H264');
  await until(() => asked().length === 3, 'it is asked again');
  end();
});

test('who wants no picture asks for none, until it does', async () => {
  const { asked, join, end } = await publishing('video/H264');
  const client = await join('client');
  await client.subscribe('stream', { rtpCapabilities: without('H264'), video: false });
  assert.deepEqual(client.notes.of('codecNotSupported'), [['stream', 'video/H264']]);
  assert.deepEqual(asked(), []);
  await client.peer.updateSubscription('stream', { video: true });
  await client.peer.updateSubscription('stream', { video: true });
  assert.deepEqual(asked(), [['stream', ['video/VP8', 'video/VP9']]]);
  end();
});

test('a track of the same kind and codec is refused, one of another codec is not', async () => {
  const { publisher, end } = await publishing('video/H264');
  await assert.rejects(
    produce(publisher.peer, 'video/h264'),
    (error: unknown) => error instanceof PlatformError && error.code === 'WrongState',
  );
  await produce(publisher.peer, 'video/VP8');
  end();
});

test('codecs are compared by name, whatever their case, and VP8 comes first', () => {
  const codec = (mimeType: string) => ({ kind: 'video' as const, mimeType, clockRate: 90_000 });
  assert.deepEqual(picturesOf({ codecs: ['video/h264', 'video/AV1', 'VIDEO/VP8', 'video/rtx'].map(codec) }), [
    'video/VP8',
    'video/H264',
  ]);
  assert.deepEqual(picturesOf({}), []);
  assert.equal(codecOf({ codecs: [{ ...codec('video/vp8'), payloadType: 96 }] }), 'video/VP8');
});
