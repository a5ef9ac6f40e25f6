/** Drives a recorder without a session: publishers of the fixtures, time that the test moves. */
import { limits, type MediaKind } from '@cloister/protocol';
import { ManualClock } from '../../lib/index.ts';
import type { FailureCause } from './failures.ts';
import type { OrderedPlace, RecorderOptions, Seal } from './messages.ts';
import { Recorder } from './recorder.ts';
import {
  audioPayloadType,
  type Publishing,
  publish,
  reports,
  type Sent,
  videoPayloadType,
} from './recorder-fixtures.ts';
import type { Sandbox } from './sandbox.ts';

export interface Recorded {
  readonly cipherText: Buffer;
  readonly password: string;
  /** The last block that would have ended the file, and after how many bytes. */
  readonly closing: { readonly block: Buffer; readonly after: number } | null;
  readonly durationMs: number | null;
  readonly failure: string | null;
  readonly cause: FailureCause | null;
}

export const options = (seal: Seal): RecorderOptions => ({
  container: seal.format === 'cloister' ? 'mp4' : 'mpegts',
  width: 640,
  height: 480,
  frameRate: 30,
  hasAudio: true,
  hasVideo: true,
  maxBitrateBps: null,
  quantizationParameter: null,
  seal,
});

const stepMs = 1000 / 30;
/** When the recording begins, on the clock of arrivals. */
const startMs = 50_000;

export class RecorderRig {
  readonly clock = new ManualClock();
  readonly recorder: Recorder;
  readonly keyFrames: string[] = [];
  readonly tooLarge: string[] = [];
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #parts: Buffer[] = [];
  #password = '';
  #size = 0;
  #closing: Recorded['closing'] = null;
  #durationMs: number | null = null;
  #failure: string | null = null;
  #cause: FailureCause | null = null;
  #now = startMs;
  #lanes = 0;
  #wanted = { bytes: Number.POSITIVE_INFINITY, reached: () => {} };

  constructor(ordered: RecorderOptions, sandbox: Sandbox = 'bubblewrap') {
    const told = {
      opened: (password: string) => {
        this.#password = password;
        this.#opened.resolve();
      },
      cipherText: (bytes: Buffer) => {
        this.#parts.push(Buffer.from(bytes));
        this.#size += bytes.length;
      },
      sealed: (_durationMs: number, block: Buffer | null) => {
        if (block) this.#closing = { block, after: this.#size };
        if (this.#size >= this.#wanted.bytes) this.#wanted.reached();
      },
      keyFrame: (streamId: string) => void this.keyFrames.push(streamId),
      tooLarge: (streamId: string) => void this.tooLarge.push(streamId),
      dropping: () => {},
      ended: (durationMs: number) => {
        this.#durationMs = durationMs;
        this.#ended.resolve();
      },
      failed: (cause: FailureCause, why: string) => {
        this.#cause = cause;
        this.#failure = why;
        this.#opened.resolve();
        this.#ended.resolve();
      },
    };
    this.recorder = new Recorder(ordered, told, this.clock, sandbox);
    this.recorder.advance(startMs);
  }

  /** Resolves when it is ready, or failed. */
  async opened(): Promise<void> {
    await this.#opened.promise;
  }

  /** Resolves when so many bytes were given out, with the block that would end them. */
  sealed(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { bytes, reached: resolve };
      if (this.#size >= bytes) resolve();
    });
  }

  place(placed: readonly OrderedPlace[]): void {
    this.recorder.order({ type: 'placed', placed });
  }

  /** Streams that publish at once, for `ms`; each packet is under way for 40 to 70 ms, by turns. */
  play(streams: Readonly<Record<string, Publishing>>, ms: number): void {
    const sent = Object.entries(streams).flatMap(([streamId, publishing]) => this.#begin(streamId, publishing, ms));
    for (const { lane, packet, arrives } of sent.sort((a, b) => a.arrives - b.arrives)) {
      this.#advanceTo(arrives);
      this.recorder.packet(lane, arrives, packet);
    }
    this.#advanceTo(this.#now + limits.archiveDelayMs + 100);
  }

  stop(): Promise<Recorded> {
    this.recorder.stop();
    return this.end();
  }

  /** Resolves when it ended by itself or was stopped. */
  async end(): Promise<Recorded> {
    await this.#ended.promise;
    return {
      cipherText: Buffer.concat(this.#parts),
      password: this.#password,
      closing: this.#closing,
      durationMs: this.#durationMs,
      failure: this.#failure,
      cause: this.#cause,
    };
  }

  #begin(streamId: string, publishing: Publishing, ms: number): (Sent & { lane: number; arrives: number })[] {
    const { recorder } = this;
    recorder.order({ type: 'stream', streamId, name: '', hasAudio: true, hasVideo: true });
    const lanes = new Map<MediaKind, number>();
    for (const kind of ['audio', 'video'] as const) {
      this.#lanes += 1;
      const lane = this.#lanes;
      lanes.set(kind, lane);
      const track =
        kind === 'video'
          ? { mimeType: 'video/VP8', clockRate: 90_000, payloadType: videoPayloadType }
          : { mimeType: 'audio/opus', clockRate: 48_000, payloadType: audioPayloadType };
      recorder.order({ type: 'track', streamId, kind, lane, track });
      recorder.order({ type: 'senderReport', lane, ntpMs: reports.ntpMs, rtpTimestamp: reports[kind] });
    }
    return publish(publishing, ms).map((sent, index) => {
      const arrives = this.#now + sent.at + 40 + ((index * 7) % 30);
      return { ...sent, lane: lanes.get(sent.kind) as number, arrives };
    });
  }

  #advanceTo(at: number): void {
    while (this.#now + stepMs <= at) {
      this.#now += stepMs;
      this.recorder.advance(this.#now);
    }
  }
}
