/**
 * What the server and a recorder say to each other over two inherited pipes: a length, a kind, then JSON or bytes. Time
 * comes with every message from the server; a recorder has no clock of its own.
 */
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import { z } from 'zod';
import type { ExtensionIds } from '../capture/header-extensions.ts';
import type { Container } from '../compose/output.ts';
import { ownCauses } from './failures.ts';

/** How what is recorded is sealed. */
export type Seal =
  /** To a customer's certificate (PEM), in OpenTok's format. */
  | { readonly format: 'opentok'; readonly certificate: string }
  /** To one or several certificates (PEM) of a customer, in Cloister's format. */
  | { readonly format: 'recipients'; readonly certificates: readonly string[] }
  /** Under a content key of 32 bytes (base64) that the server made for this archive and wrapped, in Cloister's format. */
  | { readonly format: 'cloister'; readonly contentKey: string; readonly header: object };

/** Those of Cloister's format: OpenTok seals no separate files. */
export type SeparateSeal = Exclude<Seal, { format: 'opentok' }>;

/** A file for each stream, as it was sent. */
export interface SeparateOptions {
  readonly container: 'files';
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly seal: SeparateSeal;
}

/** One file with all streams in it. */
export interface ComposedOptions {
  readonly container: Container;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly maxBitrateBps: number | null;
  readonly quantizationParameter: number | null;
  readonly seal: Seal;
}

export type RecorderOptions = ComposedOptions | SeparateOptions;

/** From the server. Times are milliseconds of the server's monotonic clock. */
export type Order =
  | { readonly type: 'open'; readonly options: RecorderOptions }
  | {
      readonly type: 'stream';
      readonly streamId: string;
      readonly name: string;
      readonly hasAudio: boolean;
      readonly hasVideo: boolean;
    }
  | { readonly type: 'streamRemoved'; readonly streamId: string }
  | { readonly type: 'placed'; readonly placed: readonly OrderedPlace[] }
  | {
      readonly type: 'track';
      readonly streamId: string;
      readonly kind: MediaKind;
      readonly track: {
        readonly mimeType: string;
        readonly clockRate: number;
        readonly payloadType: number;
        /** Of a track without any, absent. */
        readonly extensions?: ExtensionIds;
      };
      /** By which its packets name it. */
      readonly lane: number;
    }
  | { readonly type: 'trackEnded'; readonly streamId: string; readonly kind: MediaKind }
  | { readonly type: 'senderReport'; readonly lane: number; readonly ntpMs: number; readonly rtpTimestamp: number }
  | { readonly type: 'skip'; readonly ms: number }
  | { readonly type: 'advance'; readonly at: number }
  | { readonly type: 'stop' };

export interface OrderedPlace {
  readonly streamId: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fit: 'contain' | 'cover';
}

const digest = z.strictObject({ bytes: z.int().nonnegative(), sha256: z.base64().max(44) });
/** The settings allow an archive of a year. */
const longestMs = 366 * 86_400_000;
const durationMs = z.number().nonnegative().max(longestMs);
const wholeMs = z.int().nonnegative().max(longestMs);
const streamId = z.string().max(limits.archiveReportChars);
const whole = z.int().nonnegative();
const file = whole.max(limits.archiveFiles);

/** A separate file; parts of its cipher text follow under its number. Times are milliseconds of the recording. */
const begunFile = z.strictObject({ streamId, container: z.enum(['webm', 'matroska']), startMs: wholeMs });

/**
 * What was sealed of a file: `bytes` of which the first `headBytes` are a head of no further use, and behind them the head
 * that belongs in its place. `crc32` is of the file with that one. Of a file that is sealed to certificates nobody but them
 * reads what was sealed, and nobody checks what is said here.
 */
const endedFile = z.strictObject({ bytes: whole, headBytes: whole, crc32: whole.max(2 ** 32 - 1), stopMs: wholeMs });

/** From a recorder, beside its cipher text. It decodes what strangers send: what it says is held against this. */
const reportSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('opened'), password: z.base64().max(limits.archivePasswordChars) }),
  z.strictObject({ type: z.literal('keyFrame'), streamId }),
  /** Its picture is larger than what is decoded, and is left out. */
  z.strictObject({ type: z.literal('tooLarge'), streamId }),
  /** It has done all that it was told up to an `advance`, one report for each. */
  z.strictObject({ type: z.literal('advanced') }),
  /**
   * What the cipher text before this report holds, and the block (base64) that would end the file after it; null where the
   * format needs none.
   */
  z.strictObject({ type: z.literal('sealed'), durationMs, closing: z.base64().length(24).nullable() }),
  /**
   * `clear` is of the file before it was sealed, `stored` of all cipher text that it gave; `sha256` in base64. Of separate files
   * they are 0 and ''.
   */
  z.strictObject({ type: z.literal('ended'), durationMs, clear: digest, stored: digest }),
  begunFile.extend({ type: z.literal('fileBegan'), file }),
  endedFile.extend({ type: z.literal('fileEnded'), file }),
  z.strictObject({
    type: z.literal('failed'),
    cause: z.enum(ownCauses),
    why: z.string().max(limits.archiveReportChars),
  }),
]);

export type Report = z.infer<typeof reportSchema>;
export type BegunFile = z.infer<typeof begunFile>;
export type EndedFile = z.infer<typeof endedFile>;
/** What a recorder says that it made. */
export type Made = Pick<Extract<Report, { type: 'ended' }>, 'clear' | 'stored'>;

/** @throws PlatformError `FrameInvalid` for what no recorder says */
export function checkedReport(value: unknown): Report {
  const parsed = reportSchema.safeParse(value);
  if (!parsed.success) throw broken('a report that no recorder makes');
  return parsed.data;
}

export type Frame =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'packet'; readonly lane: number; readonly at: number; readonly packet: Buffer }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'part'; readonly file: number; readonly bytes: Buffer };

const headBytes = 5;
const packetHeadBytes = 10;
const partHeadBytes = 2;
const kinds = { json: 0, packet: 1, bytes: 2, part: 3 } as const;

function head(kind: keyof typeof kinds, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt8(kinds[kind], 4);
  return bytes;
}

export function jsonFrame(value: Order | Report): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  return Buffer.concat([head('json', body.length), body]);
}

/** An RTP packet of a lane, with the time at which it arrived. */
export function packetFrame(lane: number, at: number, packet: Uint8Array): Buffer {
  const before = Buffer.allocUnsafe(packetHeadBytes);
  before.writeUInt16BE(lane, 0);
  before.writeDoubleBE(at, 2);
  return Buffer.concat([head('packet', packetHeadBytes + packet.length), before, packet]);
}

/** Cipher text, cut where a frame would be too long. */
export function bytesFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += limits.archiveMessageBytes) {
    const part = bytes.subarray(from, from + limits.archiveMessageBytes);
    frames.push(head('bytes', part.length), part);
  }
  return frames;
}

/** Cipher text of a separate file, cut where a frame would be too long. */
export function partFrames(file: number, bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  const most = limits.archiveMessageBytes - partHeadBytes;
  for (let from = 0; from < bytes.length; from += most) {
    const part = bytes.subarray(from, from + most);
    const before = Buffer.allocUnsafe(partHeadBytes);
    before.writeUInt16BE(file, 0);
    frames.push(head('part', partHeadBytes + part.length), before, part);
  }
  return frames;
}

function broken(why: string): PlatformError {
  return new PlatformError('FrameInvalid', { why });
}

/** Takes bytes as a pipe gives them and gives whole frames. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  /** @throws PlatformError `FrameInvalid` where it is no frame; nothing after it can be read either */
  *read(chunk: Buffer): Generator<Frame> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= headBytes) {
      const length = this.#held.readUInt32BE(0);
      if (length > limits.archiveMessageBytes) throw broken(`a message of ${length} bytes between server and recorder`);
      if (this.#held.length < headBytes + length) return;
      const body = this.#held.subarray(headBytes, headBytes + length);
      const kind = this.#held.readUInt8(4);
      this.#held = this.#held.subarray(headBytes + length);
      yield frameOf(kind, body);
    }
  }
}

function frameOf(kind: number, body: Buffer): Frame {
  if (kind === kinds.bytes) return { kind: 'bytes', bytes: body };
  if (kind === kinds.packet && body.length >= packetHeadBytes) {
    const [lane, at] = [body.readUInt16BE(0), body.readDoubleBE(2)];
    return { kind: 'packet', lane, at, packet: body.subarray(packetHeadBytes) };
  }
  if (kind === kinds.part && body.length >= partHeadBytes) {
    return { kind: 'part', file: body.readUInt16BE(0), bytes: body.subarray(partHeadBytes) };
  }
  if (kind !== kinds.json) throw broken('a message of an unknown kind between server and recorder');
  try {
    return { kind: 'json', value: JSON.parse(body.toString()) };
  } catch {
    throw broken('a message between server and recorder is no JSON');
  }
}
