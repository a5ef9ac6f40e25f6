/** One recording that runs: streams and layouts in, orders to its recorder; what the recorder seals goes to its file. */
import { limits, type MediaKind, PlatformError } from '@cloister/protocol';
import type {
  Journal,
  Layout,
  RecordedStream,
  Recording,
  RecordingObserver,
  RecordingOrder,
  RecordingResult,
  StreamTap,
  TapSink,
} from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import { extensionIdsOf } from './capture/header-extensions.ts';
import { type Placement, placeStreams } from './layout/layout.ts';
import { mixedVoices } from './layout/priority.ts';
import { diskCause, diskWords, type FailureCause, failureReasons, TooSlow } from './record/failures.ts';
import type { Made, RecorderOptions, Seal } from './record/messages.ts';
import { type FilesTold, Recorder } from './record/recorder.ts';
import type { Sandbox } from './record/sandbox.ts';
import type { Facts, Keeping } from './store/keeping.ts';

interface Parts {
  readonly order: RecordingOrder;
  readonly seal: Seal;
  readonly keeping: Keeping;
  readonly sandbox: Sandbox;
  readonly observer: RecordingObserver;
  /** All is on the disk: that is noted, so that a crash before anybody is told takes nothing away. @throws what the disk says */
  readonly noteEnd: (result: RecordingResult) => Promise<void>;
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly journal: Journal;
  /** What runs in the recorder's process; a test may give a program that lies. */
  readonly program?: string;
}

interface Source {
  stream: RecordedStream;
  readonly tap: StreamTap;
  readonly lanes: Map<MediaKind, number>;
}

const frameRate = 30;
/** As large as it is published: no picture is larger. */
const wholePicture = { width: 16_384, height: 16_384 };
/** Of what a recorder complained of, the end. */
const complaintChars = 1000;

export class LiveRecording implements Recording {
  readonly sandbox: Sandbox;
  readonly #parts: Parts;
  readonly #recorder: Recorder;
  readonly #sources = new Map<string, Source>();
  #layout: Layout;
  #lanes = 0;
  #password = '';
  #began = false;
  #durationMs = 0;
  #cancelTick: Cancel = () => {};
  /** Since when nobody is there to be recorded; null while somebody is. */
  #emptySince: number | null;
  #stopped = false;
  /** Streams whose sound is mixed. */
  #voices: ReadonlySet<string> = new Set();
  #ended = false;
  /** The disk has to catch up before more is taken from the recorder. */
  #waits = false;

  constructor(parts: Parts) {
    const { order, keeping, clock, monotonic } = parts;
    this.#parts = parts;
    this.sandbox = parts.sandbox;
    this.#layout = order.layout;
    this.#emptySince = monotonic();
    this.#recorder = new Recorder(
      optionsOf(parts),
      {
        opened: (password) => {
          this.#password = password;
          keeping.keyWrapped(password);
        },
        cipherText: (bytes) => this.#storing(() => keeping.told.cipherText(bytes)),
        sealed: (durationMs, closing) => {
          // The store has whole milliseconds; a thirtieth of a second is none.
          this.#durationMs = Math.round(durationMs);
          this.#storing(() => keeping.told.sealed(this.#durationMs, closing));
        },
        ...(keeping.told.files && { files: this.#watched(keeping.told.files) }),
        tooLarge: (streamId) => this.#leftOut(streamId),
        keyFrame: (streamId) => {
          const source = this.#sources.get(streamId);
          if (source?.stream.takesVideo) source.tap.requestKeyFrame();
        },
        dropping: () => this.#dropping(),
        ended: (durationMs, made) => void this.#finish(durationMs, made),
        failed: (cause, why) => void this.#abandon(cause, why),
      },
      clock,
      parts.sandbox,
      parts.program,
    );
    parts.journal.record('info', 'a recorder was started', {
      archiveId: order.archiveId,
      sessionId: order.sessionId,
      sandbox: parts.sandbox,
    });
    this.#tick();
  }

  async add(stream: RecordedStream, tap: StreamTap): Promise<void> {
    if (this.#stopped) {
      tap.close();
      return;
    }
    this.#resume();
    const source: Source = { stream, tap, lanes: new Map() };
    this.#sources.set(stream.streamId, source);
    this.#describe(stream);
    this.#arrange();
    try {
      await tap.start(this.#sink(source));
    } catch (error) {
      // It was removed meanwhile, or is another one by now.
      if (this.#sources.get(stream.streamId) !== source) return;
      this.remove(stream.streamId);
      throw error;
    }
  }

  change(stream: RecordedStream): void {
    const source = this.#sources.get(stream.streamId);
    if (!source) return;
    source.stream = stream;
    this.#describe(stream);
    this.#arrange();
  }

  remove(streamId: string): void {
    const source = this.#sources.get(streamId);
    if (!source) return;
    this.#sources.delete(streamId);
    source.tap.close();
    this.#recorder.order({ type: 'streamRemoved', streamId });
    this.#arrange();
    if (this.#sources.size === 0) this.#emptySince = this.#parts.monotonic();
  }

  layout(layout: Layout): void {
    this.#layout = layout;
    this.#arrange();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelTick();
    for (const { tap } of this.#sources.values()) tap.close();
    // What was captured until now is composed `archiveDelayMs` later; that time is given, not waited for.
    if (this.#began && this.#recording) this.#recorder.advance(this.#parts.monotonic() + limits.archiveDelayMs);
    this.#recorder.stop();
  }

  /** Whether time is recorded: somebody is there, or was within the delay. */
  get #recording(): boolean {
    return this.#emptySince === null || this.#parts.monotonic() - this.#emptySince < limits.archiveDelayMs;
  }

  #tick(): void {
    const { clock, monotonic } = this.#parts;
    if (this.#began && this.#recording) this.#recorder.advance(monotonic());
    this.#cancelTick = clock.after(1000 / frameRate, () => this.#tick());
  }

  /** Somebody is there again: the time in which nobody was is left out. */
  #resume(): void {
    const { monotonic, clock, observer, keeping } = this.#parts;
    if (!this.#began) {
      this.#began = true;
      const at = clock.now();
      keeping.began(at);
      observer.began(at);
    } else if (this.#emptySince !== null) {
      const ms = monotonic() - this.#emptySince - limits.archiveDelayMs;
      if (ms > 0) this.#recorder.order({ type: 'skip', ms });
    }
    this.#emptySince = null;
  }

  #describe(stream: RecordedStream): void {
    const { streamId, name, hasAudio, hasVideo } = stream;
    this.#parts.keeping.describe(stream);
    this.#recorder.order({ type: 'stream', streamId, name, hasAudio, hasVideo });
  }

  #arrange(): void {
    const { width, height, hasVideo, outputMode } = this.#parts.order;
    const sources = [...this.#sources.values()];
    const composed = outputMode === 'composed';
    const voices = sources.map(({ stream }) => ({ ...stream, hasAudio: stream.takesAudio }));
    this.#voices = new Set(composed ? mixedVoices(voices) : voices.map(({ streamId }) => streamId));
    if (!hasVideo || !composed) {
      // Where no picture is recorded, none is to be handed over.
      for (const { stream, tap } of sources) tap.show(hasVideo && stream.takesVideo ? wholePicture : null);
      return;
    }
    // A camera that is switched off keeps its place, as a tile with its name.
    const streams = sources.map(({ stream }) => ({ ...stream, hasVideo: stream.takesVideo }));
    const placed: Placement[] = placeStreams({ width, height }, this.#layout, streams);
    for (const { stream, tap } of sources) {
      const place = placed.find(({ streamId }) => streamId === stream.streamId);
      tap.show(place ? { width: place.width, height: place.height } : null);
    }
    this.#recorder.order({
      type: 'placed',
      placed: placed.map(({ streamId, x, y, width, height, fit }) => ({ streamId, x, y, width, height, fit })),
    });
  }

  #sink(source: Source): TapSink {
    const { streamId } = source.stream;
    const recorder = this.#recorder;
    return {
      track: (kind, { mimeType, clockRate, payloadType, headerExtensions }) => {
        this.#lanes += 1;
        source.lanes.set(kind, this.#lanes);
        recorder.order({
          type: 'track',
          streamId,
          kind,
          lane: this.#lanes,
          track: { mimeType, clockRate, payloadType, extensions: extensionIdsOf(headerExtensions) },
        });
      },
      trackEnded: (kind) => {
        source.lanes.delete(kind);
        recorder.order({ type: 'trackEnded', streamId, kind });
      },
      trackPaused: () => {},
      packet: (kind, packet) => {
        // Chosen without its sound or its picture: none of it reaches the recorder.
        if (kind === 'audio' && !(source.stream.hasAudio && this.#voices.has(streamId))) return;
        if (kind === 'video' && !source.stream.takesVideo) return;
        const lane = source.lanes.get(kind);
        if (lane !== undefined) recorder.packet(lane, this.#parts.monotonic(), packet);
      },
      senderReport: (kind, { ntpMs, rtpTimestamp }) => {
        const lane = source.lanes.get(kind);
        if (lane !== undefined) recorder.order({ type: 'senderReport', lane, ntpMs, rtpTimestamp });
      },
      ended: () => this.remove(streamId),
    };
  }

  #leftOut(streamId: string): void {
    if (!this.#sources.has(streamId)) return;
    const { journal, order } = this.#parts;
    journal.record('warn', 'a picture is too large to be recorded, and is left out', {
      archiveId: order.archiveId,
      streamId,
      limit: limits.archivePicturePixels,
    });
  }

  #storing(store: () => void): void {
    store();
    const { writes } = this.#parts.keeping;
    if (writes.failure) this.#recorder.fail(diskCause(writes.failure), diskWords(writes.failure));
    else if (writes.waiting > limits.archiveWriteBytes) void this.#wait();
  }

  /** Takes nothing more from the recorder until what waits is on the disk. */
  async #wait(): Promise<void> {
    if (this.#waits) return;
    this.#waits = true;
    const { clock, keeping } = this.#parts;
    this.#recorder.hold();
    const cancel = clock.after(limits.archiveWriteSeconds * 1000, () => {
      const why = new TooSlow(`the disk did not write archiveWriteBytes within ${limits.archiveWriteSeconds} s`);
      keeping.writes.giveUp(why);
      this.#recorder.fail('slow', why.message);
    });
    await keeping.writes.settled();
    cancel();
    this.#waits = false;
    this.#recorder.resume();
  }

  #dropping(): void {
    const { journal, observer, order } = this.#parts;
    journal.record('warn', 'a recorder does not keep up: packets are dropped', { archiveId: order.archiveId });
    observer.dropped(this.#recorder.dropped);
  }

  #watched(files: FilesTold): FilesTold {
    return {
      began: (file, facts) => this.#storing(() => files.began(file, facts)),
      part: (file, cipherText) => this.#storing(() => files.part(file, cipherText)),
      ended: (file, facts) => this.#storing(() => files.ended(file, facts)),
    };
  }

  async #finish(durationMs: number, made: Made): Promise<void> {
    const { keeping, observer } = this.#parts;
    let kept: Facts;
    // The store has whole milliseconds; a thirtieth of a second is none.
    this.#durationMs = Math.round(durationMs);
    this.#over();
    try {
      const facts = await keeping.finish(made);
      if (!facts) {
        await this.#abandon('mismatch', 'size or SHA-256 differ');
        return;
      }
      kept = facts;
    } catch (error) {
      await this.#abandon(diskCause(error), diskWords(error));
      return;
    }
    const result = this.#result(kept);
    await this.#note(result);
    observer.ended(result);
  }

  /** What cannot be noted is whole all the same; only a crash in the next moment would call it cut. */
  async #note(result: RecordingResult): Promise<void> {
    const { noteEnd, journal, order } = this.#parts;
    try {
      await noteEnd(result);
    } catch (error) {
      journal.record('warn', 'that an archive is whole could not be noted beside it', {
        archiveId: order.archiveId,
        error: diskWords(error),
      });
    }
  }

  /** What was sealed so far is brought to an end with which it opens, and kept. @param why for the log */
  async #abandon(cause: FailureCause, why: string): Promise<void> {
    const { keeping, observer, journal, order } = this.#parts;
    this.#over();
    const reason = failureReasons[cause];
    const line = printable(this.#recorder.complaints).slice(-complaintChars) || null;
    journal.record('error', 'a recording failed', { archiveId: order.archiveId, reason, error: printable(why), line });
    const kept = await keeping.abandon().catch((error: unknown) => {
      const left = { archiveId: order.archiveId, error: diskWords(error) };
      journal.record('error', 'what a failed recording left could not be brought to its end', left);
      return null;
    });
    observer.failed(reason, kept && this.#result(kept));
  }

  /** Nothing more is taken from streams, and what was dropped of them is told. */
  #over(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopped = true;
    this.#cancelTick();
    for (const { tap } of this.#sources.values()) tap.close();
    this.#sources.clear();
    const { journal, observer, order } = this.#parts;
    const { dropped } = this.#recorder;
    if (dropped === 0) return;
    journal.record('warn', 'packets of a recording were dropped', { archiveId: order.archiveId, count: dropped });
    observer.dropped(dropped);
  }

  #result(facts: Facts): RecordingResult {
    return { ...facts, durationMs: this.#durationMs, password: this.#password };
  }
}

/** Of what a program wrote that decodes what strangers send, what a line of a log may have. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').trim();
}

function optionsOf({ order, seal }: Parts): RecorderOptions {
  const { hasAudio, hasVideo, width, height, maxBitrateBps, quantizationParameter } = order;
  if (order.outputMode === 'individual') {
    // `core` refuses an individual archive that would be sealed in OpenTok's format.
    if (seal.format === 'opentok') throw new PlatformError('CertificateNeedsComposed');
    return { container: 'files', hasAudio, hasVideo, seal };
  }
  return {
    // Where a customer holds the key, the container is OpenTok's.
    container: seal.format === 'cloister' ? 'mp4' : 'mpegts',
    width,
    height,
    frameRate,
    hasAudio,
    hasVideo,
    maxBitrateBps,
    quantizationParameter,
    seal,
  };
}
