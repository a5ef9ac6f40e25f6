/** What tests of recordings need of codecs: pictures made and decoded without a container, and whole recordings decoded. */
import assert from 'node:assert/strict';
import { avGetCodecName, Codec, CodecContext, Demuxer, Frame, Log, Packet, Rational, type Stream } from 'node-av';
import {
  AV_LOG_QUIET,
  AV_PIX_FMT_YUV420P,
  type AVCodecID,
  AVMEDIA_TYPE_VIDEO,
  type FFEncoderCodec,
} from 'node-av/constants';
import type { Colour } from './canvas.ts';

// What encoders tell of themselves, and decoders of bytes that are wrong on purpose.
Log.setLevel(AV_LOG_QUIET);

/** A frame of one colour. Freed by who asked for it. */
export function frameOf(width: number, height: number, colour: Colour, format = AV_PIX_FMT_YUV420P): Frame {
  const frame = new Frame();
  frame.alloc();
  Object.assign(frame, { width, height, format });
  assert.ok(frame.getBuffer(32) >= 0);
  for (const [plane, value] of colour.entries()) frame.data?.[plane]?.fill(value);
  return frame;
}

export interface Encoding {
  readonly encoder: FFEncoderCodec;
  readonly width: number;
  readonly height: number;
  readonly options: Readonly<Record<string, string>>;
}

/** Encodes pictures with noise in them, so that each takes some packets. @returns the encoder's own bytes of each */
export function encodeNoise({ encoder, width, height, options }: Encoding, count: number): Buffer[] {
  const codec = Codec.findEncoderByName(encoder);
  assert.ok(codec, `the library has no ${encoder}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  Object.assign(context, { width, height, pixelFormat: AV_PIX_FMT_YUV420P, gopSize: 100, maxBFrames: 0 });
  context.timeBase = new Rational(1, 30);
  context.bitRate = 4_000_000n;
  context.threadCount = 1;
  for (const [name, value] of Object.entries(options)) context.setOption(name, value);
  assert.ok(context.open2Sync(codec) >= 0);
  const frame = frameOf(width, height, [100, 110, 150]);
  const packet = new Packet();
  packet.alloc();
  const made: Buffer[] = [];
  const drain = () => {
    while (context.receivePacketSync(packet) >= 0) {
      made.push(Buffer.from(packet.data as Buffer));
      packet.unref();
    }
  };
  let state = 1;
  for (let index = 0; index < count; index += 1) {
    const luma = frame.data?.[0] as Buffer;
    for (let at = 0; at < luma.length; at += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      luma[at] = 60 + (state >> 24);
    }
    frame.pts = BigInt(index);
    context.sendFrameSync(frame);
    drain();
  }
  context.sendFrameSync(null);
  drain();
  packet.free();
  frame.free();
  context.freeContext();
  return made;
}

/** Decodes pictures one by one. @returns the samples of each frame that came out, without filling */
export function decodePictures(id: AVCodecID, pictures: readonly Buffer[]): Buffer[] {
  const codec = Codec.findDecoder(id);
  assert.ok(codec);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.threadCount = 1;
  assert.ok(context.open2Sync(codec) >= 0);
  const [packet, frame] = [new Packet(), new Frame()];
  packet.alloc();
  frame.alloc();
  const shown: Buffer[] = [];
  const drain = () => {
    while (context.receiveFrameSync(frame) >= 0) {
      shown.push(Buffer.from(frame.toBuffer()));
      frame.unref();
    }
  };
  for (const picture of pictures) {
    packet.unref();
    packet.data = picture;
    assert.ok(context.sendPacketSync(packet) >= 0);
    drain();
  }
  context.sendPacketSync(null);
  drain();
  packet.free();
  frame.free();
  context.freeContext();
  return shown;
}

/** The root of the mean square. */
export function loudness(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < samples.length; index += 1) sum += (samples[index] as number) ** 2;
  return samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
}

/** How often a tone goes up through zero in a second. */
export function hertzOf(samples: ArrayLike<number>, rate: number): number {
  let [first, last, crossings] = [-1, -1, 0];
  for (let index = 1; index < samples.length; index += 1) {
    if ((samples[index - 1] as number) >= 0 || (samples[index] as number) < 0) continue;
    if (first < 0) first = index;
    else crossings += 1;
    last = index;
  }
  return crossings === 0 ? 0 : (crossings * rate) / (last - first);
}

/** @returns the colours of a frame's pixels, by place */
export function pixelsOf(frame: Pick<Frame, 'data' | 'linesize'>): (x: number, y: number) => Colour {
  const [planes, strides] = [frame.data ?? [], frame.linesize];
  const at = (plane: number, x: number, y: number) => planes[plane]?.[y * (strides[plane] as number) + x] ?? -1;
  return (x, y) => [at(0, x, y), at(1, x >> 1, y >> 1), at(2, x >> 1, y >> 1)];
}

/** Whether it is that colour, but for what encoders make of it. */
export function isColour(found: Colour, expected: Colour, off = 6): boolean {
  return found.every((value, plane) => Math.abs(value - (expected[plane] as number)) <= off);
}

export interface ShownPicture {
  /** When it is shown, in milliseconds of the file. */
  readonly ms: number;
  readonly key: boolean;
  readonly at: (x: number, y: number) => Colour;
}

export interface DecodedRecording {
  /** What each track is: the codec's name and, of pictures, their size. */
  readonly tracks: readonly string[];
  readonly pictures: readonly ShownPicture[];
  /** The picture that is shown then. */
  readonly picture: (ms: number) => ShownPicture;
  /** The left channel's samples from then until then; silence where there are none. */
  readonly sound: (fromMs: number, toMs: number) => Float32Array;
  /** Where sound ends, in milliseconds. */
  readonly soundEndMs: number;
}

const recordedRate = 48_000;

/** Decodes a whole file of a recording, as a player would. Its times count from its own first one. */
export async function decodeRecording(file: Buffer): Promise<DecodedRecording> {
  const demuxer = await Demuxer.open(file);
  const pictures: ShownPicture[] = [];
  const pieces: { from: number; samples: Float32Array }[] = [];
  const contexts = demuxer.streams.map((stream) => {
    const codec = Codec.findDecoder(stream.codecpar.codecId) as Codec;
    const context = new CodecContext();
    context.allocContext3(codec);
    stream.codecpar.toContext(context);
    context.threadCount = 1;
    assert.ok(context.open2Sync(codec) >= 0);
    return context;
  });
  const tracks = demuxer.streams.map(({ codecpar }) =>
    codecpar.codecType === AVMEDIA_TYPE_VIDEO
      ? `${avGetCodecName(codecpar.codecId)} ${codecpar.width}x${codecpar.height}`
      : `${avGetCodecName(codecpar.codecId)} ${codecpar.sampleRate}`,
  );
  const frame = new Frame();
  frame.alloc();
  const drain = (index: number) => {
    const { timeBase } = demuxer.streams[index] as Stream;
    while ((contexts[index] as CodecContext).receiveFrameSync(frame) >= 0) {
      const seconds = (Number(frame.pts) * timeBase.num) / timeBase.den;
      if (frame.width > 0) pictures.push(shown(frame, seconds * 1000));
      else pieces.push({ from: Math.round(seconds * recordedRate), samples: floatsOf(frame) });
      frame.unref();
    }
  };
  for await (const packet of demuxer.packets()) {
    if (!packet) break;
    assert.ok((contexts[packet.streamIndex] as CodecContext).sendPacketSync(packet) >= 0);
    drain(packet.streamIndex);
    packet.free();
  }
  for (const [index, context] of contexts.entries()) {
    context.sendPacketSync(null);
    drain(index);
    context.freeContext();
  }
  frame.free();
  await demuxer.close();
  return { tracks, ...timed(pictures, pieces) };
}

function shown(frame: Frame, ms: number): ShownPicture {
  const planes = (frame.data ?? []).map((bytes) => Buffer.from(bytes));
  const { linesize } = frame;
  const kept = { data: planes, linesize: [...linesize] };
  return { ms, key: frame.keyFrame === 1, at: pixelsOf(kept) };
}

function floatsOf(frame: Frame): Float32Array {
  const plane = Buffer.from(frame.data?.[0] as Buffer);
  return new Float32Array(plane.buffer, plane.byteOffset, frame.nbSamples).slice();
}

function timed(pictures: ShownPicture[], pieces: { from: number; samples: Float32Array }[]) {
  // The encoder's first frame of sound holds what comes before the first sample.
  const begin = pictures[0]?.ms ?? (((pieces[0]?.from ?? 0) + 1024) * 1000) / recordedRate;
  const last = pieces.at(-1);
  const line = new Float32Array(last ? last.from + last.samples.length : 0);
  for (const { from, samples } of pieces) line.set(samples.subarray(Math.max(0, -from)), Math.max(0, from));
  const position = (ms: number) => Math.round(((ms + begin) * recordedRate) / 1000);
  return {
    pictures: pictures.map((picture) => ({ ...picture, ms: picture.ms - begin })),
    picture: (ms: number) => {
      const found = pictures.findLast((each) => each.ms - begin <= ms + 0.5);
      assert.ok(found, `no picture at ${ms} ms`);
      return found;
    },
    sound: (fromMs: number, toMs: number) => line.slice(position(fromMs), position(toMs)),
    soundEndMs: last ? ((last.from + last.samples.length) * 1000) / recordedRate - begin : 0,
  };
}
