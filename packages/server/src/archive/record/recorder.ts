/**
 * The server's end of a recorder: starts its process, gives it orders and packets, and hands on what it reports. What waits
 * for a recorder that does not keep up is bounded: packets past the bound are dropped with the rest of their picture, and a
 * key frame is asked for. It answers when it was started and whenever it is told the time: one that does not is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import type { Cancel, Clock } from '../../lib/index.ts';
import type { FailureCause } from './failures.ts';
import {
  type BegunFile,
  checkedReport,
  type EndedFile,
  FrameReader,
  jsonFrame,
  type Made,
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
  /** It does not keep up: packets are dropped from now on. Once. */
  dropping(): void;
  ended(durationMs: number, made: Made): void;
  /** @param why for the log, nothing personal */
  failed(cause: FailureCause, why: string): void;
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
/** What it is to catch up is told in such steps: between them it answers. */
const stepMs = 1000;
/** How a shell says that its program was ended by a signal. */
const signalled = 128;

export class Recorder {
  readonly #child: ChildProcess;
  readonly #orders: Writable;
  readonly #reports: Readable;
  readonly #told: RecorderTold;
  readonly #clock: Clock;
  readonly #lanes = new Map<number, Lane>();
  #complaints = '';
  #dropped = 0;
  #over = false;
  #opened = false;
  #cancelKill: Cancel | null = null;
  #cancelWatch: Cancel = () => {};
  /** Orders that it has not answered: at first, to open. */
  #unanswered = 1;
  #silentSeconds = 0;
  /** What it says is not read, since the disk does not keep up. */
  #held = false;
  /** How far time has come, where it was not told yet, and how far it was told. */
  #due: number | null = null;
  #toldAt: number | null = null;

  /**
   * Starts the process; `told.opened` says when it is ready.
   * @param file what runs in it; a test may give a program that lies
   */
  constructor(options: RecorderOptions, told: RecorderTold, clock: Clock, sandbox: Sandbox, file = program) {
    this.#told = told;
    this.#clock = clock;
    const args = [...flags, file];
    const command = shutIn({ file: process.execPath, args }, sandbox);
    this.#child = spawn(command.file, [...command.args], {
      env: {},
      cwd: '/',
      // Ctrl-C in a terminal reaches every process of the server's group; an archive is ended in order.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    // Where there is no handle left for its pipes, it has none; the error that follows is told by this one.
    this.#child.on('error', () => this.fail('start', 'its process does not start'));
    if (!this.#child.stdio) {
      this.#over = true;
      throw new PlatformError('CapacityReached');
    }
    const [, , complaints, orders, reports] = this.#child.stdio as [null, null, Readable, Writable, Readable];
    this.#orders = orders;
    this.#reports = reports;
    // What it said before it closed its end comes first; after that its process ends, or is silent.
    orders.on('error', () => {});
    reports.on('error', ({ code }: NodeJS.ErrnoException) => this.fail('recorder', `its pipe broke (${code})`));
    complaints.on('data', (chunk: Buffer) => {
      this.#complaints = (this.#complaints + chunk.toString()).slice(-complaintsBytes);
    });
    this.#read(reports);
    // Where the shell around it is gone, what is inside ends with its orders.
    this.#child.on('exit', () => this.#orders.destroy());
    // `close` comes when its pipes are read to their ends, so that nothing it said is lost.
    this.#child.on('close', (code, signal) => this.#closed(code, signal));
    this.order({ type: 'open', options });
    this.#watch();
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

  /** What is to be done from the time on that was told last. */
  order(order: Exclude<Order, { type: 'advance' | 'stop' }>): void {
    if (order.type === 'track') this.#lanes.set(order.lane, { streamId: order.streamId, kind: order.kind, cut: null });
    const waits = this.#orders.writableLength;
    if (order.type === 'senderReport') {
      // There will be another one.
      if (waits <= limits.archivePipeBytes) this.#write(order);
      return;
    }
    this.#tellTime();
    this.#write(order);
    // Time that is left out is none in which to catch up.
    if (order.type === 'skip') this.#toldAt = null;
    if (waits > limits.archivePipeBytes + limits.archiveOrderBytes) {
      this.fail('silent', `${waits} bytes of orders and packets wait for it`);
    }
  }

  /** Time has come so far; one that has not answered yet is told later. @param at milliseconds, ascending */
  advance(at: number): void {
    this.#due = at;
    this.#advance();
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
      if (this.#dropped === 1) this.#told.dropping();
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
    this.#tellTime();
    this.#write({ type: 'stop' });
    this.#cancelWatch();
    this.#cancelKill = this.#clock.after(limits.archiveEndSeconds * 1000, () => {
      this.fail(this.#held ? 'slow' : 'endless', `it did not end within ${limits.archiveEndSeconds} s`);
    });
  }

  /** What it says waits in its pipe, until `resume`. It is not silent then. */
  hold(): void {
    this.#held = true;
    this.#reports.pause();
  }

  resume(): void {
    this.#held = false;
    this.#silentSeconds = 0;
    this.#reports.resume();
  }

  /** Ends the process at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#orders.destroy();
  }

  /** Ends the process, and tells of it; nothing happens where it has ended. @param why for the log, nothing personal */
  fail(cause: FailureCause, why: string): void {
    if (this.#over) return;
    this.#end();
    this.kill();
    this.#told.failed(cause, why);
  }

  #write(order: Order): void {
    if (!this.#over) this.#orders.write(jsonFrame(order));
  }

  /** Tells how far time has come, in steps, as far as it answers. */
  #advance(): void {
    while (this.#due !== null && this.#unanswered < limits.archiveAdvancesWaiting) {
      this.#tellTime(this.#toldAt === null ? this.#due : Math.min(this.#due, this.#toldAt + stepMs));
    }
  }

  #tellTime(at = this.#due): void {
    if (at === null) return;
    this.#toldAt = at;
    if (at === this.#due) this.#due = null;
    this.#unanswered += 1;
    this.#write({ type: 'advance', at });
  }

  /** @throws PlatformError `FrameInvalid` for an answer to nothing */
  #answered(): void {
    if (this.#unanswered === 0) throw new PlatformError('FrameInvalid', { why: 'a recorder that was not asked' });
    this.#unanswered -= 1;
    this.#silentSeconds = 0;
    this.#advance();
  }

  /** Second by second, so that a server that stood still itself does not find fault with it at once. */
  #watch(): void {
    this.#cancelWatch = this.#clock.after(1000, () => {
      this.#silentSeconds = this.#held || this.#unanswered === 0 ? 0 : this.#silentSeconds + 1;
      if (this.#silentSeconds < limits.archiveSilentSeconds) this.#watch();
      else this.fail('silent', `it did not answer within ${limits.archiveSilentSeconds} s`);
    });
  }

  #read(reports: Readable): void {
    const reader = new FrameReader();
    reports.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.read(chunk)) {
          if (this.#over) return;
          if (frame.kind === 'bytes') this.#told.cipherText(frame.bytes);
          else if (frame.kind === 'part') this.#told.files?.part(frame.file, frame.bytes);
          else if (frame.kind === 'json') this.#report(checkedReport(frame.value));
        }
      } catch {
        this.fail('report', 'it said what is no report');
      }
    });
  }

  #report(report: Report): void {
    if (report.type === 'opened') {
      this.#opened = true;
      this.#answered();
      this.#told.opened(report.password);
    } else if (report.type === 'advanced') this.#answered();
    else if (report.type === 'sealed') {
      this.#told.sealed(report.durationMs, report.closing === null ? null : Buffer.from(report.closing, 'base64'));
    } else if (report.type === 'keyFrame') this.#told.keyFrame(report.streamId);
    else if (report.type === 'tooLarge') this.#told.tooLarge(report.streamId);
    else if (report.type === 'fileBegan') this.#told.files?.began(report.file, report);
    else if (report.type === 'fileEnded') this.#told.files?.ended(report.file, report);
    else if (report.type === 'failed') this.fail(report.cause, report.why);
    else if (report.type === 'ended') {
      this.#end();
      this.#told.ended(report.durationMs, report);
    }
  }

  #closed(code: number | null, signal: string | null): void {
    const why = `its process ended with ${signal ?? code}`;
    if (this.#complaints.includes('heap out of memory')) this.fail('memory', why);
    else this.fail(!this.#opened && code !== null && code < signalled ? 'start' : 'recorder', why);
  }

  #end(): void {
    this.#over = true;
    this.#cancelKill?.();
    this.#cancelWatch();
    this.#orders.end();
    // What it still says is read to its end and passed over, so that its process can go.
    this.#reports.resume();
  }
}
