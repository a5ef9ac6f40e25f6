/** What it costs to compose and encode a recording, beside the `ffmpeg` command with the same inputs and the same encoders. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { limits } from '@cloister/protocol';
import { Demuxer, Log } from 'node-av';
import { AV_LOG_ERROR, AVMEDIA_TYPE_VIDEO } from 'node-av/constants';
import { type ComposedStream, Composition } from '../packages/server/src/archive/composition.ts';
import { Output } from '../packages/server/src/archive/output.ts';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { figure, medianOf, quick, type Result, repeat, say } from './harness/figure.ts';

const SECONDS = quick ? 4 : 20;
const FRAME_RATE = 30;
const STREAMS = 4;
const SOURCE = { width: 640, height: 480 };
const PAYLOAD_BYTES = 1100;
const SIZES = [
  { width: 640, height: 480, most: 1.4 },
  { width: 1280, height: 720, most: 1.25 },
] as const;
const [VIDEO, AUDIO] = [96, 111];

Log.setLevel(AV_LOG_ERROR);
const folder = tempFolder('archive-compose');

interface Packet {
  readonly kind: 'audio' | 'video';
  readonly at: number;
  readonly bytes: Buffer;
}

function ffmpeg(args: readonly string[]): string {
  const { status, stderr } = spawnSync('ffmpeg', ['-hide_banner', '-nostdin', '-y', '-benchmark', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr.slice(-2000)}`);
  return stderr;
}

/** A moving picture and a tone, in VP8 and Opus as a browser sends them. → its file */
function makeSource(index: number): string {
  const file = path.join(folder, `${index}.webm`);
  const { width, height } = SOURCE;
  const pictures = `testsrc2=size=${width}x${height}:rate=${FRAME_RATE},hue=h=${index * 80},noise=alls=6:allf=t`;
  const inputs = [
    '-f',
    'lavfi',
    '-i',
    pictures,
    '-f',
    'lavfi',
    '-i',
    `sine=frequency=${300 * (index + 1)}:sample_rate=48000`,
  ];
  const video = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '1M', '-g', '90'];
  ffmpeg([...inputs, '-t', `${SECONDS}`, ...video, '-c:a', 'libopus', '-b:a', '48k', '-ac', '2', file]);
  return file;
}

function rtp(payloadType: number, marker: boolean, sequence: number, timestamp: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(0x80, 0);
  head.writeUInt8((marker ? 0x80 : 0) | payloadType, 1);
  head.writeUInt16BE(sequence & 0xffff, 2);
  head.writeUInt32BE(timestamp >>> 0, 4);
  return Buffer.concat([head, payload]);
}

/** The same as packets of RTP. */
async function packetsOf(file: string): Promise<Packet[]> {
  const demuxer = await Demuxer.open(readFileSync(file));
  const kinds = demuxer.streams.map(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
  const packets: Packet[] = [];
  let [pictures, sounds] = [0, 0];
  for await (const packet of demuxer.packets()) {
    if (!packet?.data) break;
    const at = Math.max(0, Number(packet.pts));
    if (kinds[packet.streamIndex]) {
      for (let from = 0; from < packet.data.length; from += PAYLOAD_BYTES) {
        const part = packet.data.subarray(from, from + PAYLOAD_BYTES);
        const payload = Buffer.concat([Buffer.from([from === 0 ? 0x10 : 0]), part]);
        const marker = from + PAYLOAD_BYTES >= packet.data.length;
        packets.push({ kind: 'video', at, bytes: rtp(VIDEO, marker, pictures++, at * 90, payload) });
      }
    } else
      packets.push({ kind: 'audio', at, bytes: rtp(AUDIO, false, sounds, 960 * sounds++, Buffer.from(packet.data)) });
    packet.free();
  }
  await demuxer.close();
  return packets;
}

interface Composed {
  /** Seconds of CPU for each second of output. */
  readonly cost: number;
  readonly bytes: number;
}

/** Ours, in this process, every thread of it. */
async function compose(streams: readonly Packet[][], { width, height }: (typeof SIZES)[number]): Promise<Composed> {
  let bytes = 0;
  const before = process.cpuUsage();
  const output = await Output.open({
    container: 'mp4',
    video: { width, height, frameRate: FRAME_RATE },
    audio: true,
    maxBitrateBps: null,
    quantizationParameter: null,
    write: (part) => {
      bytes += part.length;
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
    composition.add({ streamId, hasVideo: true });
    composition.track(streamId, 'video', { mimeType: 'video/VP8', clockRate: 90_000, payloadType: VIDEO });
    composition.track(streamId, 'audio', { mimeType: 'audio/opus', clockRate: 48_000, payloadType: AUDIO });
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
function command(files: readonly string[], { width, height }: (typeof SIZES)[number]): Composed {
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
    'veryfast',
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

async function measure(): Promise<Result> {
  say(`making ${STREAMS} streams of ${SECONDS} s`);
  const files = Array.from({ length: STREAMS }, (_, index) => makeSource(index));
  const streams = await Promise.all(files.map(packetsOf));
  const taken = await repeat('archive-compose', async () => {
    const each: { ours: Composed; other: Composed }[] = [];
    for (const size of SIZES) each.push({ ours: await compose(streams, size), other: command(files, size) });
    return each;
  });
  const of = (index: number, side: 'ours' | 'other', what: keyof Composed) =>
    medianOf(taken, (run) => run[index]?.[side][what] as number);
  const text = (value: number) => `${value.toFixed(3)} s`;
  const rate = (bytes: number) => `${((bytes * 8) / SECONDS / 1e6).toFixed(2)} Mbit/s`;
  return {
    rows: SIZES.map(({ width, height, most }, index) => {
      const [ours, other] = [of(index, 'ours', 'cost'), of(index, 'other', 'cost')];
      const target = { text: `at most ${most} of ffmpeg`, measured: ours / other, most };
      return { what: `CPU for a second of ${width}x${height}`, ours: text(ours), other: text(other), target };
    }),
    notes: [
      `${STREAMS} streams of ${SOURCE.width}x${SOURCE.height} at ${FRAME_RATE} frames/s, VP8 and Opus, ${SECONDS} s, in two rows; libx264 veryfast, zerolatency, crf 23, one thread, AAC at 128 kbit/s. Ours takes RTP packets and is not sealed; the peer reads the same pictures from files (${execFileSync('ffmpeg', ['-version']).toString().split(' ').slice(0, 3).join(' ')}).`,
      `What was written: ${SIZES.map(({ width, height }, index) => `${width}x${height} ${rate(of(index, 'ours', 'bytes'))} and ${rate(of(index, 'other', 'bytes'))}`).join('; ')}.`,
    ],
  };
}

await figure(measure);
