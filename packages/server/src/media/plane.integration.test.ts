import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import type { WebRtcTransport } from 'mediasoup/types';
import { systemClock } from '../lib/index.ts';
import {
  extensionIds,
  FarClient,
  FarWorker,
  freePorts,
  silentJournal,
  startPlane,
  until,
  workerBin,
} from './media-fixtures.ts';
import type { Plane } from './plane.ts';
import { createMediaPlane } from './plane.ts';
import type { Room } from './room.ts';
import { packetsOf } from './subscription.ts';

/** What mediasoup's worker shows of itself to tests alone. */
interface Inside {
  readonly routersForTesting: Set<{ readonly transportsForTesting: Map<string, WebRtcTransport> }>;
}

let plane: Plane;
let far: FarWorker;
let rooms = 0;
before(async () => {
  [plane, far] = await Promise.all([startPlane(), FarWorker.start()]);
});
after(async () => {
  far.close();
  await plane.close();
});

const openRoom = (): Promise<Room> => plane.openRoom(`room ${rooms++}`);
const code = (wanted: string) => (error: unknown) => error instanceof PlatformError && error.code === wanted;

/** A publisher with sound and picture, and a subscriber that has receivers; nothing is allowed yet. */
async function pair(room: Room) {
  const publisher = await FarClient.join(room, far, 'publisher');
  const subscriber = await FarClient.join(room, far, 'subscriber');
  await Promise.all([publisher.connect('send'), subscriber.connect('receive')]);
  const [audio, video] = await Promise.all([far.source('audio'), far.source('video')]);
  await publisher.publish('stream', audio);
  const { sender } = await publisher.publish('stream', video);
  await subscriber.subscribe('stream');
  const stops = [audio.run(10), video.run(10)];
  return {
    publisher,
    subscriber,
    sender,
    end() {
      for (const stop of stops) stop();
      publisher.close();
      subscriber.close();
      room.close();
    },
  };
}

/** Packets of one kind of the stream that the worker has forwarded to subscribers. */
async function forwarded(room: Room, kind: MediaKind): Promise<number> {
  const users = [...(room.streams.get('stream')?.users ?? [])];
  return packetsOf(users.flatMap(({ consumers }) => consumers.filter((consumer) => consumer.kind === kind)));
}

test('the plane proves at start that its worker reports the suite, and names the versions', () => {
  assert.equal(plane.reportsSuites, true);
  assert.equal(plane.versions.worker, '3.19.22');
  assert.match(plane.versions.openssl, /^OpenSSL \d/);
});

test('a leg is reported once, with the suite that was negotiated', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  assert.equal(await client.connect('send'), 'AEAD_AES_256_GCM');
  assert.equal(await client.connect('receive'), 'AEAD_AES_256_GCM');
  assert.deepEqual(
    client.notes.of('transportConnected').map(([, direction]) => direction),
    ['send', 'receive'],
  );
  client.close();
  room.close();
});

test('not one packet is forwarded before both legs are allowed and the client is ready', async () => {
  const room = await openRoom();
  const { publisher, subscriber, sender, end } = await pair(room);
  const sent = async () => (await sender.getStats()).find(({ type }) => type === 'outbound-rtp')?.packetCount ?? 0;

  await until(async () => (await sent()) > 30, 'the publisher sends');
  assert.deepEqual(await publisher.peer.packets(), { received: 0, sent: 0 });
  await publisher.peer.allowStream('stream');
  const before = await sent();
  await until(async () => (await sent()) > before + 30, 'the publisher sends on');
  assert.deepEqual(await subscriber.peer.packets(), { received: 0, sent: 0 });
  assert.deepEqual(await subscriber.got('stream', 'video'), { packets: 0, bytes: 0 });

  await subscriber.peer.allowSubscription('stream');
  await until(async () => (await subscriber.got('stream', 'video')).packets > 5, 'the picture arrives');
  await until(async () => (await subscriber.got('stream', 'audio')).packets > 5, 'the sound arrives');
  assert.ok((await publisher.peer.packets()).received > 0);
  assert.ok((await subscriber.peer.packets()).sent > 0);
  end();
});

test('a muted track is not forwarded, the other one is', async () => {
  const room = await openRoom();
  const { publisher, subscriber, end } = await pair(room);
  await publisher.peer.allowStream('stream');
  await subscriber.peer.allowSubscription('stream');
  await until(async () => (await subscriber.got('stream', 'audio')).packets > 5, 'the sound arrives');
  await publisher.peer.pauseTrack('stream', 'audio', true);
  const before = { audio: await forwarded(room, 'audio'), video: await forwarded(room, 'video') };
  await until(async () => (await forwarded(room, 'video')) > before.video + 20, 'the picture goes on');
  assert.equal(await forwarded(room, 'audio'), before.audio);
  await publisher.peer.pauseTrack('stream', 'audio', false);
  await until(async () => (await forwarded(room, 'audio')) > before.audio + 10, 'the sound comes back');
  end();
});

test('any DTLS role but client is refused', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  const offer = await client.peer.openTransport('send');
  const fingerprints = [{ algorithm: 'sha-256', value: 'AA:BB' }];
  for (const role of ['server', 'auto', undefined] as const) {
    await assert.rejects(
      client.peer.connectTransport(offer.transportId, { role, fingerprints }),
      code('DtlsRoleRefused'),
    );
  }
  client.close();
  room.close();
});

test('parameters that mediasoup refuses are refused with its reason, and leave nothing behind', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  const offer = await client.peer.openTransport('send');
  await assert.rejects(
    client.peer.connectTransport(offer.transportId, {
      role: 'client',
      fingerprints: [{ algorithm: 'md5', value: 'x' }],
    }),
    code('MediaParametersInvalid'),
  );
  const track = {
    streamId: 's',
    kind: 'video' as const,
    paused: false,
    audioFallback: true,
    dimensions: { width: 640, height: 480 },
    frameRate: 30,
  };
  const vp8 = { mimeType: 'video/VP8', clockRate: 90_000, payloadType: 96 };
  const wrong = [
    { codecs: [{ ...vp8, mimeType: 'video/theora' }] },
    { codecs: [vp8], encodings: [{}] },
    { codecs: [{ ...vp8, mimeType: 'nonsense' }], encodings: [{ ssrc: 1 }] },
    { codecs: [vp8], encodings: [{ ssrc: 1 }], headerExtensions: [{ uri: 'x', id: 900 }] },
    { codecs: [vp8], encodings: [{ ssrc: 2 ** 32 }] },
    { codecs: [vp8], encodings: [{ ssrc: 1, rtx: { ssrc: -1 } }] },
    { codecs: [{ ...vp8, payloadType: 4711 }], encodings: [{ ssrc: 1 }] },
  ];
  for (const rtpParameters of wrong) {
    await assert.rejects(
      client.peer.produce({ ...track, rtpParameters }),
      (error: unknown) =>
        error instanceof PlatformError && error.code === 'MediaParametersInvalid' && error.details.why !== '',
      JSON.stringify(rtpParameters),
    );
  }
  const [worker] = plane.pool.running;
  assert.equal(worker?.alive, true);
  const good = await client.peer.produce({ ...track, rtpParameters: { codecs: [vp8], encodings: [{ ssrc: 7 }] } });
  assert.ok(good.producerId);
  client.close();
  room.close();
});

test('a client that cannot take the sound is told so', async () => {
  const room = await openRoom();
  const { publisher, end } = await pair(room);
  const other = await FarClient.join(room, far, 'other');
  await other.connect('receive');
  const codecs = far.rtpCapabilities.codecs?.filter(({ mimeType }) => !/opus/i.test(mimeType));
  await assert.rejects(
    other.peer.subscribe({ streamId: 'stream', rtpCapabilities: { codecs }, audio: true, video: true }),
    (error: unknown) => error instanceof PlatformError && /opus/.test(error.message),
  );
  assert.equal(publisher.notes.of('mediaLost').length, 0);
  other.close();
  end();
});

test('calls in the wrong state are refused with words', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  const wish = { streamId: 'x', rtpCapabilities: far.rtpCapabilities, audio: true, video: true };
  await assert.rejects(client.peer.subscribe(wish), code('WrongState'));
  await assert.rejects(client.peer.connectTransport('x', { role: 'client', fingerprints: [] }), code('WrongState'));
  await client.connect('receive');
  await assert.rejects(client.peer.subscribe(wish), code('StreamNotFound'));
  client.close();
  await assert.rejects(client.peer.openTransport('send'), code('WrongState'));
  room.close();
});

test('a transport that is opened again closes the older one with all that it carries', async () => {
  const room = await openRoom();
  const { publisher, subscriber, end } = await pair(room);
  await publisher.peer.allowStream('stream');
  await subscriber.peer.allowSubscription('stream');
  await until(async () => (await subscriber.got('stream', 'video')).packets > 0, 'the picture arrives');

  await publisher.connect('send');
  const video = await far.source('video');
  await publisher.publish('stream', video);
  const stop = video.run(10);
  const [, offers] = await until(() => subscriber.notes.of('consumersAdded')[0], 'the new track is offered');
  await subscriber.receive('stream', offers);
  await publisher.peer.allowStream('stream');
  await until(async () => (await subscriber.got('stream', 'video')).packets > 5, 'the picture arrives again');
  stop();
  end();
});

test('ICE can be restarted', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  const offer = await client.peer.openTransport('send');
  const again = await client.peer.restartIce(offer.transportId);
  assert.notEqual(again.usernameFragment, offer.iceParameters.usernameFragment);
  client.close();
  room.close();
});

test('a client whose DTLS ends is reported and its transport is gone', async () => {
  const room = await openRoom();
  const client = await FarClient.join(room, far, 'a');
  await client.connect('send');
  client.transport('send').close();
  const [, direction] = await until(() => client.notes.of('transportLost')[0], 'the loss is reported');
  assert.equal(direction, 'send');
  client.close();
  room.close();
});

test('the publisher hears what is wanted: more at once, less after a while', async () => {
  const room = await openRoom();
  const { publisher, subscriber, end } = await pair(room);
  const wanted = () => publisher.notes.of('streamWanted').map(([, each]) => each);
  await publisher.peer.allowStream('stream');
  await until(() => wanted().length === 1, 'nobody wants the stream', limits.unwantedSeconds + 2);
  assert.deepEqual(wanted()[0], { audio: false, video: false, spatialMax: -1 });
  await subscriber.peer.allowSubscription('stream');
  assert.deepEqual(wanted()[1], { audio: true, video: true, spatialMax: 0 });
  await subscriber.peer.updateSubscription('stream', { video: false });
  assert.equal(wanted().length, 2);
  await until(() => wanted().length === 3, 'nobody wants the picture', limits.unwantedSeconds + 2);
  assert.deepEqual(wanted()[2], { audio: true, video: false, spatialMax: -1 });
  end();
});

test('the publisher reports of the sender are kept at its stream', async () => {
  const room = await plane.openRoom('sender reports');
  const { publisher, end } = await pair(room);
  await publisher.peer.allowStream('stream');
  const reports = await until(
    () => {
      const all = (room as unknown as { senderReports(id: string): { kind: string; ntpSec: number }[] }).senderReports(
        'stream',
      );
      return all.length === 2 && all;
    },
    'both tracks have a sender report',
    10,
  );
  assert.deepEqual(new Set(reports.map(({ kind }) => kind)), new Set(['audio', 'video']));
  assert.ok(reports.every(({ ntpSec }) => ntpSec > 0));
  end();
});

test('speakers are told loudest first', async () => {
  const room = await openRoom();
  const quiet = await FarClient.join(room, far, 'quiet');
  const loud = await FarClient.join(room, far, 'loud');
  await Promise.all([quiet.connect('send'), loud.connect('send'), quiet.connect('receive'), loud.connect('receive')]);
  const stops: (() => void)[] = [];
  for (const [client, streamId, level] of [
    [quiet, 'quiet', 50],
    [loud, 'loud', 10],
  ] as const) {
    const source = await far.source('audio');
    await client.publish(streamId, source);
    await client.peer.allowStream(streamId);
    stops.push(source.run(20, { extensions: [[extensionIds.level, Buffer.of(0x80 | level)]] }));
  }
  for (const [client, streamId] of [
    [quiet, 'loud'],
    [loud, 'quiet'],
  ] as const) {
    await client.subscribe(streamId);
    await client.peer.allowSubscription(streamId);
  }
  const levels = await until(
    () => quiet.notes.of('speakers').at(-1)?.[0].length === 2 && quiet.notes.of('speakers').at(-1)?.[0],
    'both speak',
  );
  assert.deepEqual(
    levels.map(({ streamId }) => streamId),
    ['loud', 'quiet'],
  );
  assert.ok(levels.every(({ level }) => level <= 0 && level >= -127));
  for (const stop of stops) stop();
  quiet.close();
  loud.close();
  room.close();
});

test('a range of ports that is too small is refused with the number that it takes', async () => {
  const { min } = await freePorts(1, 1);
  const options = {
    workerBin: workerBin(),
    address: { listen: ['127.0.0.1'] },
    journal: silentJournal,
    clock: systemClock,
  };
  await assert.rejects(
    createMediaPlane({ ...options, workers: 2, ports: { min, max: min + 16 } }),
    (error: unknown) => error instanceof PlatformError && error.code === 'ConfigInvalid' && /18/.test(error.message),
  );
});

test('the worker holds a publisher to transportBitrateBpsMax in all', async (t) => {
  const own = await startPlane();
  t.after(() => own.close());
  const room = await own.openRoom('bitrates');
  const client = await FarClient.join(room, far, 'a');
  const { transportId } = await client.peer.openTransport('send');
  const inside = own.pool.running[0]?.worker as unknown as Inside;
  const transports = [...inside.routersForTesting].map((router) => router.transportsForTesting.get(transportId));
  const [stats] = (await transports.find(Boolean)?.getStats()) ?? [];
  assert.equal(stats?.maxIncomingBitrate, limits.transportBitrateBpsMax);
  client.close();
  room.close();
});
