/** A publisher without a browser: real VP8 and Opus in real RTP, of a picture in one colour and a tone. */
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av';
import {
  AV_CHANNEL_LAYOUT_STEREO,
  AV_PIX_FMT_YUV420P,
  AV_SAMPLE_FMT_S16,
  FF_ENCODER_LIBOPUS,
  FF_ENCODER_LIBVPX_VP8,
} from 'node-av/constants';
import type { Colour } from '../compose/canvas.ts';

export interface Sent {
  readonly kind: 'audio' | 'video';
  /** When it leaves, in milliseconds of the publisher's clock. */
  readonly at: number;
  readonly packet: Buffer;
}

export interface Publishing {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  /** The picture's colour at a time in milliseconds. */
  readonly colour: (at: number) => Colour;
  /** The tone at a time, in hertz; 0 is silence. */
  readonly tone: (at: number) => number;
}

const videoRate = 90_000;
const audioRate = 48_000;
const opusFrame = 960;
const payloadBytes = 1100;
export const videoPayloadType = 96;
export const audioPayloadType = 111;

function rtp(payloadType: number, marker: boolean, sequence: number, timestamp: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(0x80, 0);
  head.writeUInt8((marker ? 0x80 : 0) | payloadType, 1);
  head.writeUInt16BE(sequence & 0xffff, 2);
  head.writeUInt32BE(timestamp >>> 0, 4);
  head.writeUInt32BE(payloadType, 8);
  return Buffer.concat([head, payload]);
}

/** The same packet with a header extension in the form with one byte (RFC 8285, 4.2). */
export function withExtension(packet: Buffer, id: number, data: Uint8Array): Buffer {
  const words = Math.ceil((1 + data.length) / 4);
  const extension = Buffer.alloc(4 + words * 4);
  extension.writeUInt16BE(0xbede, 0);
  extension.writeUInt16BE(words, 2);
  extension.writeUInt8((id << 4) | (data.length - 1), 4);
  extension.set(data, 5);
  const whole = Buffer.concat([packet.subarray(0, 12), extension, packet.subarray(12)]);
  whole.writeUInt8(whole.readUInt8(0) | 0x10, 0);
  return whole;
}

/** An absolute capture time, as its header extension has it. @param ms of the publisher's clock, since 1900 */
export function captureTime(ms: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(ms / 1000), 0);
  bytes.writeUInt32BE(Math.floor(((ms % 1000) * 2 ** 32) / 1000), 4);
  return bytes;
}

function drain(context: CodecContext, packet: Packet): Buffer[] {
  const out: Buffer[] = [];
  while (context.receivePacketSync(packet) >= 0) {
    if (packet.data) out.push(Buffer.from(packet.data));
    packet.unref();
  }
  return out;
}

/** The packets of a stream that is published from 0 to `ms`, in the order in which they leave. */
export function publish({ width, height, frameRate, colour, tone }: Publishing, ms: number): Sent[] {
  const sent = [...video(width, height, frameRate, colour, ms), ...audio(tone, ms)];
  return sent.sort((a, b) => a.at - b.at);
}

function video(width: number, height: number, frameRate: number, colour: (at: number) => Colour, ms: number): Sent[] {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBVPX_VP8) as Codec;
  const context = new CodecContext();
  context.allocContext3(codec);
  Object.assign(context, { width, height, pixelFormat: AV_PIX_FMT_YUV420P, gopSize: frameRate });
  context.timeBase = new Rational(1, frameRate);
  context.setOption('deadline', 'realtime');
  context.setOption('lag-in-frames', '0');
  context.bitRate = 600_000n;
  context.open2Sync(codec);
  const frame = new Frame();
  frame.alloc();
  Object.assign(frame, { width, height, format: AV_PIX_FMT_YUV420P });
  frame.getBuffer(32);
  const packet = new Packet();
  packet.alloc();
  const sent: Sent[] = [];
  let sequence = 65_500;
  for (let index = 0; (index * 1000) / frameRate < ms; index += 1) {
    const at = (index * 1000) / frameRate;
    for (const [plane, value] of colour(at).entries()) frame.data?.[plane]?.fill(value);
    frame.pts = BigInt(index);
    context.sendFrameSync(frame);
    for (const picture of drain(context, packet)) {
      for (let from = 0; from < picture.length; from += payloadBytes) {
        const payload = Buffer.concat([
          Buffer.from([from === 0 ? 0x10 : 0]),
          picture.subarray(from, from + payloadBytes),
        ]);
        const marker = from + payloadBytes >= picture.length;
        const timestamp = 4_294_900_000 + (index * videoRate) / frameRate;
        sent.push({ kind: 'video', at, packet: rtp(videoPayloadType, marker, sequence++, timestamp, payload) });
      }
    }
  }
  packet.free();
  frame.free();
  context.freeContext();
  return sent;
}

/** What `senderReport` says of a stream of `publish`, whose clock began at this time. */
export const reports = { ntpMs: 1_000_000, video: 4_294_900_000, audio: 12_345 };

function audio(tone: (at: number) => number, ms: number): Sent[] {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBOPUS) as Codec;
  const context = new CodecContext();
  context.allocContext3(codec);
  Object.assign(context, { sampleRate: audioRate, sampleFormat: AV_SAMPLE_FMT_S16, bitRate: 64_000n });
  context.channelLayout = AV_CHANNEL_LAYOUT_STEREO;
  context.timeBase = new Rational(1, audioRate);
  context.open2Sync(codec);
  const packet = new Packet();
  packet.alloc();
  const sent: Sent[] = [];
  let phase = 0;
  for (let index = 0; (index * opusFrame * 1000) / audioRate < ms; index += 1) {
    const samples = Buffer.alloc(opusFrame * 4);
    for (let sample = 0; sample < opusFrame; sample += 1) {
      const hertz = tone(((index * opusFrame + sample) * 1000) / audioRate);
      phase += (2 * Math.PI * hertz) / audioRate;
      const value = hertz === 0 ? 0 : Math.round(Math.sin(phase) * 8000);
      samples.writeInt16LE(value, sample * 4);
      samples.writeInt16LE(value, sample * 4 + 2);
    }
    const frame = Frame.fromAudioBuffer(samples, {
      nbSamples: opusFrame,
      format: AV_SAMPLE_FMT_S16,
      sampleRate: audioRate,
      channelLayout: AV_CHANNEL_LAYOUT_STEREO,
      timeBase: new Rational(1, audioRate),
    });
    frame.pts = BigInt(index * opusFrame);
    context.sendFrameSync(frame);
    frame.free();
    for (const payload of drain(context, packet)) {
      const at = (index * opusFrame * 1000) / audioRate;
      const timestamp = reports.audio + index * opusFrame;
      sent.push({ kind: 'audio', at, packet: rtp(audioPayloadType, false, index, timestamp, payload) });
    }
  }
  packet.free();
  context.freeContext();
  return sent;
}
