/**
 * One stream's file: pictures and sound as they were sent, in WebM or Matroska, made in memory. What it gives out is clear: the
 * only one who may have it is the sealer in the same process.
 *
 * Bytes are given out as they come, so that a recorder that dies leaves all but the last second. A player also wants to know
 * from the head how long the file is and where its index lies, and the head goes out first, when nobody knows. So it is
 * kept, and given once more in its final words at the end: whoever opens the file puts that one in the place of the first.
 */
import type { MediaKind } from '@cloister/protocol';
import { FFmpegError, FormatContext, IOContext, Packet, Rational, type Stream } from 'node-av';
import {
  AV_CHANNEL_LAYOUT_STEREO,
  AV_CODEC_ID_OPUS,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_CUR,
  AVSEEK_END,
  AVSEEK_SIZE,
} from 'node-av/constants';
import type { PictureTrack } from './key-frame.ts';

/** WebM is Matroska with VP8, VP9 and Opus alone. */
export type FileContainer = 'webm' | 'matroska';

export interface RemuxerOptions {
  readonly container: FileContainer;
  /** null without pictures. */
  readonly picture: PictureTrack | null;
  readonly sound: boolean;
  /** Takes clear bytes in order; those of the head come before all others, and are part of it. */
  readonly write: (bytes: Buffer, ofHead: boolean) => void;
}

/** A picture, or a packet of Opus. */
export interface FileUnit {
  readonly kind: MediaKind;
  /** Milliseconds from the beginning of the file. */
  readonly ms: number;
  readonly data: Buffer;
  readonly key: boolean;
}

const ioBufferBytes = 64 * 1024;
const soundRate = 48_000;
/** What a recorder that dies takes along: at most a cluster. */
const clusters = { cluster_time_limit: '1000', cluster_size_limit: '1000000' };
/** The head of Opus (RFC 7845, 5.1): version 1, two channels, nothing to skip, 48 kHz, no gain, mapping 0. */
const opusHead = Buffer.concat([Buffer.from('OpusHead'), Buffer.of(1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)]);

/** @throws Error with the library's own words */
function check(code: number, what: string): void {
  if (code < 0) throw new Error(`${what}: ${FFmpegError.strerror(code)}`);
}

/** What the library writes, and what it writes over. */
class Growing {
  readonly #give: RemuxerOptions['write'];
  readonly #headParts: Buffer[] = [];
  #head: Buffer | null = null;
  #length = 0;
  #position = 0;

  constructor(give: RemuxerOptions['write']) {
    this.#give = give;
  }

  /** The head as it is by now; empty until it is complete. */
  get head(): Buffer {
    return this.#head ?? Buffer.alloc(0);
  }

  headComplete(): void {
    this.#head = Buffer.concat(this.#headParts);
  }

  /** @param bytes are the library's: copied */
  write(bytes: Buffer): number {
    const at = this.#position;
    this.#position += bytes.length;
    if (at < this.#length) {
      if (at + bytes.length > this.head.length) throw new Error('the library changed what lies behind the head');
      bytes.copy(this.head, at);
      return bytes.length;
    }
    if (!this.#head) this.#headParts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    this.#give(Buffer.from(bytes), !this.#head);
    return bytes.length;
  }

  seek(offset: number, whence: number): number {
    if (whence & AVSEEK_SIZE) return this.#length;
    const from = whence === AVSEEK_CUR ? this.#position : whence === AVSEEK_END ? this.#length : 0;
    this.#position = from + offset;
    return this.#position;
  }
}

export class Remuxer {
  readonly #format = new FormatContext();
  readonly #io = new IOContext();
  readonly #packet = new Packet();
  readonly #growing: Growing;
  readonly #tracks = new Map<MediaKind, Stream>();
  /** The last time of each track: none may go back. */
  readonly #last = new Map<MediaKind, number>();
  /** Writing, one after the other: the library's thread calls back. */
  #written: Promise<void>;
  #failure: unknown = null;

  constructor(options: RemuxerOptions) {
    this.#growing = new Growing(options.write);
    this.#written = this.#step(() => this.#open(options));
  }

  /** Adds what comes next; a track that the file does not have is ignored. */
  write(unit: FileUnit): void {
    this.#written = this.#written.then(() => this.#step(() => this.#write(unit)));
  }

  /** Resolves when all that was written so far is given out, or as good as. @throws what the library failed with */
  async drained(): Promise<void> {
    await this.#written;
    if (this.#failure) throw this.#failure;
  }

  /** Ends the file. Everything is released, also on failure. @returns its head in its final words, as long as the first one */
  async close(): Promise<Buffer> {
    try {
      await this.drained();
      check(await this.#format.writeTrailer(), 'the tail of the file');
      await this.#io.flush();
      return this.#growing.head;
    } finally {
      this.#packet.free();
      this.#format.pb = null;
      this.#format.freeContext();
      this.#io.freeContext();
    }
  }

  async #step(write: () => Promise<void>): Promise<void> {
    if (this.#failure) return;
    try {
      await write();
    } catch (error) {
      this.#failure = error;
    }
  }

  async #open({ container, picture, sound }: RemuxerOptions): Promise<void> {
    check(this.#format.allocOutputContext2(null, container, null), 'the container');
    const growing = this.#growing;
    this.#io.allocContextWithCallbacks(
      ioBufferBytes,
      1,
      null,
      (bytes) => growing.write(bytes),
      (offset, whence) => BigInt(growing.seek(Number(offset), whence)),
    );
    this.#format.pb = this.#io;
    if (picture) this.#addPicture(picture);
    if (sound) this.#addSound();
    this.#packet.alloc();
    for (const [name, value] of Object.entries(clusters)) {
      check(this.#format.setOption(name, value), `the option ${name}`);
    }
    check(await this.#format.writeHeader(), 'the head of the file');
    await this.#io.flush();
    growing.headComplete();
  }

  #addPicture({ codecId, width, height, parameterSets }: PictureTrack): void {
    const stream = this.#format.newStream(null);
    stream.timeBase = new Rational(1, 1000);
    Object.assign(stream.codecpar, { codecType: AVMEDIA_TYPE_VIDEO, codecId, width, height });
    if (parameterSets) stream.codecpar.extradata = parameterSets;
    this.#tracks.set('video', stream);
  }

  #addSound(): void {
    const stream = this.#format.newStream(null);
    stream.timeBase = new Rational(1, 1000);
    Object.assign(stream.codecpar, {
      codecType: AVMEDIA_TYPE_AUDIO,
      codecId: AV_CODEC_ID_OPUS,
      sampleRate: soundRate,
      channelLayout: AV_CHANNEL_LAYOUT_STEREO,
      extradata: opusHead,
    });
    this.#tracks.set('audio', stream);
  }

  async #write({ kind, ms, data, key }: FileUnit): Promise<void> {
    const stream = this.#tracks.get(kind);
    if (!stream) return;
    const at = Math.max(Math.round(ms), this.#last.get(kind) ?? 0);
    this.#last.set(kind, at);
    const packet = this.#packet;
    packet.unref();
    packet.data = data;
    packet.streamIndex = stream.index;
    packet.pts = BigInt(at);
    packet.dts = BigInt(at);
    packet.isKeyframe = key;
    check(await this.#format.writeFrame(packet), 'writing the file');
  }
}
