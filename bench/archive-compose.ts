/**
 * What it costs to compose and encode a recording, beside the `ffmpeg` command with the same inputs and the same encoders,
 * and what sealing adds.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { limits } from '@cloister/protocol';
import { Log } from 'node-av';
import { AV_LOG_ERROR } from 'node-av/constants';
import { type ComposedStream, Composition } from '../packages/server/src/archive/compose/composition.ts';
import { type Container, Output } from '../packages/server/src/archive/compose/output.ts';
import { toCertificates } from '../packages/server/src/archive/index.ts';
import type { Seal } from '../packages/server/src/archive/record/messages.ts';
import { createSealer } from '../packages/server/src/archive/record/recorder-seal.ts';
import { makeOwner } from '../packages/server/src/archive/seal/archive-fixtures.ts';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { type CameraPacket, ffmpeg, makeCamera, packetsOf, payloadTypes } from './harness/camera.ts';
import { figure, medianOf, quick, type Result, repeat, say } from './harness/figure.ts';

const SECONDS = quick ? 4 : 20;
const FRAME_RATE = 30;
const STREAMS = 4;
const SOURCE = { width: 640, height: 480, frameRate: FRAME_RATE, bitsPerSecond: 1_000_000, seconds: SECONDS };
const SIZES = [
  { width: 640, height: 480, most: 1.4 },
  { width: 1280, height: 720, most: 1.25 },
] as const;
/** What sealing may add to the CPU of a recording at the smaller size. */
const SEALING_MOST = 0.03;
/** Sealing takes so little that it is measured over many rounds of the same recording. */
const SEALING_ROUNDS = quick ? 20 : 100;

Log.setLevel(AV_LOG_ERROR);
const folder = tempFolder('archive-compose');

type Size = (typeof SIZES)[number];

interface Composed {
  /** Seconds of CPU for each second of output. */
  readonly cost: number;
  readonly bytes: number;
}

/** Ours, in this process, every thread of it. @param write takes what would be sealed */
async function compose(
  streams: readonly CameraPacket[][],
  { width, height }: Size,
  container: Container = 'mp4',
  write: (part: Buffer) => void = () => {},
): Promise<Composed> {
  let bytes = 0;
  const before = process.cpuUsage();
  const output = await Output.open({
    container,
    video: { width, height, frameRate: FRAME_RATE },
    audio: true,
    maxBitrateBps: null,
    quantizationParameter: null,
    write: (part) => {
      bytes += part.length;
      write(part);
    },
  });
  const [halfWidth, halfHeight] = [width / 2, height / 2];
  const composition = new Composition<ComposedStream>({
    ...{ width, height, frameRate: FRAME_RATE, hasAudio: true, hasVideo: true, output },
    arrange: (all) =>
      all.map(({ streamId }, index) => {
        const [x, y] = [(index % 2) * halfWidth, Math.floor(index / 2) * halfHeight];
        return { streamId, x, y, width: halfWidth, height: halfHeight, fit: 'contain' };
      }),
    askKeyFrame: () => {},
    tooLarge: () => {},
  });
  const queues = streams.map((packets, index) => {
    const streamId = `${index}`;
    composition.add({ streamId, name: '', hasVideo: true });
    composition.track(streamId, 'video', { mimeType: 'video/VP8', clockRate: 90_000, payloadType: payloadTypes.video });
    composition.track(streamId, 'audio', {
      mimeType: 'audio/opus',
      clockRate: 48_000,
      payloadType: payloadTypes.audio,
    });
    return { streamId, packets, next: 0 };
  });
  for (let now = 0; now < SECONDS * 1000 + limits.archiveDelayMs; now += 20) {
    for (const queue of queues) {
      for (let packet = queue.packets[queue.next]; packet && packet.at <= now; packet = queue.packets[queue.next]) {
        composition.packet(queue.streamId, packet.kind, packet.bytes, packet.at);
        queue.next += 1;
      }
    }
    // What it begins with is the first picture.
    if (now >= limits.archiveDelayMs) composition.advance(now);
    await output.drained();
  }
  const { durationMs } = composition;
  composition.close();
  await output.close();
  const { user, system } = process.cpuUsage(before);
  return { cost: (user + system) / 1000 / durationMs, bytes };
}

/** The plain command; its own account of its CPU. */
function command(files: readonly string[], { width, height }: Size): Composed {
  const [halfWidth, halfHeight] = [width / 2, height / 2];
  const fit = `scale=${halfWidth}:${halfHeight}:force_original_aspect_ratio=decrease:flags=bilinear`;
  const boxes = files.map(
    (_, index) => `[${index}:v]${fit},pad=${halfWidth}:${halfHeight}:(ow-iw)/2:(oh-ih)/2[v${index}];`,
  );
  const names = (kind: string) => files.map((_, index) => kind.replace('#', String(index))).join('');
  const stacked = `${names('[v#]')}xstack=inputs=${STREAMS}:layout=0_0|w0_0|0_h0|w0_h0[v];`;
  const mixed = `${names('[#:a]')}amix=inputs=${STREAMS}:normalize=0[a]`;
  const video = [
    '-c:v',
    'libx264',
    '-preset',
    'superfast',
    '-tune',
    'zerolatency',
    '-crf',
    '23',
    '-bf',
    '0',
    '-g',
    '60',
  ];
  const file = path.join(folder, 'out.mp4');
  const told = ffmpeg([
    ...files.flatMap((each) => ['-threads', '1', '-i', each]),
    '-filter_complex',
    `${boxes.join('')}${stacked}${mixed}`,
    ...[
      '-map',
      '[v]',
      '-map',
      '[a]',
      '-r',
      `${FRAME_RATE}`,
      ...video,
      '-threads:v',
      '1',
      '-c:a',
      'aac',
      '-b:a',
      '128k',
    ],
    ...['-movflags', '+frag_keyframe+empty_moov', file],
  ]);
  const [, user, system] = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(told) ?? [];
  return { cost: (Number(user) + Number(system)) / SECONDS, bytes: readFileSync(file).length };
}

/** What was recorded in each format, in the parts in which the recorder seals it. */
interface Sealed {
  readonly seal: Seal;
  readonly parts: readonly Buffer[];
}

async function recordedFor(streams: readonly CameraPacket[][]): Promise<Record<'opentok' | 'cloister', Sealed>> {
  const parts = { mpegts: [] as Buffer[], mp4: [] as Buffer[] };
  for (const container of ['mpegts', 'mp4'] as const) {
    await compose(streams, SIZES[0], container, (part) => void parts[container].push(part));
  }
  const owner = makeOwner();
  const contentKey = randomBytes(32);
  const header = await toCertificates([owner.certificate])(contentKey);
  const ownSeal = { format: 'cloister', contentKey: contentKey.toString('base64'), header } as const;
  return {
    opentok: { seal: { format: 'opentok', certificate: owner.pem }, parts: parts.mpegts },
    cloister: { seal: ownSeal, parts: parts.mp4 },
  };
}

/** → seconds of CPU that sealing takes for each second of output, the block that would end the file included. */
async function sealing({ seal, parts }: Sealed): Promise<number> {
  const before = process.cpuUsage();
  for (let round = 0; round < SEALING_ROUNDS; round += 1) {
    const { sealer, closing } = await createSealer(seal);
    for (const part of parts) {
      sealer.write(part);
      closing()?.toString('base64');
    }
    sealer.end();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / SEALING_ROUNDS / SECONDS;
}

async function measure(): Promise<Result> {
  say(`making ${STREAMS} streams of ${SECONDS} s`);
  const files = Array.from({ length: STREAMS }, (_, index) => makeCamera(folder, index, SOURCE));
  const streams = await Promise.all(files.map(packetsOf));
  const recorded = await recordedFor(streams);
  const taken = await repeat('archive-compose', async () => {
    const each: { ours: Composed; other: Composed }[] = [];
    for (const size of SIZES) each.push({ ours: await compose(streams, size), other: command(files, size) });
    return { each, opentok: await sealing(recorded.opentok), cloister: await sealing(recorded.cloister) };
  });
  const of = (index: number, side: 'ours' | 'other', what: keyof Composed) =>
    medianOf(taken, ({ each }) => each[index]?.[side][what] as number);
  const sealed = (format: 'opentok' | 'cloister', name: string) => {
    const cost = medianOf(taken, (run) => run[format]);
    const share = cost / of(0, 'ours', 'cost');
    const added = `${(share * 100).toFixed(2)} % more (${(cost * 1000).toFixed(2)} ms)`;
    const target = { text: `at most ${SEALING_MOST * 100} % more`, measured: share, most: SEALING_MOST };
    return { what: `sealing a second of 640x480 in ${name}`, ours: added, other: null, target };
  };
  const seconds = (value: number) => `${value.toFixed(3)} s`;
  const rate = (bytes: number) => `${((bytes * 8) / SECONDS / 1e6).toFixed(2)} Mbit/s`;
  return {
    rows: [
      ...SIZES.map(({ width, height, most }, index) => {
        const [ours, other] = [of(index, 'ours', 'cost'), of(index, 'other', 'cost')];
        const [measured, text] = [ours / other, `at most ${most} of ffmpeg; is ${(ours / other).toFixed(2)}`];
        const [what, target] = [`CPU for a second of ${width}x${height}`, { text, measured, most }];
        return { what, ours: seconds(ours), other: seconds(other), target };
      }),
      sealed('opentok', "OpenTok's format"),
      sealed('cloister', "Cloister's own format"),
    ],
    notes: [
      `${STREAMS} streams of ${SOURCE.width}x${SOURCE.height} at ${FRAME_RATE} frames/s, VP8 and Opus, ${SECONDS} s, in two rows; libx264 superfast, zerolatency, crf 23, one thread, AAC at 128 kbit/s. Ours takes RTP packets and is not sealed; the peer reads the same pictures from files (${execFileSync('ffmpeg', ['-version']).toString().split(' ').slice(0, 3).join(' ')}).`,
      `Sealing is what the sealer takes for the same recording in the parts in which the recorder has it (${recorded.opentok.parts.length} of MPEG-TS, ${recorded.cloister.parts.length} of MP4), with the block that would end the file after each; measured by itself, since two recordings differ by more than that.`,
      `What was written: ${SIZES.map(({ width, height }, index) => `${width}x${height} ${rate(of(index, 'ours', 'bytes'))} and ${rate(of(index, 'other', 'bytes'))}`).join('; ')}.`,
    ],
  };
}

await figure(measure);
