/** Streams without a browser: pictures and tones in VP8 and Opus, in packets as browsers send them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { MediaKind } from '@cloister/protocol';
import { Demuxer } from 'node-av';
import { AVMEDIA_TYPE_VIDEO } from 'node-av/constants';

export const payloadTypes = { video: 96, audio: 111 } as const;
export const clockRates = { video: 90_000, audio: 48_000 } as const;
const PAYLOAD_BYTES = 1100;
const OPUS_SAMPLES = 960;

export interface CameraPacket {
  readonly kind: MediaKind;
  /** When it leaves, in milliseconds from the first. */
  readonly at: number;
  readonly bytes: Buffer;
}

export interface CameraOptions {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  /** Of the picture. */
  readonly bitsPerSecond: number;
  readonly seconds: number;
}

/** Runs ffmpeg. → what it said, its own account of its CPU included @throws Error with the end of it */
export function ffmpeg(args: readonly string[]): string {
  const { status, stderr } = spawnSync('ffmpeg', ['-hide_banner', '-nostdin', '-y', '-benchmark', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`ffmpeg: ${stderr.slice(-2000)}`);
  return stderr;
}

/** A moving picture and a tone, both other ones for each index, in VP8 and Opus as a browser sends them. → its file */
export function makeCamera(folder: string, index: number, options: CameraOptions): string {
  const { width, height, frameRate, bitsPerSecond, seconds } = options;
  const file = path.join(folder, `${index}.webm`);
  const pictures = `testsrc2=size=${width}x${height}:rate=${frameRate},hue=h=${index * 80},noise=alls=6:allf=t`;
  const tone = `sine=frequency=${300 * (index + 1)}:sample_rate=48000`;
  const inputs = ['-f', 'lavfi', '-i', pictures, '-f', 'lavfi', '-i', tone];
  const rate = ['-b:v', `${bitsPerSecond}`, '-g', `${frameRate * 3}`];
  const video = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', ...rate];
  ffmpeg([...inputs, '-t', `${seconds}`, ...video, '-c:a', 'libopus', '-b:a', '48k', '-ac', '2', file]);
  return file;
}

function rtp(kind: MediaKind, marker: boolean, sequence: number, timestamp: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(0x80, 0);
  head.writeUInt8((marker ? 0x80 : 0) | payloadTypes[kind], 1);
  head.writeUInt16BE(sequence & 0xffff, 2);
  head.writeUInt32BE(timestamp >>> 0, 4);
  return Buffer.concat([head, payload]);
}

/** The same as packets of RTP, in the order in which they leave. */
export async function packetsOf(file: string): Promise<CameraPacket[]> {
  const demuxer = await Demuxer.open(readFileSync(file));
  const kinds = demuxer.streams.map(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
  const packets: CameraPacket[] = [];
  let [pictures, sounds] = [0, 0];
  for await (const packet of demuxer.packets()) {
    if (!packet?.data) break;
    const at = Math.max(0, Number(packet.pts));
    if (kinds[packet.streamIndex]) {
      for (let from = 0; from < packet.data.length; from += PAYLOAD_BYTES) {
        const part = packet.data.subarray(from, from + PAYLOAD_BYTES);
        const payload = Buffer.concat([Buffer.from([from === 0 ? 0x10 : 0]), part]);
        const marker = from + PAYLOAD_BYTES >= packet.data.length;
        packets.push({ kind: 'video', at, bytes: rtp('video', marker, pictures++, at * 90, payload) });
      }
    } else {
      const payload = Buffer.from(packet.data);
      packets.push({ kind: 'audio', at, bytes: rtp('audio', false, sounds, OPUS_SAMPLES * sounds++, payload) });
    }
    packet.free();
  }
  await demuxer.close();
  return packets;
}

/** Packets of a camera without an end: the same ones again and again, numbers and times going on. @param ms of one round */
export function* endless(packets: readonly CameraPacket[], ms: number): Generator<CameraPacket> {
  const counts = { video: 0, audio: 0 };
  // A round of sound is whole packets: what an encoder adds at its end would be there twice.
  const sounds = (ms * clockRates.audio) / 1000 / OPUS_SAMPLES;
  const round = packets.filter(({ kind }) => {
    counts[kind] += 1;
    return kind === 'video' || counts.audio <= sounds;
  });
  counts.audio = Math.min(counts.audio, sounds);
  for (let turn = 0; ; turn += 1) {
    for (const { kind, at, bytes } of round) {
      const copy = Buffer.from(bytes);
      copy.writeUInt16BE((bytes.readUInt16BE(2) + turn * counts[kind]) & 0xffff, 2);
      copy.writeUInt32BE((bytes.readUInt32BE(4) + (turn * ms * clockRates[kind]) / 1000) % 2 ** 32, 4);
      yield { kind, at: at + turn * ms, bytes: copy };
    }
  }
}
