/**
 * The server's end of a recorder: starts its process, gives it orders and packets, and hands on what it reports. What waits
 * for a recorder that does not keep up is bounded: packets past the bound are dropped with the rest of their picture, and a
 * key frame is asked for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import type { Cancel, Clock } from '../lib/index.ts';
import {
  type BegunFile,
  type EndedFile,
  FrameReader,
  jsonFrame,
  type Order,
  packetFrame,
  type RecorderOptions,
  type Report,
} from './messages.ts';
import { type Sandbox, shutIn } from './sandbox.ts';

/** What a recorder of separate files says of them: each begins before its parts come, and ends after them. */
export interface FilesTold {
  began(file: number, facts: BegunFile): void;
  part(file: number, cipherText: Buffer): void;
  ended(file: number, facts: EndedFile): void;
}

/** What a recorder says; nothing after `ended` or `failed`, of which there is exactly one. */
export interface RecorderTold {
  /** It is ready. @param password of OpenTok's format, otherwise empty */
  opened(password: string): void;
  /** What may be stored. */
  cipherText(bytes: Buffer): void;
  /** What all cipher text so far holds, and the block that would end the file after it; null where none is needed. */
  sealed(durationMs: number, closing: Buffer | null): void;
  /** Where it makes separate files: they come here, and nothing to `cipherText`. */
  readonly files?: FilesTold;
  keyFrame(streamId: string): void;
  /** A stream's picture is left out, since it is too large. */
  tooLarge(streamId: string): void;
  ended(durationMs: number, clear: { readonly bytes: number; readonly sha256: string }): void;
  failed(why: string): void;
}

interface Lane {
  readonly streamId: string;
  readonly kind: MediaKind;
  /** Dropping until a picture begins: the timestamp of the one that was cut. */
  cut: number | null;
}

const program = path.join(import.meta.dirname, 'recorder-process.ts');
/**
 * Of a recorder's heap, in megabytes: some twenty are in use, since pictures and sound are outside of it, and an engine that
 * may have more takes it. What is young lives for a moment, and need not be kept until there are 32 MB of it.
 */
const heap = { old: 128, young: 4 };
const flags = [
  `--max-old-space-size=${heap.old}`,
  `--max-semi-space-size=${heap.young}`,
  '--disable-warning=ExperimentalWarning',
  // No signal opens an inspector in it: that listens on the network, and shows the memory of whom it is in.
  '--disable-sigusr1',
];
const complaintsBytes = 4000;

export class Recorder {
  readonly #child: ChildProcess;
  readonly #orders: Writable;
  readonly #told: RecorderTold;
  readonly #clock: Clock;
  readonly #lanes = new Map<number, Lane>();
  #complaints = '';
  #dropped = 0;
  #over = false;
  #cancelKill: Cancel | null = null;

  /** Starts the process; `told.opened` says when it is ready. */
  constructor(options: RecorderOptions, told: RecorderTold, clock: Clock, sandbox: Sandbox) {
    this.#told = told;
    this.#clock = clock;
    const args = [...flags, program];
    const command = shutIn({ file: process.execPath, args }, sandbox);
    this.#child = spawn(command.file, [...command.args], {
      env: {},
      cwd: '/',
      // Ctrl-C in a terminal reaches every process of the server's group; an archive is ended in order.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    // Where there is no handle left for its pipes, it has none; the error that follows is told by this one.
    this.#child.on('error', () => this.#fail('its process does not start'));
    if (!this.#child.stdio) {
      this.#over = true;
      throw new PlatformError('CapacityReached');
    }
    const [, , complaints, orders, reports] = this.#child.stdio as [null, null, Readable, Writable, Readable];
    this.#orders = orders;
    orders.on('error', () => this.#fail('its pipe broke'));
    reports.on('error', () => this.#fail('its pipe broke'));
    complaints.on('data', (chunk: Buffer) => {
      this.#complaints = (this.#complaints + chunk.toString()).slice(-complaintsBytes);
    });
    this.#read(reports);
    // Where the shell around it is gone, what is inside ends with its orders.
    this.#child.on('exit', () => this.#orders.destroy());
    // `close` comes when its pipes are read to their ends, so that nothing it said is lost.
    this.#child.on('close', (code, signal) => this.#fail(`its process ended with ${signal ?? code}`));
    this.order({ type: 'open', options });
  }

  /** Its process, for the watch on it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Packets that were dropped since it did not keep up. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Bytes that wait for it. */
  get waiting(): number {
    return this.#orders.writableLength;
  }

  /** Whether it has ended or failed. */
  get over(): boolean {
    return this.#over;
  }

  /** What it wrote to its standard error last. */
  get complaints(): string {
    return this.#complaints;
  }

  order(order: Order): void {
    if (this.#over) return;
    if (order.type === 'track') this.#lanes.set(order.lane, { streamId: order.streamId, kind: order.kind, cut: null });
    this.#orders.write(jsonFrame(order));
  }

  /**
   * @param lane of a track that was ordered
   * @param at when it arrived, in milliseconds of the clock of `advance`
   */
  packet(lane: number, at: number, packet: Uint8Array): void {
    const of = this.#lanes.get(lane);
    if (!of || this.#over || packet.length < 12) return;
    const timestamp = new DataView(packet.buffer, packet.byteOffset).getUint32(4);
    const full = this.#orders.writableLength + packet.length > limits.archivePipeBytes;
    if (full || of.cut === timestamp) {
      this.#dropped += 1;
      if (of.cut === null && of.kind === 'video') this.#told.keyFrame(of.streamId);
      of.cut = timestamp;
      return;
    }
    of.cut = null;
    this.#orders.write(packetFrame(lane, at, packet));
  }

  /** Ends the recording: `told.ended` or `told.failed` follows, within `archiveEndSeconds` at the latest. */
  stop(): void {
    if (this.#over || this.#cancelKill) return;
    this.order({ type: 'stop' });
    this.#cancelKill = this.#clock.after(limits.archiveEndSeconds * 1000, () => {
      this.#fail(`it did not end within ${limits.archiveEndSeconds} s`);
    });
  }

  /** Ends the process at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#orders.destroy();
  }

  #read(reports: Readable): void {
    const reader = new FrameReader();
    reports.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.read(chunk)) {
          if (this.#over) return;
          if (frame.kind === 'bytes') this.#told.cipherText(frame.bytes);
          else if (frame.kind === 'part') this.#told.files?.part(frame.file, frame.bytes);
          else if (frame.kind === 'json') this.#report(frame.value as Report);
        }
      } catch {
        this.#fail('it said what is no report');
      }
    });
  }

  #report(report: Report): void {
    if (report.type === 'opened') this.#told.opened(report.password);
    else if (report.type === 'sealed') {
      this.#told.sealed(report.durationMs, report.closing === null ? null : Buffer.from(report.closing, 'base64'));
    } else if (report.type === 'keyFrame') this.#told.keyFrame(report.streamId);
    else if (report.type === 'tooLarge') this.#told.tooLarge(report.streamId);
    else if (report.type === 'fileBegan') this.#told.files?.began(report.file, report);
    else if (report.type === 'fileEnded') this.#told.files?.ended(report.file, report);
    else if (report.type === 'failed') this.#fail(report.why);
    else if (report.type === 'ended') {
      this.#end();
      this.#told.ended(report.durationMs, { bytes: report.bytes, sha256: report.sha256 });
    }
  }

  #end(): void {
    this.#over = true;
    this.#cancelKill?.();
    this.#orders.end();
  }

  #fail(why: string): void {
    if (this.#over) return;
    this.#end();
    this.kill();
    this.#told.failed(why);
  }
}
