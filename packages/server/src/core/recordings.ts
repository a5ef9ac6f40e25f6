/**
 * The ports through which `core` records a session and stores what was recorded. A recorder fills the first; nothing here
 * knows how it captures, composes, encodes or seals.
 */
import type { StorageTarget } from './entities.ts';
import type { Layout } from './layout.ts';
import type { StreamTap } from './media-plane.ts';

/** A stream as a recording has it. What it shows and how it sounds now, not what its publisher could send. */
export interface RecordedStream {
  readonly streamId: string;
  readonly connectionId: string;
  readonly connectionData: string;
  readonly name: string;
  readonly videoType: 'camera' | 'screen' | 'custom';
  readonly layoutClasses: readonly string[];
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  /** Whether its sound is to be recorded now: false while it is muted. */
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** What is to be recorded, and how. */
export interface RecordingOrder {
  readonly archiveId: string;
  readonly projectId: string;
  readonly sessionId: string;
  readonly name: string;
  readonly outputMode: 'composed' | 'individual';
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** Pixels; of no meaning where the tracks stay apart. */
  readonly width: number;
  readonly height: number;
  /** Of the picture; null: the recorder's own choice. Never both of these. */
  readonly maxBitrateBps: number | null;
  readonly quantizationParameter: number | null;
  readonly layout: Layout;
  /** PEM: OpenTok's sealed format; null: sealed with the project's data key. */
  readonly certificate: string | null;
}

/** What a recording left behind, sealed. */
export interface RecordingResult {
  /** Of what a download gives. */
  readonly sizeBytes: number;
  /** Whole milliseconds. */
  readonly durationMs: number;
  /** Of what a download gives: the file sealed to a certificate, otherwise the clear one; base64. */
  readonly sha256: string;
  /** base64 of the wrapped key; '' when it is not sealed to a certificate. */
  readonly password: string;
}

/** What a recorder tells of one recording. `ended` or `failed` comes once, and is the last. */
export interface RecordingObserver {
  /** The first sealed byte; milliseconds since 1970. */
  began(at: number): void;
  ended(result: RecordingResult): void;
  /** @param why constant words, without anything personal. @param kept what was sealed so far, if that opens */
  failed(why: string, kept: RecordingResult | null): void;
}

/** One recording that runs. A tap belongs to it from `add` on, also where it has been stopped already. */
export interface Recording {
  add(stream: RecordedStream, tap: StreamTap): void;
  change(stream: RecordedStream): void;
  remove(streamId: string): void;
  layout(layout: Layout): void;
  stop(): void;
}

export interface Recordings {
  /** @throws PlatformError `StylesheetInvalid`, `StylesheetTooLarge` */
  checkStylesheet(stylesheet: string): void;
  /** @throws PlatformError where nothing was begun; the observer is told nothing then. */
  start(order: RecordingOrder, observer: RecordingObserver): Promise<Recording>;
  /**
   * Brings what a former run of the server left of a recording to an end with which it opens.
   * @returns null where nothing is there that opens
   */
  recover(archiveId: string): Promise<RecordingResult | null>;
  /**
   * What was recorded, opened where it is sealed with the project's data key, otherwise as it is stored.
   * @param range first and last byte, both included
   * @returns the bytes, and the size of the whole
   */
  open(
    archiveId: string,
    range?: { start: number; end: number },
  ): Promise<{ stream: AsyncIterable<Uint8Array>; sizeBytes: number }>;
  /** Removes what was recorded, for good; nothing happens where nothing is there. */
  remove(archiveId: string): Promise<void>;
}

/** The way of a finished recording into a customer's storage. */
export interface Uploads {
  /** Sends the file as it is stored, under `name`. @throws PlatformError `DestinationRefused`, `DestinationFailed` */
  upload(archiveId: string, target: StorageTarget, name: string): Promise<void>;
}
