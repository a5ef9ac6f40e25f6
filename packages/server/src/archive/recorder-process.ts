/**
 * The recorder: a process of its own for one recording. It reads packets and orders from file descriptor 3 and writes cipher
 * text and reports to 4; it has no other file, no network, no environment and no secret but the key that it seals with.
 * Clear pictures and sound exist in its memory only.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { limits, type MediaKind } from '@cloister/protocol';
import { Composition } from './composition.ts';
import {
  bytesFrames,
  FrameReader,
  jsonFrame,
  type Order,
  type OrderedPlace,
  type RecorderOptions,
  type Report,
} from './messages.ts';
import { Output } from './output.ts';
import { createSealer } from './recorder-seal.ts';
import type { Sealer } from './sealer.ts';

const ordersFd = 3;
const reportsFd = 4;

interface Lane {
  readonly streamId: string;
  readonly kind: MediaKind;
}

type Stream = { readonly streamId: string; readonly hasVideo: boolean };

const reports = createWriteStream('', { fd: reportsFd });

function report(value: Report): void {
  reports.write(jsonFrame(value));
}

function store(cipherText: Buffer): void {
  for (const frame of bytesFrames(cipherText)) reports.write(frame);
}

/** @throws Error when a stream made this process take more memory than a recording needs */
function requireMemory(): void {
  const used = process.memoryUsage.rss();
  if (used > limits.archiveRecorderBytes) throw new Error(`the recorder took ${used} bytes of memory`);
}

/** What is said of the clear file, which exists nowhere. */
class Digest {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  add(clear: Buffer): void {
    this.#hash.update(clear);
    this.#bytes += clear.length;
  }

  end(): { bytes: number; sha256: string } {
    return { bytes: this.#bytes, sha256: this.#hash.digest('base64') };
  }
}

class Recorder {
  readonly #composition: Composition<Stream>;
  readonly #output: Output;
  readonly #sealer: Sealer;
  readonly #digest: Digest;
  readonly #lanes = new Map<number, Lane>();
  #placed: readonly OrderedPlace[] = [];

  private constructor(options: RecorderOptions, output: Output, sealer: Sealer, digest: Digest) {
    this.#digest = digest;
    this.#output = output;
    this.#sealer = sealer;
    this.#composition = new Composition<Stream>({
      ...options,
      output,
      arrange: () => this.#placed,
      askKeyFrame: (streamId) => report({ type: 'keyFrame', streamId }),
    });
  }

  static async open(options: RecorderOptions): Promise<Recorder> {
    const digest = new Digest();
    const { sealer, password, closing } = createSealer(options.seal, options.now);
    const { container, width, height, frameRate, hasAudio, hasVideo, maxBitrateBps, quantizationParameter } = options;
    let recorder: Recorder | null = null;
    const output = await Output.open({
      container,
      video: hasVideo ? { width, height, frameRate } : null,
      audio: hasAudio,
      maxBitrateBps,
      quantizationParameter,
      write: (clear) => {
        digest.add(clear);
        const cipherText = sealer.write(clear);
        clear.fill(0);
        if (cipherText.length === 0) return;
        store(cipherText);
        const durationMs = recorder?.durationMs ?? 0;
        report({ type: 'sealed', durationMs, closing: closing()?.toString('base64') ?? null });
      },
    });
    report({ type: 'opened', password });
    recorder = new Recorder(options, output, sealer, digest);
    return recorder;
  }

  get durationMs(): number {
    return this.#composition.durationMs;
  }

  packet(lane: number, packet: Buffer, at: number): void {
    const of = this.#lanes.get(lane);
    if (of) this.#composition.packet(of.streamId, of.kind, packet, at);
  }

  /** @returns whether it was the last order */
  async order(order: Order): Promise<boolean> {
    const composition = this.#composition;
    if (order.type === 'stream') composition.add(order);
    else if (order.type === 'streamRemoved') composition.remove(order.streamId);
    else if (order.type === 'placed') {
      this.#placed = order.placed;
      composition.rearrange();
    } else if (order.type === 'track') {
      this.#lanes.set(order.lane, order);
      composition.track(order.streamId, order.kind, order.track);
    } else if (order.type === 'trackEnded') composition.trackEnded(order.streamId, order.kind);
    else if (order.type === 'senderReport') {
      const lane = this.#lanes.get(order.lane);
      if (lane) composition.senderReport(lane.streamId, lane.kind, order.ntpMs, order.rtpTimestamp);
    } else if (order.type === 'skip') composition.skip(order.ms);
    else if (order.type === 'advance') {
      composition.advance(order.at);
      await this.#output.drained();
      requireMemory();
    } else if (order.type === 'stop') {
      await this.#stop();
      return true;
    }
    return false;
  }

  async #stop(): Promise<void> {
    const { durationMs } = this.#composition;
    this.#composition.close();
    await this.#output.close();
    store(this.#sealer.end());
    report({ type: 'ended', durationMs, ...this.#digest.end() });
  }
}

async function record(): Promise<void> {
  const reader = new FrameReader();
  let recorder: Recorder | null = null;
  for await (const chunk of createReadStream('', { fd: ordersFd })) {
    for (const frame of reader.read(chunk)) {
      if (frame.kind === 'packet') recorder?.packet(frame.lane, frame.packet, frame.at);
      if (frame.kind !== 'json') continue;
      const order = frame.value as Order;
      if (order.type === 'open') recorder = await Recorder.open(order.options);
      else if (await recorder?.order(order)) return;
    }
  }
  // The server is gone. What was given out is sealed and has its closing block; there is nobody to give more to.
}

try {
  await record();
} catch (error) {
  report({ type: 'failed', why: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
// What the library keeps open must not keep a process that is done.
reports.end(() => process.exit());
