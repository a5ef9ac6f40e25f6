/**
 * An individual recording as it happens: packets of many streams in, a file for each out, as they were sent. It has no clock:
 * packets come with the time at which they arrived, and `advance` says how far time has come; what is written was captured
 * `archiveDelayMs` ago, so that what was late is there and sound and picture of a stream are in step. What was muted, or lost,
 * is a gap.
 *
 * A file has the tracks that it began with. Where a stream gets another codec or one track more, its next file begins.
 */
import { limits, type MediaKind } from '@cloister/protocol';
import { Lane, type LaneTrack } from '../capture/lane.ts';
import { PublisherClock } from '../capture/publisher-clock.ts';
import { type PictureTrack, readKeyFrame } from './key-frame.ts';
import type { FileContainer, FileUnit } from './remuxer.ts';

/** A stream as it is now: what it shows and how it sounds. */
export interface SeparateStream {
  readonly streamId: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** A file of a stream that is being written. */
export interface SeparateFile {
  write(unit: FileUnit): void;
  /** Resolves when all that was written so far is on its way. @throws what the container failed with */
  drained(): Promise<void>;
  /** @param stopMs where its last unit ends, in milliseconds of the recording */
  close(stopMs: number): Promise<void>;
}

export interface FileTracks {
  readonly container: FileContainer;
  readonly picture: PictureTrack | null;
  readonly sound: boolean;
}

export interface SeparationOptions {
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** @param startMs where it begins, in milliseconds of the recording */
  readonly openFile: (streamId: string, startMs: number, tracks: FileTracks) => SeparateFile;
  readonly askKeyFrame: (streamId: string) => void;
  /** A stream's picture is larger than what is decoded, and its files have none; once each time that it begins. */
  readonly tooLarge: (streamId: string) => void;
}

/** A unit with its time in the recording. */
interface Timed extends FileUnit {
  readonly mimeType: string;
}

interface Open {
  readonly file: SeparateFile;
  /** Of its pictures; null without any. */
  readonly mimeType: string | null;
  readonly sound: boolean;
  readonly startMs: number;
  stopMs: number;
}

interface Source {
  stream: SeparateStream;
  readonly publisher: PublisherClock;
  readonly lanes: Map<MediaKind, Lane>;
  open: Open | null;
  /** Units of a file that is about to begin, and what is known of its pictures once there is one. */
  waiting: Timed[];
  picture: PictureTrack | null;
  tooLarge: boolean;
  askedAt: number;
}

const opusMs = 20;

export class Separation {
  readonly #options: SeparationOptions;
  readonly #sources = new Map<string, Source>();
  /** Files that are being closed, and what one of them failed with. */
  readonly #closing = new Set<Promise<void>>();
  #failure: unknown = null;
  #files = 0;
  /** Where the last file of each stream stopped: the next one does not begin before, whatever its packets claim. */
  readonly #stops = new Map<string, number>();
  /** When the recording begins, in the time of arrivals. */
  #origin: number | null = null;
  #until = 0;

  constructor(options: SeparationOptions) {
    this.#options = options;
  }

  /** Milliseconds recorded so far. */
  get durationMs(): number {
    return this.#origin === null ? 0 : Math.max(0, this.#until - this.#origin);
  }

  /** Later than anything that can have been captured by now; a publisher may claim any time. */
  get #now(): number {
    return this.#until + 2 * limits.archiveDelayMs;
  }

  add(stream: SeparateStream): void {
    const known = this.#sources.get(stream.streamId);
    if (known) known.stream = stream;
    else {
      const fresh = { open: null, waiting: [], picture: null, tooLarge: false, askedAt: 0 };
      this.#sources.set(stream.streamId, { stream, publisher: new PublisherClock(), lanes: new Map(), ...fresh });
    }
  }

  /** What is there of it is written, though it was not due yet. */
  remove(streamId: string): void {
    const source = this.#sources.get(streamId);
    if (!source) return;
    this.#sources.delete(streamId);
    this.#take(source, this.#now);
    if (source.waiting.length > 0) this.#begin(source);
    this.#end(source);
  }

  track(streamId: string, kind: MediaKind, track: LaneTrack): void {
    const source = this.#sources.get(streamId);
    if (!source) return;
    this.trackEnded(streamId, kind);
    const lane = Lane.of(kind, track, source.publisher);
    if (lane) source.lanes.set(kind, lane);
  }

  trackEnded(streamId: string, kind: MediaKind): void {
    const source = this.#sources.get(streamId);
    if (!source) return;
    this.#take(source, this.#now, kind);
    source.lanes.delete(kind);
  }

  /** @param at when it arrived, in milliseconds */
  packet(streamId: string, kind: MediaKind, bytes: Buffer, at: number): void {
    this.#sources.get(streamId)?.lanes.get(kind)?.packet(bytes, at);
  }

  senderReport(streamId: string, kind: MediaKind, ntpMs: number, rtpTimestamp: number): void {
    this.#sources.get(streamId)?.lanes.get(kind)?.senderReport(ntpMs, rtpTimestamp);
  }

  /** Writes all that is due at `now`, which ascends. */
  advance(now: number): void {
    this.#until = now - limits.archiveDelayMs;
    this.#origin ??= this.#until;
    for (const source of this.#sources.values()) {
      this.#take(source, this.#until);
      if (this.#mayBegin(source)) this.#begin(source);
      this.#askKeyFrame(source);
    }
  }

  /** Time that is not recorded: while nobody publishes. What comes next follows what came before. @param ms its length */
  skip(ms: number): void {
    if (this.#origin !== null) this.#origin += ms;
  }

  /** Resolves when all that was written so far is on its way. @throws what a file failed with */
  async drained(): Promise<void> {
    for (const { open } of this.#sources.values()) await open?.file.drained();
    await Promise.all(this.#closing);
    if (this.#failure) throw this.#failure;
  }

  /** Ends all files. @throws what one of them failed with */
  async close(): Promise<void> {
    for (const streamId of [...this.#sources.keys()]) this.remove(streamId);
    await Promise.all(this.#closing);
    if (this.#failure) throw this.#failure;
  }

  /** Takes out what is due, of one kind or both, and puts it where it belongs. */
  #take(source: Source, until: number, only?: MediaKind): void {
    const origin = this.#origin;
    if (origin === null) return;
    const due: Timed[] = [];
    for (const [kind, lane] of source.lanes) {
      if (only && kind !== only) continue;
      const { mimeType } = lane;
      for (const { time, data, key } of lane.take(until)) {
        if (this.#wanted(source, kind)) due.push({ kind, ms: Math.max(0, time - origin), data, key, mimeType });
      }
    }
    for (const unit of due.sort((a, b) => a.ms - b.ms)) this.#put(source, unit);
  }

  #wanted({ stream }: Source, kind: MediaKind): boolean {
    const { hasAudio, hasVideo } = this.#options;
    // What was under way when the picture was muted is not recorded.
    return kind === 'audio' ? hasAudio : hasVideo && stream.hasVideo;
  }

  #put(source: Source, unit: Timed): void {
    const open = source.open;
    if (open && fits(open, unit)) {
      open.file.write({ ...unit, ms: Math.max(0, unit.ms - open.startMs) });
      open.stopMs = Math.max(open.stopMs, unit.ms + (unit.kind === 'audio' ? opusMs : 0));
      return;
    }
    if (open) this.#end(source);
    if (unit.kind === 'video') {
      const first = source.waiting.find(({ kind }) => kind === 'video');
      if (first && first.mimeType !== unit.mimeType) {
        this.#begin(source);
        this.#put(source, unit);
        return;
      }
      // A file's first picture needs no other, and says how large it is.
      if (!first) source.picture = unit.key ? this.#read(source, unit) : null;
      if (!source.picture) return;
    }
    source.waiting.push(unit);
  }

  #read(source: Source, { mimeType, data }: Timed): PictureTrack | null {
    const picture = readKeyFrame(mimeType, data);
    const tooLarge = picture === 'too large';
    if (tooLarge && !source.tooLarge) this.#options.tooLarge(source.stream.streamId);
    source.tooLarge = tooLarge;
    return tooLarge ? null : picture;
  }

  /** A file begins with its first unit, once its other track is there too: its head says which it has, and how large pictures are. */
  #mayBegin(source: Source): boolean {
    const [first] = source.waiting;
    if (!first || this.#origin === null) return false;
    const picture = source.picture !== null || !this.#wanted(source, 'video');
    const sound = source.lanes.has('audio') || !this.#options.hasAudio || !source.stream.hasAudio;
    return (picture && sound) || this.#until - this.#origin - first.ms >= limits.archiveFileWaitMs;
  }

  #begin(source: Source): void {
    const { waiting, picture, lanes } = source;
    source.waiting = [];
    source.picture = null;
    const [first] = waiting;
    if (!first || this.#files >= limits.archiveFiles) return;
    this.#files += 1;
    const mimeType = waiting.find(({ kind }) => kind === 'video')?.mimeType ?? null;
    const container = mimeType === 'video/h264' ? 'matroska' : 'webm';
    const sound = this.#options.hasAudio && (lanes.has('audio') || waiting.some(({ kind }) => kind === 'audio'));
    const startMs = Math.max(Math.floor(first.ms), this.#stops.get(source.stream.streamId) ?? 0);
    const file = this.#options.openFile(source.stream.streamId, startMs, { container, picture, sound });
    source.open = { file, mimeType, sound, startMs, stopMs: startMs };
    for (const unit of waiting) this.#put(source, unit);
  }

  #end(source: Source): void {
    const { open } = source;
    source.open = null;
    if (!open) return;
    const stopMs = Math.round(open.stopMs);
    this.#stops.set(source.stream.streamId, stopMs);
    const closed = open.file
      .close(stopMs)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  /** A picture was lost, or a file cannot begin without one. */
  #askKeyFrame(source: Source): void {
    const lane = source.lanes.get('video');
    if (!lane || !this.#wanted(source, 'video')) return;
    const begins = !source.open?.mimeType && !source.picture;
    if (!(lane.needsKey || begins) || this.#until - source.askedAt < limits.archiveKeyFrameMs) return;
    source.askedAt = this.#until;
    this.#options.askKeyFrame(source.stream.streamId);
  }
}

function fits({ mimeType, sound }: Open, unit: Timed): boolean {
  return unit.kind === 'audio' ? sound : mimeType === unit.mimeType;
}
