/** What a tap hands over: what the publisher sent, as it sent it, and nothing that it may not. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits, type MediaKind, PlatformError, type RtpParameters } from '@cloister/protocol';
import type { Consumer } from 'mediasoup/types';
import type { StreamTap, TapSink, TapTrack } from '../core/index.ts';
import { parseRtp, type RtpPacket } from '../lib/index.ts';
import { extensionIds, FarClient, FarWorker, numberOf, type Source, startPlane, until } from './media-fixtures.ts';
import type { Plane } from './plane.ts';
import type { Room } from './room.ts';

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

/** Bytes of the payloads that a source writes, by layer. */
const bytes = [100, 300, 900];

const openRoom = (): Promise<Room> => plane.openRoom(`room ${rooms++}`);
const code = (wanted: string) => (error: unknown) => error instanceof PlatformError && error.code === wanted;

type Packet = RtpPacket & { readonly bytes: Uint8Array; readonly number: number };
type Report = Parameters<TapSink['senderReport']>[1];

/** A sink that keeps what it was told. */
class Kept implements TapSink {
  /** Everything but packets and reports, in order. */
  readonly told: string[] = [];
  readonly tracks: Record<MediaKind, TapTrack[]> = { audio: [], video: [] };
  readonly packets: Record<MediaKind, Packet[]> = { audio: [], video: [] };
  /** Each with how many packets of its kind had come before. */
  readonly reports: Record<MediaKind, (Report & { readonly after: number })[]> = { audio: [], video: [] };

  track(kind: MediaKind, track: TapTrack): void {
    this.told.push(`${kind} begins`);
    this.tracks[kind].push(track);
  }
  trackEnded(kind: MediaKind): void {
    this.told.push(`${kind} ends`);
  }
  trackPaused(kind: MediaKind, paused: boolean): void {
    this.told.push(`${kind} ${paused ? 'muted' : 'unmuted'}`);
  }
  packet(kind: MediaKind, bytes: Uint8Array): void {
    const read = parseRtp(bytes);
    assert.ok(read);
    this.packets[kind].push({ ...read, bytes, number: numberOf(bytes) });
  }
  senderReport(kind: MediaKind, report: Report): void {
    this.reports[kind].push({ ...report, after: this.packets[kind].length });
  }
  ended(): void {
    this.told.push('over');
  }

  /** Resolves when that many more packets of a kind are there. */
  async more(kind: MediaKind, count: number): Promise<void> {
    const before = this.packets[kind].length;
    await until(() => this.packets[kind].length >= before + count, `${count} packets of ${kind}`);
  }
}

/** A publisher of sound and picture in a room of its own, not allowed yet. */
async function publishing(layers = 1) {
  const room = await openRoom();
  const publisher = await FarClient.join(room, far, 'publisher');
  await publisher.connect('send');
  const [audio, video] = await Promise.all([far.source('audio'), far.source('video', layers)]);
  await publisher.publish('stream', audio);
  const { sender } = await publisher.publish('stream', video);
  return {
    room,
    publisher,
    audio,
    video,
    sender,
    end() {
      publisher.close();
      room.close();
    },
  };
}

async function tapped(room: Room): Promise<{ tap: StreamTap; sink: Kept }> {
  const tap = await room.tap('stream');
  const sink = new Kept();
  await tap.start(sink);
  return { tap, sink };
}

/** The consumer of the room's one tap. */
function consumerOf(room: Room, kind: MediaKind): Consumer {
  const users = [...(room.streams.get('stream')?.users ?? [])];
  const consumer = users.flatMap(({ consumers }) => consumers).find((each) => each.kind === kind);
  assert.ok(consumer);
  return consumer;
}

/** Writes every few milliseconds, until it is stopped or the source ends, and hands on what was written. */
function keepWriting(source: Source, onWritten: (packets: Buffer[]) => void): () => void {
  const timer = setInterval(() => {
    if (source.producer.closed) clearInterval(timer);
    else onWritten(source.write({ bytes }));
  }, 5);
  return () => clearInterval(timer);
}

const payload = (bytes: Uint8Array): Buffer | undefined => parseRtp(bytes)?.payload;

test('sound and picture arrive whole and in the order in which they were sent, and no transport but a direct one is made', async () => {
  const { room, publisher, audio, video, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const transports = async () => (await room.routers[0]?.router.dump())?.transportIds.length;
  assert.equal(await transports(), 1);
  const { tap, sink } = await tapped(room);
  for (const consumer of [consumerOf(room, 'audio'), consumerOf(room, 'video')]) {
    // Nothing that a consumer over a network has: what is lost on the way from the publisher comes again to us all.
    assert.deepEqual(
      consumer.rtpParameters.codecs[0]?.rtcpFeedback?.filter(
        ({ type, parameter }) => type !== 'ccm' && parameter !== 'pli',
      ),
      [],
    );
    assert.equal(consumer.rtpParameters.codecs.length, 1);
  }
  assert.equal(await transports(), 3);
  assert.equal(room.routers.length, 1);

  for (const [kind, source, track] of [
    ['audio', audio, { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }],
    ['video', video, { mimeType: 'video/VP8', clockRate: 90_000, channels: null }],
  ] as const) {
    const written = new Map<number, Buffer>();
    const stop = keepWriting(source, ([packet]) => {
      if (packet) written.set(numberOf(packet), packet);
    });
    await sink.more(kind, 60);
    stop();
    const [told] = sink.tracks[kind];
    assert.ok(told);
    const { mimeType, clockRate, channels } = told;
    assert.deepEqual({ mimeType, clockRate, channels }, track);
    const [first] = sink.packets[kind];
    assert.ok(first);
    for (const [index, packet] of sink.packets[kind].entries()) {
      const sent = written.get(packet.number);
      assert.ok(sent);
      assert.deepEqual(packet.payload, payload(sent));
      const { timestamp, marker } = parseRtp(sent) as RtpPacket;
      assert.deepEqual({ timestamp: packet.timestamp, marker: packet.marker }, { timestamp, marker });
      assert.deepEqual([packet.ssrc, packet.payloadType], [told.ssrc, told.payloadType]);
      assert.equal(packet.number, first.number + index);
      assert.equal(packet.sequence, (first.sequence + index) & 0xffff);
    }
  }
  assert.equal(sink.tracks.audio[0]?.fmtp.useinbandfec, 1);
  tap.close();
  end();
});

test('extensions that say something of the media come along under the ids that were told, and subscribers keep theirs', async () => {
  const { room, publisher, audio, video, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const { sink } = await tapped(room);
  const captured = Buffer.from('ed0000008000000000000000ffffffff', 'hex');
  const { level, captureTime, orientation } = extensionIds;
  const sent = {
    audio: [[level, Buffer.of(0x80 | 42)] as const, [captureTime, captured.subarray(0, 8)] as const],
    video: [[orientation, Buffer.of(0b11)] as const, [captureTime, captured] as const],
  };
  const stops = [audio.run(5, { extensions: sent.audio }), video.run(5, { extensions: sent.video })];
  await Promise.all([sink.more('audio', 5), sink.more('video', 5)]);
  for (const stop of stops) stop();
  const read = (kind: MediaKind, name: string) => {
    const id = sink.tracks[kind][0]?.headerExtensions.find(({ uri }) => uri.endsWith(name))?.id ?? 0;
    return sink.packets[kind].at(-1)?.extensions.get(id)?.toString('hex');
  };
  assert.equal(read('audio', 'ssrc-audio-level'), 'aa');
  assert.equal(read('audio', 'abs-capture-time'), captured.toString('hex', 0, 8));
  assert.equal(read('video', 'abs-capture-time'), captured.toString('hex'));
  assert.equal(read('video', 'video-orientation'), '03');
  assert.ok(!sink.tracks.video[0]?.headerExtensions.some(({ uri }) => uri.includes('transport-wide-cc')));
  const viewer = await FarClient.join(room, far, 'viewer');
  await viewer.connect('receive');
  const offer = (await viewer.subscribe('stream')).find(({ kind }) => kind === 'video');
  assert.ok(offer?.rtpParameters.headerExtensions?.some(({ uri }) => uri === 'urn:3gpp:video-orientation'));
  viewer.close();
  end();
});

test('not one packet comes before the leg of the publisher is allowed', async () => {
  const { room, publisher, audio, video, sender, end } = await publishing();
  const { sink } = await tapped(room);
  const stops = [audio.run(5), video.run(5)];
  const sent = async () => (await sender.getStats()).find(({ type }) => type === 'outbound-rtp')?.packetCount ?? 0;
  await until(async () => (await sent()) > 40, 'the publisher sends');
  assert.deepEqual(sink.packets, { audio: [], video: [] });
  assert.deepEqual(await publisher.peer.packets(), { received: 0, sent: 0 });
  await publisher.peer.allowStream('stream');
  await Promise.all([sink.more('audio', 5), sink.more('video', 5)]);
  for (const stop of stops) stop();
  end();
});

test('nothing comes of a muted track, from the moment on in which it is muted; the other one goes on', async () => {
  const { room, publisher, audio, video, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const { sink } = await tapped(room);
  const stops = [audio.run(5), video.run(5)];
  await Promise.all([sink.more('audio', 5), sink.more('video', 5)]);
  const muted = publisher.peer.pauseTrack('stream', 'audio', true);
  const before = sink.packets.audio.length;
  // One that was on its way from the worker.
  consumerOf(room, 'audio').emit('rtp', Buffer.from(sink.packets.audio[0]?.bytes ?? []));
  await muted;
  await sink.more('video', 30);
  assert.equal(sink.packets.audio.length, before);

  // Who taps while it is muted hears so at once.
  const late = await tapped(room);
  await late.sink.more('video', 20);
  assert.equal(late.sink.packets.audio.length, 0);
  assert.ok(late.sink.told.includes('audio muted'));

  await publisher.peer.pauseTrack('stream', 'audio', true);
  await publisher.peer.pauseTrack('stream', 'audio', false);
  await Promise.all([sink.more('audio', 5), late.sink.more('audio', 5)]);
  assert.deepEqual(
    sink.told.filter((each) => each.startsWith('audio')),
    ['audio begins', 'audio muted', 'audio unmuted'],
  );
  for (const stop of stops) stop();
  end();
});

test('another track takes the place of one whose codec changes, with no gap told', async () => {
  const room = await openRoom();
  const publisher = await FarClient.join(room, far, 'publisher');
  await publisher.connect('send');
  const rtpParameters: RtpParameters = {
    mid: 'old',
    codecs: [
      {
        mimeType: 'video/H264',
        clockRate: 90_000,
        payloadType: 102,
        parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' },
      },
    ],
    encodings: [{ ssrc: 4711 }],
  };
  const rest = { paused: false, audioFallback: true, dimensions: { width: 640, height: 480 }, frameRate: 30 };
  await publisher.peer.produce({ streamId: 'stream', kind: 'video', rtpParameters, ...rest });
  await publisher.peer.allowStream('stream');
  const { sink } = await tapped(room);
  assert.deepEqual(sink.told, ['video begins']);
  const video = await far.source('video');
  await publisher.publish('stream', video);
  await publisher.peer.allowStream('stream');
  const stop = video.run(5);
  await sink.more('video', 5);
  assert.deepEqual(sink.told, ['video begins', 'video begins']);
  assert.deepEqual(
    sink.tracks.video.map(({ mimeType }) => mimeType),
    ['video/H264', 'video/VP8'],
  );
  const { ssrc, payloadType } = sink.tracks.video[1] as TapTrack;
  for (const packet of sink.packets.video) assert.deepEqual([packet.ssrc, packet.payloadType], [ssrc, payloadType]);
  assert.equal(plane.capacity().used, 1);
  // A track that comes as the first of its kind.
  const audio = await far.source('audio');
  await publisher.publish('stream', audio);
  await publisher.peer.allowStream('stream');
  const stopAudio = audio.run(5);
  await sink.more('audio', 5);
  assert.deepEqual(sink.told.slice(2), ['audio begins']);
  stop();
  stopAudio();
  publisher.close();
  room.close();
});

test('the layer follows the size that is shown, the publisher hears what is wanted, and no picture comes while none is shown', async () => {
  const { room, publisher, audio, video, end } = await publishing(3);
  await publisher.peer.allowStream('stream');
  const tap = await room.tap('stream');
  const sink = new Kept();
  tap.show({ width: 320, height: 180 });
  await tap.start(sink);
  const stops = [audio.run(10), video.run(10, { bytes })];
  const layer = async (wanted: number): Promise<void> => {
    const size = () => sink.packets.video.at(-1);
    await until(() => {
      const last = size();
      return last && last.payload.length === bytes[wanted];
    }, `layer ${wanted}`);
    const before = sink.packets.video.length;
    await sink.more('video', 20);
    const sizes = sink.packets.video.slice(before).map(({ payload }) => payload.length);
    assert.ok(
      sizes.every((each) => each === bytes[wanted]),
      sizes.join(),
    );
  };
  const wanted = () => publisher.notes.of('streamWanted').at(-1)?.[1];
  await layer(0);
  tap.show({ width: 1280, height: 720 });
  await layer(2);
  tap.show({ width: 640, height: 360 });
  await layer(1);
  await until(() => wanted()?.spatialMax === 1, 'the top layer is not wanted', limits.unwantedSeconds + 2);

  tap.show(null);
  const before = sink.packets.video.length;
  await sink.more('audio', 20);
  assert.equal(sink.packets.video.length, before);
  await until(() => wanted()?.video === false, 'no picture is wanted', limits.unwantedSeconds + 2);
  assert.deepEqual(wanted(), { audio: true, video: false, spatialMax: -1 });
  tap.show({ width: 320, height: 180 });
  assert.deepEqual(wanted(), { audio: true, video: true, spatialMax: 0 });
  await layer(0);
  assert.deepEqual(sink.told.toSorted(), ['audio begins', 'video begins']);
  for (const stop of stops) stop();
  end();
});

test("reports are the publisher's own, in the timestamps of the packets, whatever layer they are of", async () => {
  const { room, publisher, audio, video, end } = await publishing(3);
  await publisher.peer.allowStream('stream');
  const tap = await room.tap('stream');
  const sink = new Kept();
  tap.show({ width: 320, height: 180 });
  await tap.start(sink);
  const cameIn = new Map<number, number>();
  const stopAudio = audio.run(10);
  const stopVideo = keepWriting(video, (packets) => {
    for (const [index, packet] of packets.entries()) {
      cameIn.set(numberOf(packet) * 10 + index, (parseRtp(packet) as RtpPacket).timestamp);
    }
  });
  // What mediasoup took off the timestamps of a packet.
  const lost = (packet: Packet): number => {
    const layer = bytes.indexOf(packet.payload.length);
    return ((cameIn.get(packet.number * 10 + layer) ?? Number.NaN) - packet.timestamp) >>> 0;
  };
  const seen = new Set<number>();
  for (const [width, height, layer] of [
    [320, 180, 0],
    [1280, 720, 2],
    [640, 360, 1],
  ] as const) {
    tap.show({ width, height });
    const size = bytes[layer];
    const { last, own } = await until(async () => {
      const last = sink.packets.video.at(-1);
      if (!last || last.payload.length !== size) return undefined;
      // The newest report that was handed over, as it came in: the clock says which one it was.
      const handed = sink.reports.video.at(-1);
      const own = room
        .senderReports('stream')
        .filter(({ kind }) => kind === 'video')
        .find(({ ntpSec, ntpFrac, rtpTs }) => {
          const ntpMs = ntpSec * 1000 + (ntpFrac * 1000) / 2 ** 32;
          return handed?.ntpMs === ntpMs && handed.rtpTimestamp === (rtpTs - lost(last)) >>> 0;
        });
      return own && { last, own };
    }, `layer ${layer} is sent and reported in its timestamps`);
    seen.add(own.ssrc);
    assert.equal(sink.reports.video.at(-1)?.rtpTimestamp, (own.rtpTs - lost(last)) >>> 0);
    // The layers begin far apart, and all of them but the first are moved.
    assert.equal(lost(last) !== 0, layer !== 0);
  }
  assert.equal(seen.size, 3);
  // Sound has one clock and loses nothing.
  const own = await until(() => {
    const report = sink.reports.audio.at(-1);
    return room.senderReports('stream').find(({ kind, rtpTs }) => kind === 'audio' && rtpTs === report?.rtpTimestamp);
  }, 'the sound is reported');
  assert.ok(own.ntpSec > 0);
  // Who taps later has a report with the first packet at the latest, not only when the publisher makes the next one.
  const late = await tapped(room);
  await late.sink.more('video', 1);
  assert.equal(late.sink.reports.video[0]?.after, 0);
  assert.ok(late.sink.reports.audio.length > 0);
  stopVideo();
  stopAudio();
  end();
});

test('after a lost worker the tap hands over the tracks that take the place of the lost ones', async (t) => {
  const own = await startPlane({ workers: 2 });
  t.after(() => own.close());
  const room = await own.openRoom('room');
  const publisher = await FarClient.join(room, far, 'publisher');
  const publish = async (): Promise<() => void> => {
    await publisher.connect('send');
    const sources = await Promise.all([far.source('audio'), far.source('video')]);
    for (const source of sources) await publisher.publish('stream', source);
    await publisher.peer.allowStream('stream');
    const stops = sources.map((source) => source.run(10));
    return () => {
      for (const stop of stops) stop();
    };
  };
  const stop = await publish();
  const { tap, sink } = await tapped(room);
  await Promise.all([sink.more('audio', 5), sink.more('video', 5)]);
  assert.equal(own.capacity().used, 2);

  process.kill(room.routers[0]?.worker.worker.pid ?? 0, 'SIGKILL');
  await until(() => sink.told.length === 4, 'both tracks end');
  assert.deepEqual(sink.told.slice(2).toSorted(), ['audio ends', 'video ends']);
  assert.equal(own.capacity().used, 0);
  stop();
  // Who taps meanwhile waits as well.
  const meanwhile = await tapped(room);
  assert.deepEqual(meanwhile.sink.told, []);

  const stopAgain = await publish();
  await Promise.all([sink.more('audio', 5), sink.more('video', 5), meanwhile.sink.more('video', 5)]);
  assert.deepEqual(sink.told.slice(4).toSorted(), ['audio begins', 'video begins']);
  assert.equal(own.capacity().used, 4);
  tap.close();
  meanwhile.tap.close();
  assert.equal(own.capacity().used, 0);
  stopAgain();
  publisher.close();
  room.close();
});

test('a worker that is lost while a tap starts is no failure of the tap', async (t) => {
  const own = await startPlane();
  t.after(() => own.close());
  const room = await own.openRoom('room');
  const publisher = await FarClient.join(room, far, 'publisher');
  await publisher.connect('send');
  await publisher.publish('stream', await far.source('audio'));
  await publisher.peer.allowStream('stream');
  const tap = await room.tap('stream');
  const sink = new Kept();
  const { pid } = room.routers[0]?.worker.worker ?? { pid: 0 };
  process.kill(pid, 'SIGSTOP');
  const starting = tap.start(sink);
  process.kill(pid, 'SIGKILL');
  await starting;
  assert.deepEqual(sink.told, []);
  assert.equal(own.capacity().used, 0);
  const audio = await far.source('audio');
  await publisher.connect('send');
  await publisher.publish('stream', audio);
  await publisher.peer.allowStream('stream');
  const stop = audio.run(10);
  await sink.more('audio', 3);
  assert.deepEqual(sink.told, ['audio begins']);
  stop();
  publisher.close();
});

test('nothing is left after close, and the sink is left alone', async () => {
  const { room, publisher, audio, video, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const stops = [audio.run(5), video.run(5)];
  const { tap, sink } = await tapped(room);
  await Promise.all([sink.more('audio', 5), sink.more('video', 5)]);
  const [router] = room.routers;
  assert.ok(router);
  assert.deepEqual([router.consumers, router.worker.load.forwarded, plane.capacity().used], [2, 2, 2]);
  const { received } = await publisher.peer.packets();
  assert.ok(received >= sink.packets.audio.length + sink.packets.video.length);

  tap.close();
  tap.close();
  const count = [sink.packets.audio.length, sink.packets.video.length, sink.told.length];
  assert.deepEqual([router.consumers, router.worker.load.forwarded, plane.capacity().used], [0, 0, 0]);
  assert.equal(room.streams.get('stream')?.users.size, 0);
  await until(async () => (await router.router.dump()).transportIds.length === 1, 'its transports are gone');
  assert.deepEqual((await router.router.dump()).mapConsumerIdProducerId, []);
  tap.show(null);
  tap.requestKeyFrame();
  // The stream goes on for others.
  const other = await tapped(room);
  await other.sink.more('video', 10);
  assert.deepEqual([sink.packets.audio.length, sink.packets.video.length, sink.told.length], count);
  // What the first had is not forgotten in the publisher's count.
  assert.ok((await publisher.peer.packets()).received > received);

  publisher.peer.closeStream('stream');
  assert.deepEqual(other.sink.told.toSorted(), ['audio begins', 'over', 'video begins']);
  assert.equal(other.sink.told.at(-1), 'over');
  assert.equal(plane.capacity().used, 0);
  for (const stop of stops) stop();
  end();
});

test('what is no media of the track does not reach the sink', async () => {
  const { room, publisher, audio, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const { sink } = await tapped(room);
  const arrives = sink.more('audio', 1);
  audio.write();
  await arrives;
  const consumer = consumerOf(room, 'audio');
  const [whole] = sink.packets.audio;
  assert.ok(whole);
  const change = (act: (packet: Buffer) => Buffer): void => {
    consumer.emit('rtp', act(Buffer.from(whole.bytes)));
  };
  // Padding alone (RFC 3550, 5.1), as probes are; another payload type, as retransmissions have; another SSRC; rubbish.
  change((packet) => {
    const padded = Buffer.concat([packet.subarray(0, packet.length - whole.payload.length), Buffer.from([0, 0, 0, 4])]);
    padded[0] = (padded[0] ?? 0) | 0x20;
    return padded;
  });
  change((packet) => Buffer.from(packet.with(1, (packet[1] ?? 0) ^ 1)));
  change((packet) => Buffer.from(packet.with(11, (packet[11] ?? 0) ^ 1)));
  change((packet) => packet.subarray(0, 11));
  assert.equal(sink.packets.audio.length, 1);
  change((packet) => packet);
  assert.equal(sink.packets.audio.length, 2);
  end();
});

test('a key frame is asked of the publisher', async () => {
  const { room, publisher, video, sender, end } = await publishing();
  await publisher.peer.allowStream('stream');
  const { tap, sink } = await tapped(room);
  const stop = video.run(10);
  await sink.more('video', 3);
  const requests = async (): Promise<number> => {
    const stat = (await sender.getStats()).find(({ type }) => type === 'outbound-rtp');
    return (stat?.pliCount ?? 0) + (stat?.firCount ?? 0);
  };
  // The request of the start is answered by now; one within `keyFrameIntervalMs` of it would be put off.
  const before = await requests();
  tap.requestKeyFrame();
  await until(async () => (await requests()) > before, 'the publisher is asked');
  stop();
  end();
});

test('a room has tapsPerRoom taps and not one more', async () => {
  const { room, publisher, end } = await publishing();
  const taps = await Promise.all(Array.from({ length: limits.tapsPerRoom }, () => room.tap('stream')));
  await assert.rejects(room.tap('stream'), code('LimitReached'));
  taps[0]?.close();
  const last = await room.tap('stream');
  await assert.rejects(room.tap('stream'), code('LimitReached'));
  publisher.peer.closeStream('stream');
  await assert.rejects(last.start(new Kept()), code('StreamNotFound'));
  await publisher.publish('stream', await far.source('audio'));
  const again = await Promise.all(Array.from({ length: limits.tapsPerRoom }, () => room.tap('stream')));
  assert.equal(again.length, limits.tapsPerRoom);
  end();
});

test('refusals say what is wrong: no such stream, started twice, closed, no room on the node', async (t) => {
  const { room, publisher, end } = await publishing();
  await assert.rejects(room.tap('another'), code('StreamNotFound'));
  const { tap } = await tapped(room);
  await assert.rejects(tap.start(new Kept()), code('WrongState'));
  tap.close();
  await assert.rejects(tap.start(new Kept()), code('WrongState'));
  const unstarted = await room.tap('stream');
  publisher.close();
  await assert.rejects(unstarted.start(new Kept()), code('StreamNotFound'));
  end();
  await assert.rejects(room.tap('stream'), code('StreamNotFound'));

  const narrow = await startPlane({ capacityStreams: 3 });
  t.after(() => narrow.close());
  const small = await narrow.openRoom('small');
  const client = await FarClient.join(small, far, 'publisher');
  await client.connect('send');
  for (const kind of ['audio', 'video'] as const) await client.publish('stream', await far.source(kind));
  const first = await tapped(small);
  const second = await small.tap('stream');
  await assert.rejects(second.start(new Kept()), code('CapacityReached'));
  assert.deepEqual(narrow.capacity(), { used: 2, limit: 3 });
  first.tap.close();
  await tapped(small);
  assert.equal(narrow.capacity().used, 2);
});
