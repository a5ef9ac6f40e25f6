/** A real recorder, shut in as always, that is fed in real time as a session would feed it; what it seals is counted. */
import { randomBytes } from 'node:crypto';
import type { MediaKind } from '@cloister/protocol';
import { toCertificates } from '../../packages/server/src/archive/index.ts';
import type { OrderedPlace, RecorderOptions, Seal } from '../../packages/server/src/archive/record/messages.ts';
import { Recorder } from '../../packages/server/src/archive/record/recorder.ts';
import { type Sandbox, SandboxTrial } from '../../packages/server/src/archive/record/sandbox.ts';
import { makeOwner } from '../../packages/server/src/archive/seal/archive-fixtures.ts';
import { systemClock } from '../../packages/server/src/lib/index.ts';
import { atEnd } from '../../tests/rig/cleanup.ts';
import { type CameraPacket, clockRates, endless, payloadTypes } from './camera.ts';
import { processTree } from './processes.ts';

/** How often the packets that are due are sent. */
const TURN_MS = 10;
const FRAME_RATE = 30;
const REPORT_EVERY_MS = 5000;
/** What a network takes. */
const UNDER_WAY_MS = 40;
const mimeTypes = { video: 'video/VP8', audio: 'audio/opus' } as const;

export interface FedOptions {
  readonly container: 'mp4' | 'mpegts';
  readonly width: number;
  readonly height: number;
  /** Of each stream one round, that long; they are in rows of so many. */
  readonly streams: readonly (readonly CameraPacket[])[];
  readonly roundMs: number;
  readonly columns: number;
}

interface Lane {
  readonly packets: Generator<CameraPacket>;
  next: CameraPacket;
  readonly numbers: Readonly<Record<MediaKind, number>>;
}

/** Boxes in rows, as large as they fit. */
function placesOf({ width, height, streams, columns }: FedOptions): OrderedPlace[] {
  const rows = Math.ceil(streams.length / columns);
  const even = (value: number) => Math.floor(value / 2) * 2;
  const box = { width: even(width / columns), height: even(height / rows) };
  return streams.map((_, index) => {
    const at = { x: (index % columns) * box.width, y: Math.floor(index / columns) * box.height };
    return { streamId: `${index}`, ...at, ...box, fit: 'contain' };
  });
}

/** As a project seals by default with `mp4`, and as a customer's certificate has it with `mpegts`. */
async function sealOf(container: FedOptions['container']): Promise<Seal> {
  const owner = makeOwner();
  if (container === 'mpegts') return { format: 'opentok', certificate: owner.pem };
  const contentKey = randomBytes(32);
  const header = await toCertificates([owner.certificate])(contentKey);
  return { format: 'cloister', contentKey: contentKey.toString('base64'), header };
}

export class FedRecorder {
  readonly #recorder: Recorder;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #lanes: Lane[] = [];
  #timer: NodeJS.Timeout | undefined;
  #began = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #sealedBytes = 0;
  #sealedMs = 0;
  #behindMs = 0;

  private constructor(ordered: RecorderOptions, sandbox: Sandbox) {
    const told = {
      opened: () => this.#opened.resolve(),
      cipherText: (bytes: Buffer) => {
        this.#sealedBytes += bytes.length;
      },
      sealed: (durationMs: number) => {
        this.#sealedMs = durationMs;
        // It begins `archiveDelayMs` before the first `advance`, and is as much behind.
        this.#behindMs = performance.now() - this.#began - durationMs;
      },
      keyFrame: () => {},
      tooLarge: () => {},
      dropping: () => {},
      ended: () => this.#ended.resolve(),
      failed: (why: string) => {
        const failure = new Error(`the recorder failed: ${why} ${this.#recorder.complaints}`);
        this.#opened.reject(failure);
        this.#ended.reject(failure);
      },
    };
    this.#recorder = new Recorder(ordered, told, systemClock, sandbox);
    // Who waits for its end is told; until then nobody does.
    this.#ended.promise.catch(() => clearInterval(this.#timer));
    atEnd(() => this.#recorder.kill());
  }

  /** Resolves when it is ready and has its streams; nothing is fed yet. */
  static async open(options: FedOptions): Promise<FedRecorder> {
    const { container, width, height } = options;
    const rates = { frameRate: FRAME_RATE, maxBitrateBps: null, quantizationParameter: null };
    const seal = await sealOf(container);
    const ordered = { container, width, height, ...rates, hasAudio: true, hasVideo: true, seal };
    const fed = new FedRecorder(ordered, await new SandboxTrial('require', { record() {} }).forRecorder());
    await fed.#opened.promise;
    for (const [index, packets] of options.streams.entries()) fed.#add(index, endless(packets, options.roundMs));
    fed.#recorder.order({ type: 'placed', placed: placesOf(options) });
    return fed;
  }

  #add(index: number, packets: Generator<CameraPacket>): void {
    const streamId = `${index}`;
    const numbers = { video: index * 2, audio: index * 2 + 1 };
    this.#recorder.order({ type: 'stream', streamId, name: '', hasAudio: true, hasVideo: true });
    for (const kind of ['video', 'audio'] as const) {
      const track = { mimeType: mimeTypes[kind], clockRate: clockRates[kind], payloadType: payloadTypes[kind] };
      this.#recorder.order({ type: 'track', streamId, kind, lane: numbers[kind], track });
    }
    this.#lanes.push({ packets, next: packets.next().value, numbers });
  }

  /** From now on, until `stop`. */
  begin(): void {
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#turn(), TURN_MS);
  }

  #turn(): void {
    const now = performance.now() - this.#began;
    if (now - this.#reportedAt >= REPORT_EVERY_MS) this.#report(now);
    for (const lane of this.#lanes) {
      for (; lane.next.at + UNDER_WAY_MS <= now; lane.next = lane.packets.next().value) {
        const { kind, at, bytes } = lane.next;
        this.#recorder.packet(lane.numbers[kind], at + UNDER_WAY_MS, bytes);
      }
    }
    this.#recorder.advance(now);
  }

  #report(now: number): void {
    this.#reportedAt = now;
    for (const { numbers } of this.#lanes) {
      for (const kind of ['video', 'audio'] as const) {
        const rtpTimestamp = Math.round((now * clockRates[kind]) / 1000) % 2 ** 32;
        this.#recorder.order({ type: 'senderReport', lane: numbers[kind], ntpMs: 1_000_000 + now, rtpTimestamp });
      }
    }
  }

  /** Its processes: the shell around it, and it. */
  get pids(): number[] {
    return processTree(this.#recorder.pid as number);
  }

  get sealedBytes(): number {
    return this.#sealedBytes;
  }

  /** Milliseconds of the recording that are sealed. */
  get sealedMs(): number {
    return this.#sealedMs;
  }

  /** By how much what it sealed last was late. */
  get behindMs(): number {
    return this.#behindMs;
  }

  /** Packets that it did not take in time. */
  get dropped(): number {
    return this.#recorder.dropped;
  }

  /** Resolves when it ended; rejects when it failed, then or before. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#recorder.stop();
    await this.#ended.promise;
  }

  /** Ends it at once. */
  kill(): void {
    clearInterval(this.#timer);
    this.#recorder.kill();
  }

  /** Rejects when it fails. */
  failed(): Promise<void> {
    return this.#ended.promise;
  }
}
