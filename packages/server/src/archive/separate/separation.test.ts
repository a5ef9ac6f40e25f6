/** Which files an individual recording has, and what is in them: real packets in, files that note what they are given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type MediaKind } from '@cloister/protocol';
import { FF_ENCODER_LIBX264 } from 'node-av/constants';
import { encodeNoise } from '../compose/codec-fixtures.ts';
import { audioPayloadType, publish, reports, type Sent, videoPayloadType } from '../record/recorder-fixtures.ts';
import type { FileUnit } from './remuxer.ts';
import { type FileTracks, type SeparateFile, Separation } from './separation.ts';

/** When the recording begins, on the clock of arrivals. */
const startMs = 50_000;
const stepMs = 1000 / 30;
const wayMs = 40;

class NotedFile implements SeparateFile {
  readonly streamId: string;
  readonly startMs: number;
  readonly tracks: FileTracks;
  readonly units: FileUnit[] = [];
  stopMs: number | null = null;

  constructor(streamId: string, start: number, tracks: FileTracks) {
    this.streamId = streamId;
    this.startMs = start;
    this.tracks = tracks;
  }
  write(unit: FileUnit): void {
    assert.equal(this.stopMs, null, 'written after its end');
    this.units.push(unit);
  }
  async drained(): Promise<void> {}
  async close(stopMs: number): Promise<void> {
    this.stopMs = stopMs;
  }
  times(kind: MediaKind): number[] {
    return this.units.filter((unit) => unit.kind === kind).map(({ ms }) => ms);
  }
}

class Rig {
  readonly files: NotedFile[] = [];
  readonly asked: string[] = [];
  readonly tooLarge: string[] = [];
  readonly separation: Separation;
  #now = startMs;

  constructor(more: { hasAudio?: boolean; hasVideo?: boolean } = {}) {
    this.separation = new Separation({
      hasAudio: true,
      hasVideo: true,
      ...more,
      openFile: (streamId, start, tracks) => {
        const file = new NotedFile(streamId, start, tracks);
        this.files.push(file);
        return file;
      },
      askKeyFrame: (streamId) => this.asked.push(streamId),
      tooLarge: (streamId) => this.tooLarge.push(streamId),
    });
    this.separation.advance(startMs);
  }

  get now(): number {
    return this.#now;
  }

  track(streamId: string, kind: MediaKind, mimeType = kind === 'audio' ? 'audio/opus' : 'video/VP8'): void {
    const of =
      kind === 'audio'
        ? { clockRate: 48_000, payloadType: audioPayloadType }
        : { clockRate: 90_000, payloadType: videoPayloadType };
    this.separation.track(streamId, kind, { mimeType, ...of });
  }

  /** Sends in its own time, from now on. @param drop what is lost on the way */
  send(streamId: string, sent: readonly Sent[], drop: (each: Sent) => boolean = () => false): void {
    const begin = this.#now;
    for (const each of sent) {
      const arrives = begin + each.at + wayMs;
      this.to(arrives);
      if (!drop(each)) this.separation.packet(streamId, each.kind, each.packet, arrives);
    }
  }

  to(at: number): void {
    while (this.#now + stepMs <= at) {
      this.#now += stepMs;
      this.separation.advance(this.#now);
    }
  }

  pass(ms: number): void {
    this.to(this.#now + ms);
  }
}

const publishing = { width: 64, height: 48, frameRate: 10, colour: () => [81, 90, 240] as const, tone: () => 700 };
const second = publish(publishing, 1000);
const settle = 700;

/** Both tracks of a stream that publishes, with what its clock says. */
function join(rig: Rig, streamId: string, hasVideo = true): void {
  rig.separation.add({ streamId, hasAudio: true, hasVideo });
  for (const kind of ['audio', 'video'] as const) {
    rig.track(streamId, kind);
    rig.separation.senderReport(streamId, kind, reports.ntpMs, reports[kind]);
  }
}

test('a stream has one file with both tracks, which begins where it does and ends where it ends', async () => {
  const rig = new Rig();
  rig.pass(2000);
  // Recording began half a second before the first step, since what is late is waited for.
  const began = rig.now - startMs + limits.archiveDelayMs + wayMs;
  join(rig, 'camera');
  rig.send('camera', second);
  rig.separation.remove('camera');
  await rig.separation.close();
  const [file, ...more] = rig.files;
  assert.ok(file && more.length === 0);
  assert.deepEqual([file.streamId, file.tracks.container, file.tracks.sound], ['camera', 'webm', true]);
  assert.deepEqual([file.tracks.picture?.width, file.tracks.picture?.height], [64, 48]);
  assert.ok(Math.abs(file.startMs - began) < 20, `${file.startMs}`);
  assert.deepEqual(
    file.times('video').map((ms) => Math.round(ms / 10)),
    Array.from({ length: 10 }, (_, index) => index * 10),
  );
  assert.equal(file.times('audio').length, 50);
  assert.ok(Math.abs((file.stopMs ?? 0) - file.startMs - 1000) < 50, `${file.stopMs}`);
});

test('streams are apart, and each is in step with itself by its sender reports', async () => {
  const rig = new Rig();
  for (const streamId of ['one', 'two']) join(rig, streamId);
  const both = second.map((each) => ({ ...each, at: each.at + (each.kind === 'video' ? 90 : 0) }));
  const begin = rig.now;
  for (const each of both.toSorted((a, b) => a.at - b.at)) {
    rig.to(begin + each.at + wayMs);
    for (const streamId of ['one', 'two']) rig.separation.packet(streamId, each.kind, each.packet, rig.now);
  }
  rig.pass(settle);
  await rig.separation.close();
  assert.deepEqual(rig.files.map(({ streamId }) => streamId).sort(), ['one', 'two']);
  // The pictures were under way for 90 ms longer: that is not when they were captured.
  for (const file of rig.files) assert.ok(Math.abs((file.times('video')[0] ?? 99) - (file.times('audio')[0] ?? 0)) < 2);
});

test('a mute is a gap in the same file', async () => {
  const rig = new Rig();
  join(rig, 'camera');
  rig.send('camera', publish(publishing, 3000), ({ at, kind }) => kind === 'audio' && at >= 1000 && at < 2000);
  rig.pass(settle);
  await rig.separation.close();
  assert.equal(rig.files.length, 1);
  const times = rig.files[0]?.times('audio') ?? [];
  assert.equal(times.length, 100);
  const gap = times.findIndex((ms, index) => index > 0 && ms - (times[index - 1] as number) > 900);
  assert.equal(gap, 50);
});

test('while the picture is off none of it is recorded, and a key frame is not asked for', async () => {
  const rig = new Rig();
  join(rig, 'camera', false);
  rig.send('camera', second);
  rig.pass(settle);
  await rig.separation.close();
  assert.equal(rig.files.length, 1);
  assert.equal(rig.files[0]?.tracks.picture, null);
  assert.equal(rig.files[0]?.times('video').length, 0);
  assert.deepEqual(rig.asked, []);
});

test('another codec begins another file', async () => {
  const rig = new Rig();
  join(rig, 'camera');
  rig.send('camera', second);
  const h264 = encodeNoise(
    {
      encoder: FF_ENCODER_LIBX264,
      width: 96,
      height: 64,
      options: { preset: 'ultrafast', tune: 'zerolatency', 'x264-params': 'slice-max-size=1000' },
    },
    8,
  );
  rig.track('camera', 'video', 'video/H264');
  const begin = rig.now;
  for (const [index, picture] of h264.entries()) {
    rig.to(begin + index * 33 + wayMs);
    for (const packet of inPackets(picture, index)) rig.separation.packet('camera', 'video', packet, rig.now);
  }
  rig.pass(settle);
  await rig.separation.close();
  assert.deepEqual(
    rig.files.map(({ tracks }) => [tracks.container, tracks.picture?.width]),
    [
      ['webm', 64],
      ['matroska', 96],
    ],
  );
  const [before, behind] = rig.files as [NotedFile, NotedFile];
  assert.ok(behind.tracks.picture?.parameterSets);
  assert.equal(before.times('video').length, 10);
  assert.equal(behind.times('video').length, 8);
  // Its last sound may be under way when the new picture comes.
  assert.ok((before.stopMs as number) <= behind.startMs + 20, `${before.stopMs} and ${behind.startMs}`);
});

test('a picture that is switched on after the beginning begins another file, which has the sound as well', async () => {
  const rig = new Rig();
  join(rig, 'camera', false);
  const sent = publish(publishing, 2000);
  const switchedOn = sent.findIndex(({ at }) => at >= 1000);
  rig.send('camera', sent.slice(0, switchedOn));
  rig.separation.add({ streamId: 'camera', hasAudio: true, hasVideo: true });
  const rest = sent.slice(switchedOn).map((each) => ({ ...each, at: each.at - 1000 }));
  rig.send('camera', rest);
  rig.pass(settle);
  await rig.separation.close();
  assert.deepEqual(
    rig.files.map(({ tracks }) => [tracks.picture?.width, tracks.sound]),
    [
      [undefined, true],
      [64, true],
    ],
  );
  const [before, behind] = rig.files as [NotedFile, NotedFile];
  assert.equal(before.times('audio').length + behind.times('audio').length, 100, 'no sound is lost between them');
  assert.ok(behind.times('audio').length > 40 && behind.times('video').length >= 9);
});

let sequence = 0;
/** NAL units as single packets: the fixture's encoder cuts its pictures into slices that fit. */
function inPackets(picture: Buffer, index: number): Buffer[] {
  const behindStartCodes = picture.toString('latin1').split('\0\0\x01').slice(1);
  const units = behindStartCodes.map((unit) => (unit.endsWith('\0') ? unit.slice(0, -1) : unit));
  return units.map((unit, at) => {
    const head = Buffer.alloc(12);
    head.writeUInt8(0x80, 0);
    head.writeUInt8((at === units.length - 1 ? 0x80 : 0) | videoPayloadType, 1);
    head.writeUInt16BE(sequence++ & 0xffff, 2);
    head.writeUInt32BE(9000 + index * 3000, 4);
    return Buffer.concat([head, Buffer.from(unit, 'latin1')]);
  });
}

test('a picture that does not come is waited for up to archiveFileWaitMs, and asked for', async () => {
  const sound = publish(publishing, limits.archiveFileWaitMs + 1000);
  const begun = async (ms: number) => {
    const rig = new Rig();
    join(rig, 'camera');
    const begin = rig.now;
    rig.send(
      'camera',
      sound.filter(({ at }) => at < ms),
      ({ kind }) => kind === 'video',
    );
    rig.to(begin + ms + wayMs + limits.archiveDelayMs);
    return rig;
  };
  const early = await begun(limits.archiveFileWaitMs - 2 * stepMs);
  assert.equal(early.files.length, 0);
  assert.ok(early.asked.length >= 3 && early.asked.length <= 1 + limits.archiveFileWaitMs / limits.archiveKeyFrameMs);
  const late = await begun(limits.archiveFileWaitMs + 2 * stepMs);
  assert.deepEqual(
    late.files.map(({ tracks }) => [tracks.picture, tracks.sound]),
    [[null, true]],
  );
  assert.ok(Math.abs(late.files[0]?.times('audio')[0] ?? 1) < 1, 'what waited is in it');
});

test('a picture that is too large is told once, its stream has its sound; a smaller one begins a file with both', () => {
  const rig = new Rig();
  join(rig, 'a');
  const height = limits.archivePicturePixels / 4096 + 2;
  const large = publish({ ...publishing, width: 4096, height, frameRate: 2 }, 1000);
  rig.send('a', large);
  rig.pass(limits.archiveFileWaitMs + settle);
  assert.deepEqual(rig.tooLarge, ['a']);
  assert.deepEqual(
    rig.files.map(({ tracks }) => [tracks.picture, tracks.sound]),
    [[null, true]],
  );
  for (const kind of ['audio', 'video'] as const) rig.track('a', kind);
  rig.send('a', second);
  rig.pass(settle);
  assert.deepEqual(rig.tooLarge, ['a']);
  assert.equal(rig.files.at(-1)?.tracks.picture?.width, publishing.width);
});

test('a track that is announced and not there yet is waited for as well', async () => {
  const rig = new Rig();
  rig.separation.add({ streamId: 'camera', hasAudio: true, hasVideo: true });
  rig.track('camera', 'video');
  rig.send('camera', second);
  assert.equal(rig.files.length, 0);
  rig.track('camera', 'audio');
  rig.send(
    'camera',
    second.filter(({ kind }) => kind === 'audio'),
  );
  await rig.separation.close();
  assert.deepEqual(
    rig.files.map(({ tracks }) => [tracks.picture?.width, tracks.sound]),
    [[64, true]],
  );
});

test('a stream that ends while its picture is waited for has its sound', async () => {
  const rig = new Rig();
  join(rig, 'camera');
  rig.send('camera', second, ({ kind }) => kind === 'video');
  rig.separation.remove('camera');
  await rig.separation.close();
  assert.deepEqual(
    rig.files.map((file) => file.times('audio').length),
    [50],
  );
});

test('sound alone, pictures alone', async () => {
  for (const [has, audio, video] of [
    [{ hasVideo: false }, 50, 0],
    [{ hasAudio: false }, 0, 10],
  ] as const) {
    const rig = new Rig(has);
    join(rig, 'camera');
    rig.send('camera', second);
    rig.pass(settle);
    await rig.separation.close();
    const [file] = rig.files;
    assert.deepEqual([file?.times('audio').length, file?.times('video').length], [audio, video]);
    assert.deepEqual([file?.tracks.sound, file?.tracks.picture !== null], [audio > 0, video > 0]);
  }
});

test('time that is skipped is in no offset, and counts for nothing', async () => {
  const rig = new Rig();
  join(rig, 'one');
  rig.send('one', second);
  rig.separation.remove('one');
  const before = rig.separation.durationMs;
  rig.separation.skip(60_000);
  rig.to(rig.now + 60_000);
  join(rig, 'two');
  rig.send('two', second);
  rig.pass(settle);
  await rig.separation.close();
  const [one, two] = rig.files as [NotedFile, NotedFile];
  assert.ok(two.startMs - (one.stopMs as number) < 200, `${one.stopMs} and ${two.startMs}`);
  assert.ok(rig.separation.durationMs - before < 3000);
});

test('a stream that comes back has another file, up to archiveFiles of them', async () => {
  const rig = new Rig();
  const sound = second.filter(({ at, kind }) => kind === 'audio' && at < 40);
  for (let count = 0; count < limits.archiveFiles + 1; count += 1) {
    rig.separation.add({ streamId: 'voice', hasAudio: true, hasVideo: false });
    rig.track('voice', 'audio');
    for (const { packet } of sound) rig.separation.packet('voice', 'audio', packet, rig.now);
    rig.separation.remove('voice');
    if (count === limits.archiveFiles - 1) assert.equal(rig.files.length, limits.archiveFiles);
  }
  assert.equal(rig.files.length, limits.archiveFiles);
  await rig.separation.close();
});

test('a file that fails is what the recording fails with', async () => {
  const failing = new Separation({
    hasAudio: true,
    hasVideo: false,
    openFile: () => ({
      write: () => {},
      drained: async () => {},
      close: async () => {
        throw new Error('the disk of the library');
      },
    }),
    askKeyFrame: () => {},
    tooLarge: () => {},
  });
  failing.advance(startMs);
  failing.add({ streamId: 'voice', hasAudio: true, hasVideo: false });
  failing.track('voice', 'audio', { mimeType: 'audio/opus', clockRate: 48_000, payloadType: audioPayloadType });
  for (const { packet } of second.filter(({ kind }) => kind === 'audio'))
    failing.packet('voice', 'audio', packet, startMs);
  failing.remove('voice');
  await assert.rejects(failing.close(), /the disk of the library/);
});

test('a file of a stream begins no earlier than the one before it stopped, whatever its packets claim', async () => {
  const rig = new Rig();
  join(rig, 'camera');
  rig.send('camera', second);
  rig.separation.remove('camera');
  rig.separation.add({ streamId: 'camera', hasAudio: true, hasVideo: true });
  for (const kind of ['audio', 'video'] as const) rig.track('camera', kind);
  const earlierMs = 400;
  for (const { kind, packet, at } of second) rig.separation.packet('camera', kind, packet, rig.now - earlierMs + at);
  rig.pass(1000 + settle);
  await rig.separation.close();
  const [first, again] = rig.files as [NotedFile, NotedFile];
  assert.equal(rig.files.length, 2);
  assert.equal(again.startMs, first.stopMs);
  assert.equal(Math.min(...again.times('audio')), 0);
  assert.ok(
    again.times('audio').filter((ms) => ms === 0).length > 5,
    'what claims to be earlier stands at the beginning',
  );
});
