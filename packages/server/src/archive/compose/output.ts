/**
 * The output of a composed recording: pictures and sound in, an H.264 + AAC stream in a container out, in memory. What it
 * gives out is clear: the only one who may have it is the sealer in the same process.
 *
 * Encoding is done in place and at once (the encoder copies a picture before `picture` returns, so that the canvas may be
 * drawn over again); the container is written by the library's own thread, packet after packet.
 */
import {
  Codec,
  CodecContext,
  FFmpegError,
  FormatContext,
  Frame,
  IOContext,
  Packet,
  Rational,
  type Stream,
} from 'node-av';
import {
  AV_CHANNEL_LAYOUT_STEREO,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_CODEC_ID_AAC,
  AV_PIX_FMT_YUV420P,
  AV_PROFILE_H264_HIGH,
  AV_SAMPLE_FMT_FLTP,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import { letGo } from './planes.ts';

export const audioRate = 48_000;
/** Samples of one AAC frame. */
export const audioFrame = 1024;

const audioBps = 128_000;
const ioBufferBytes = 64 * 1024;
/** A key frame at least that often: what a player may have to skip when it seeks. */
const keyFrameSeconds = 2;
/** Of an MP4: what is not written, and so not sealed, before it is whole. */
const fragmentSeconds = 1;

export type Container = 'mpegts' | 'mp4';

export interface OutputOptions {
  readonly container: Container;
  /** Pixels and frames a second; null without a picture. */
  readonly video: { readonly width: number; readonly height: number; readonly frameRate: number } | null;
  readonly audio: boolean;
  /** Bits a second that the picture may take at most; excludes `quantizationParameter`. */
  readonly maxBitrateBps: number | null;
  readonly quantizationParameter: number | null;
  /** Takes clear bytes of the container, in order. */
  readonly write: (bytes: Buffer) => void;
}

interface Track {
  readonly context: CodecContext;
  readonly stream: Stream;
}

/** @throws Error with the library's own words */
function check(code: number, what: string): void {
  if (code < 0) throw new Error(`${what}: ${FFmpegError.strerror(code)}`);
}

/**
 * Sets options one by one: the library frees a dictionary that it is given, and its binding frees it once more
 * (node-av 6.1.1).
 */
function set(target: CodecContext | FormatContext, options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) check(target.setOption(name, value), `the option ${name}`);
}

export class Output {
  readonly #format = new FormatContext();
  readonly #io = new IOContext();
  readonly #packet = new Packet();
  readonly #sound = new Frame();
  #video: Track | null = null;
  #audio: Track | null = null;
  #audioPts = 0n;
  /** Writing of the container, one packet after the other. */
  #written: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  private constructor() {}

  /** Opens the encoders and writes the container's head. @throws Error when the library refuses */
  static async open(options: OutputOptions): Promise<Output> {
    const output = new Output();
    try {
      await output.#open(options);
    } catch (error) {
      // What is not released keeps the process alive.
      output.#release();
      throw error;
    }
    return output;
  }

  async #open(options: OutputOptions): Promise<void> {
    const { container, video, audio, write } = options;
    check(this.#format.allocOutputContext2(null, container, null), 'the container');
    this.#io.allocContextWithCallbacks(ioBufferBytes, 1, null, (bytes) => {
      // The library uses its buffer again as soon as this returns.
      write(Buffer.from(bytes));
      return bytes.length;
    });
    this.#format.pb = this.#io;
    const globalHeader = container === 'mp4';
    if (video) this.#video = this.#addTrack(openVideo(options, video, globalHeader));
    if (audio) this.#audio = this.#addTrack(openAudio(globalHeader));
    this.#packet.alloc();
    this.#sound.alloc();
    set(this.#format, { flush_packets: '1' });
    if (container === 'mp4') {
      const movflags = '+frag_keyframe+empty_moov+delay_moov+default_base_moof';
      set(this.#format, { movflags, frag_duration: `${fragmentSeconds * 1_000_000}` });
    }
    check(await this.#format.writeHeader(), 'the head of the container');
  }

  #addTrack(context: CodecContext): Track {
    const stream = this.#format.newStream(null);
    stream.timeBase = context.timeBase;
    check(stream.codecpar.fromContext(context), 'the parameters of a track');
    return { context, stream };
  }

  /** Whether the container takes what is encoded; false from the first failure on. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Encodes a picture. @param index its number from 0, in frames; ascending */
  picture(frame: Frame, index: number): void {
    if (!this.#video) return;
    frame.pts = BigInt(index);
    this.#encode(this.#video, frame);
  }

  /** Encodes `audioFrame` samples of each channel, between -1 and 1. */
  sound(left: Float32Array, right: Float32Array): void {
    if (!this.#audio) return;
    const frame = this.#sound;
    frame.format = AV_SAMPLE_FMT_FLTP;
    frame.sampleRate = audioRate;
    frame.nbSamples = audioFrame;
    frame.channelLayout = AV_CHANNEL_LAYOUT_STEREO;
    check(frame.getBuffer(0), 'memory for sound');
    const planes = frame.data ?? [];
    planes[0]?.set(new Uint8Array(left.buffer, left.byteOffset, left.byteLength));
    planes[1]?.set(new Uint8Array(right.buffer, right.byteOffset, right.byteLength));
    frame.pts = this.#audioPts;
    this.#audioPts += BigInt(audioFrame);
    this.#encode(this.#audio, frame);
    letGo(frame);
  }

  /** Resolves when all that was encoded so far is written. @throws what the container failed with */
  async drained(): Promise<void> {
    await this.#written;
    if (this.#failure) throw this.#failure;
  }

  /** Ends the stream: what the encoders still hold, then the container's tail. Everything is released, also on failure. */
  async close(): Promise<void> {
    try {
      for (const track of [this.#video, this.#audio]) if (track) this.#encode(track, null);
      await this.drained();
      check(await this.#format.writeTrailer(), 'the tail of the container');
      await this.#io.flush();
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#packet.free();
    this.#sound.free();
    this.#video?.context.freeContext();
    this.#audio?.context.freeContext();
    this.#format.pb = null;
    this.#format.freeContext();
    this.#io.freeContext();
  }

  #encode({ context, stream }: Track, frame: Frame | null): void {
    check(context.sendFrameSync(frame), 'encoding');
    for (;;) {
      const code = context.receivePacketSync(this.#packet);
      if (code === AVERROR_EAGAIN || code === AVERROR_EOF) return;
      check(code, 'encoding');
      const packet = this.#packet.clone();
      this.#packet.unref();
      if (!packet) throw new Error('encoding: no memory for a packet');
      packet.streamIndex = stream.index;
      packet.rescaleTs(context.timeBase, stream.timeBase);
      this.#queue(packet);
    }
  }

  #queue(packet: Packet): void {
    this.#written = this.#written.then(async () => {
      try {
        if (this.#failure) return;
        check(await this.#format.interleavedWriteFrame(packet), 'writing the container');
      } catch (error) {
        this.#failure = error;
      } finally {
        packet.free();
      }
    });
  }
}

function openVideo(
  options: OutputOptions,
  { width, height, frameRate }: NonNullable<OutputOptions['video']>,
  globalHeader: boolean,
): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (!codec) throw new Error('the library has no H.264 encoder');
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = width;
  context.height = height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  context.timeBase = new Rational(1, frameRate);
  context.framerate = new Rational(frameRate, 1);
  context.gopSize = frameRate * keyFrameSeconds;
  context.profile = AV_PROFILE_H264_HIGH;
  // One picture in, one packet out, and what is written last is never more than a picture behind.
  context.maxBFrames = 0;
  context.threadCount = 1;
  if (globalHeader) context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
  const { maxBitrateBps, quantizationParameter } = options;
  // One core has to carry two recordings of 1280x720; the next slower one does not let it.
  const settings: Record<string, string> = { preset: 'superfast', tune: 'zerolatency', 'forced-idr': '1' };
  if (quantizationParameter !== null) settings.qp = String(quantizationParameter);
  else settings.crf = '23';
  if (maxBitrateBps !== null) {
    context.rcMaxRate = BigInt(maxBitrateBps);
    context.rcBufferSize = maxBitrateBps;
  }
  set(context, settings);
  check(context.open2Sync(codec), 'the H.264 encoder');
  return context;
}

function openAudio(globalHeader: boolean): CodecContext {
  const codec = Codec.findEncoder(AV_CODEC_ID_AAC);
  if (!codec) throw new Error('the library has no AAC encoder');
  const context = new CodecContext();
  context.allocContext3(codec);
  context.sampleRate = audioRate;
  context.sampleFormat = AV_SAMPLE_FMT_FLTP;
  context.channelLayout = AV_CHANNEL_LAYOUT_STEREO;
  context.bitRate = BigInt(audioBps);
  context.timeBase = new Rational(1, audioRate);
  if (globalHeader) context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
  check(context.open2Sync(codec), 'the AAC encoder');
  return context;
}
