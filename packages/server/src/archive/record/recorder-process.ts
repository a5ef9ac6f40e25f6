/**
 * The recorder: a process of its own for one recording. It reads packets and orders from file descriptor 3 and writes cipher
 * text and reports to 4; it has no other file, no network, no environment and no secret but the key that it seals with.
 * Clear pictures and sound exist in its memory only.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import { type ComposedStream, Composition } from '../compose/composition.ts';
import { Output } from '../compose/output.ts';
import { type FileTracks, Separation } from '../separate/separation.ts';
import type { ownCauses } from './failures.ts';
import { requireMemory, TooMuchMemory } from './memory-bound.ts';
import {
  bytesFrames,
  type ComposedOptions,
  FrameReader,
  jsonFrame,
  type Made,
  type Order,
  type OrderedPlace,
  partFrames,
  type RecorderOptions,
  type Report,
  type SeparateOptions,
} from './messages.ts';
import { createSealer, fileSealers } from './recorder-seal.ts';
import { SealedFile } from './sealed-file.ts';

const ordersFd = 3;
const reportsFd = 4;

interface Lane {
  readonly streamId: string;
  readonly kind: MediaKind;
}

/** Past this many bytes nothing is made until the server has taken them: its disk may be slow. */
const reports = createWriteStream('', { fd: reportsFd, highWaterMark: limits.archiveMessageBytes });

function report(value: Report): void {
  reports.write(jsonFrame(value));
}

function store(cipherText: Buffer): void {
  for (const frame of bytesFrames(cipherText)) reports.write(frame);
}

/** What is said of a file: the clear one, which exists nowhere, and the one that is stored. */
class Digest {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  add(part: Buffer): void {
    this.#hash.update(part);
    this.#bytes += part.length;
  }

  end(): Made['clear'] {
    return { bytes: this.#bytes, sha256: this.#hash.digest('base64') };
  }
}

type Media = Composition<ComposedStream> | Separation;

/** What is made of the media. */
interface Making {
  readonly media: Media;
  place(placed: readonly OrderedPlace[]): void;
  /** Resolves when what was made so far was given out. */
  drained(): Promise<void>;
  /** Gives out the rest. @returns what is said of the one file; of several, nothing */
  end(): Promise<Made>;
}

async function composed(options: ComposedOptions): Promise<Making> {
  const clearDigest = new Digest();
  const storedDigest = new Digest();
  const give = (cipherText: Buffer) => {
    storedDigest.add(cipherText);
    store(cipherText);
  };
  const { sealer, password, closing } = await createSealer(options.seal);
  const { container, width, height, frameRate, hasAudio, hasVideo, maxBitrateBps, quantizationParameter } = options;
  let durationMs = () => 0;
  const output = await Output.open({
    container,
    video: hasVideo ? { width, height, frameRate } : null,
    audio: hasAudio,
    maxBitrateBps,
    quantizationParameter,
    write: (clear) => {
      clearDigest.add(clear);
      const cipherText = sealer.write(clear);
      clear.fill(0);
      if (cipherText.length === 0) return;
      give(cipherText);
      report({ type: 'sealed', durationMs: durationMs(), closing: closing()?.toString('base64') ?? null });
    },
  });
  report({ type: 'opened', password });
  let arranged: readonly OrderedPlace[] = [];
  const media = new Composition<ComposedStream>({ ...options, output, arrange: () => arranged, askKeyFrame, tooLarge });
  durationMs = () => media.durationMs;
  return {
    media,
    place(placed) {
      arranged = placed;
      media.rearrange();
    },
    drained: () => output.drained(),
    async end() {
      media.close();
      await output.close();
      give(sealer.end());
      return { clear: clearDigest.end(), stored: storedDigest.end() };
    },
  };
}

async function separate({ hasAudio, hasVideo, seal }: SeparateOptions): Promise<Making> {
  const sealers = await fileSealers(seal);
  let files = 0;
  const openFile = (streamId: string, startMs: number, tracks: FileTracks) => {
    const file = files;
    files += 1;
    report({ type: 'fileBegan', file, streamId, container: tracks.container, startMs });
    return new SealedFile(tracks, sealers.of(file), seal.format, {
      cipherText: (bytes) => {
        for (const frame of partFrames(file, bytes)) reports.write(frame);
        report({ type: 'sealed', durationMs: media.durationMs, closing: null });
      },
      ended: (facts) => report({ type: 'fileEnded', file, ...facts }),
    });
  };
  const media = new Separation({ hasAudio, hasVideo, openFile, askKeyFrame, tooLarge });
  report({ type: 'opened', password: '' });
  return {
    media,
    place: () => {},
    drained: () => media.drained(),
    async end() {
      await media.close();
      sealers.wipe();
      return { clear: { bytes: 0, sha256: '' }, stored: { bytes: 0, sha256: '' } };
    },
  };
}

const tooLarge = (streamId: string) => report({ type: 'tooLarge', streamId });
const askKeyFrame = (streamId: string) => report({ type: 'keyFrame', streamId });

class Recorder {
  readonly #making: Making;
  readonly #lanes = new Map<number, Lane>();

  private constructor(making: Making) {
    this.#making = making;
  }

  static async open(options: RecorderOptions): Promise<Recorder> {
    return new Recorder(await (options.container === 'files' ? separate(options) : composed(options)));
  }

  packet(lane: number, packet: Buffer, at: number): void {
    const of = this.#lanes.get(lane);
    if (of) this.#making.media.packet(of.streamId, of.kind, packet, at);
  }

  /** @returns whether it was the last order */
  async order(order: Order): Promise<boolean> {
    const { media } = this.#making;
    if (order.type === 'stream') media.add(order);
    else if (order.type === 'streamRemoved') media.remove(order.streamId);
    else if (order.type === 'placed') this.#making.place(order.placed);
    else if (order.type === 'track') {
      this.#lanes.set(order.lane, order);
      media.track(order.streamId, order.kind, order.track);
    } else if (order.type === 'trackEnded') media.trackEnded(order.streamId, order.kind);
    else if (order.type === 'senderReport') {
      const lane = this.#lanes.get(order.lane);
      if (lane) media.senderReport(lane.streamId, lane.kind, order.ntpMs, order.rtpTimestamp);
    } else if (order.type === 'skip') media.skip(order.ms);
    else if (order.type === 'advance') {
      media.advance(order.at);
      await this.#making.drained();
      requireMemory();
      if (reports.writableNeedDrain) await once(reports, 'drain');
      report({ type: 'advanced' });
    } else if (order.type === 'stop') {
      await this.#stop();
      return true;
    }
    return false;
  }

  async #stop(): Promise<void> {
    const { durationMs } = this.#making.media;
    report({ type: 'ended', durationMs, ...(await this.#making.end()) });
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

function causeOf(error: unknown, why: string): (typeof ownCauses)[number] {
  if (error instanceof TooMuchMemory || /allocat(e|ion)/i.test(why)) return 'memory';
  if (!(error instanceof PlatformError)) return 'media';
  return error.code === 'CertificateRefused' ? 'seal' : 'recorder';
}

try {
  await record();
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  report({ type: 'failed', cause: causeOf(error, why), why: why.slice(0, limits.archiveReportChars) });
  process.exitCode = 1;
}
// What the library keeps open must not keep a process that is done.
reports.end(() => process.exit());
