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
import { extensionIdsOf } from './header-extensions.ts';
import type { Facts, Keeping } from './keeping.ts';
import { type Placement, placeStreams } from './layout.ts';
import type { RecorderOptions, Seal } from './messages.ts';
import { type FilesTold, Recorder } from './recorder.ts';
import type { Sandbox } from './sandbox.ts';

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
}

interface Source {
  stream: RecordedStream;
  readonly tap: StreamTap;
  readonly lanes: Map<MediaKind, number>;
}

const frameRate = 30;

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
          keeping.told.sealed(this.#durationMs, closing);
        },
        ...(keeping.told.files && { files: this.#watched(keeping.told.files) }),
        tooLarge: (streamId) => this.#leftOut(streamId),
        keyFrame: (streamId) => this.#sources.get(streamId)?.tap.requestKeyFrame(),
        ended: (durationMs, { bytes, sha256 }) => void this.#finish(durationMs, { sizeBytes: bytes, sha256 }),
        failed: (why) => void this.#abandon(why),
      },
      clock,
      parts.sandbox,
    );
    parts.journal.record('info', 'a recorder was started', {
      archiveId: order.archiveId,
      sessionId: order.sessionId,
      sandbox: parts.sandbox,
    });
    this.#tick();
  }

  add(stream: RecordedStream, tap: StreamTap): void {
    if (this.#stopped) {
      tap.close();
      return;
    }
    this.#resume();
    const source: Source = { stream, tap, lanes: new Map() };
    this.#sources.set(stream.streamId, source);
    this.#describe(stream);
    this.#arrange();
    // Where no picture is recorded, none is to be handed over.
    if (!this.#parts.order.hasVideo) tap.show(null);
    tap.start(this.#sink(source)).catch(() => this.remove(stream.streamId));
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
    if (this.#began && this.#recording) {
      this.#recorder.order({ type: 'advance', at: this.#parts.monotonic() + limits.archiveDelayMs });
    }
    this.#recorder.stop();
  }

  /** Whether time is recorded: somebody is there, or was within the delay. */
  get #recording(): boolean {
    return this.#emptySince === null || this.#parts.monotonic() - this.#emptySince < limits.archiveDelayMs;
  }

  #tick(): void {
    const { clock, monotonic } = this.#parts;
    if (this.#began && this.#recording) this.#recorder.order({ type: 'advance', at: monotonic() });
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
    if (!hasVideo || outputMode === 'individual') return;
    // A camera that is switched off keeps its place, as a tile with its name.
    const streams = [...this.#sources.values()].map(({ stream }) => ({ ...stream, hasVideo: true }));
    const placed: Placement[] = placeStreams({ width, height }, this.#layout, streams);
    for (const { stream, tap } of this.#sources.values()) {
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
        // Chosen without its sound: none of it reaches the recorder.
        if (kind === 'audio' && !source.stream.hasAudio) return;
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
    if (this.#parts.keeping.failure) this.#recorder.kill();
  }

  #watched(files: FilesTold): FilesTold {
    return {
      began: (file, facts) => this.#storing(() => files.began(file, facts)),
      part: (file, cipherText) => this.#storing(() => files.part(file, cipherText)),
      ended: (file, facts) => this.#storing(() => files.ended(file, facts)),
    };
  }

  /** @param clear the file as it is downloaded where it is sealed with a key of ours */
  async #finish(durationMs: number, clear: Facts): Promise<void> {
    const { keeping, observer } = this.#parts;
    let kept: Facts;
    // The store has whole milliseconds; a thirtieth of a second is none.
    this.#durationMs = Math.round(durationMs);
    this.#over();
    try {
      kept = await keeping.finish(clear);
    } catch (error) {
      await this.#keep('what was recorded could not be written', errorText(error));
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
        error: errorText(error),
      });
    }
  }

  async #abandon(why: string): Promise<void> {
    this.#over();
    await this.#keep('the recorder failed', why);
  }

  /** What there is of it is brought to an end with which it opens. @param reason constant words. @param error for the log */
  async #keep(reason: string, error: string): Promise<void> {
    const { keeping, observer, journal, order } = this.#parts;
    const { archiveId } = order;
    journal.record('error', 'a recorder failed', { archiveId, reason, error });
    const kept = await keeping.abandon().catch((thrown: unknown) => {
      journal.record('error', 'what a recording left could not be brought to an end', {
        archiveId,
        error: errorText(thrown),
      });
      return null;
    });
    observer.failed(reason, kept && this.#result(kept));
  }

  #over(): void {
    this.#stopped = true;
    this.#cancelTick();
    for (const { tap } of this.#sources.values()) tap.close();
    this.#sources.clear();
  }

  #result(facts: Facts): RecordingResult {
    return { ...facts, durationMs: this.#durationMs, password: this.#password };
  }
}

function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : 'unknown';
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
