/**
 * The ports through which `core` records a session and stores what was recorded. A recorder fills the first; nothing here
 * knows how it captures, composes, encodes or seals.
 */
import type { RecorderSandbox, Storage, StorageTarget } from './entities.ts';
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
  /** Whether the archive takes its sound: also while it is muted. */
  readonly takesAudio: boolean;
  /** Whether the archive takes its picture, and it has ever had one: also while it is off. */
  readonly takesVideo: boolean;
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
  /** PEM: OpenTok's sealed format. Null and no `recipients`: sealed with the project's data key. */
  readonly certificate: string | null;
  /** PEM: sealed to each of these in our own format. */
  readonly recipients: readonly string[];
}

/** What a recording left behind, sealed. */
export interface RecordingResult {
  /** Of what a download gives. */
  readonly sizeBytes: number;
  /** Whole milliseconds. */
  readonly durationMs: number;
  /** Of what a download gives: the file sealed to certificates, otherwise the clear one; base64. */
  readonly sha256: string;
  /** base64 of the wrapped key, in OpenTok's format; '' otherwise. */
  readonly password: string;
  /** False where OpenTok's format lacks its end, as after a power cut: it opens up to its last block. */
  readonly closed?: boolean;
}

/** What a former run of the server left of a recording. */
export interface FoundRecording extends RecordingResult {
  /** It had come to its own end: nothing of it is missing. */
  readonly whole: boolean;
}

/** What a recorder tells of one recording. `ended` or `failed` comes once, and is the last. */
export interface RecordingObserver {
  /** The first sealed byte; milliseconds since 1970. */
  began(at: number): void;
  /** The recorder does not keep up: packets are lost. Told with the first one, and before the end. @param packets in all */
  dropped(packets: number): void;
  ended(result: RecordingResult): void;
  /** @param why constant words, without anything personal. @param kept what was sealed so far, if that opens */
  failed(why: string, kept: RecordingResult | null): void;
}

/** One recording that runs. A tap belongs to it from `add` on, also where it has been stopped already. */
export interface Recording {
  readonly sandbox: RecorderSandbox;
  /** Resolves when its media is handed over, or it was removed. @throws PlatformError as the start of its tap; it is out then */
  add(stream: RecordedStream, tap: StreamTap): Promise<void>;
  change(stream: RecordedStream): void;
  remove(streamId: string): void;
  layout(layout: Layout): void;
  stop(): void;
}

export interface Recordings {
  /** @throws PlatformError `StylesheetInvalid`, `StylesheetTooLarge` */
  checkStylesheet(stylesheet: string): void;
  /**
   * @throws PlatformError where nothing was begun, of which nothing is left; the observer is told nothing then. `StorageFull` where
   *   the disk is
   */
  start(order: RecordingOrder, observer: RecordingObserver): Promise<Recording>;
  /**
   * Brings what a former run of the server left of a recording to an end with which it opens; what had one already is
   * compared with what was noted then, and left as it is.
   * @returns null where nothing is there that opens
   */
  recover(archiveId: string): Promise<FoundRecording | null>;
  /**
   * What was recorded, opened where it is sealed with the project's data key, otherwise as it is stored.
   * @param range first and last byte, both included
   * @returns the bytes, and the size of the whole
   */
  open(
    archiveId: string,
    range?: { start: number; end: number },
  ): Promise<{ stream: AsyncIterable<Uint8Array>; sizeBytes: number }>;
  /** How many bytes of what `open` gives are there and will not change, while it is recorded too. */
  settled(archiveId: string): Promise<number>;
  /** The ids of all of which anything is there, whatever it is. */
  stored(): Promise<string[]>;
  /** Removes what was recorded, for good; nothing happens where nothing is there. */
  remove(archiveId: string): Promise<void>;
}

/** Where one archive goes. */
export interface UploadOrder {
  readonly archiveId: string;
  readonly projectId: string;
  readonly target: StorageTarget;
  readonly fallback: Storage['fallback'];
  /** Its name in the bucket. */
  readonly name: string;
}

/** How an upload ended. `left`: the server stops, or the archive is not wanted any more; nothing is to be recorded. */
export type UploadEnd = 'uploaded' | 'left';

/** An upload that a former run began, of an archive that it recorded whole. */
export interface ResumedUpload {
  readonly result: RecordingResult;
  readonly fallback: Storage['fallback'];
  /** As `finish` has it. */
  readonly end: Promise<UploadEnd>;
}

/**
 * The way of archives into a customer's storage. Parts go up while an archive is recorded, as it is stored where it is sealed
 * to a certificate, otherwise opened; what has arrived is remembered over restarts.
 */
export interface Uploads {
  /** @throws PlatformError `UploadsWaiting` while too much waits for its upload already */
  requireRoom(): void;
  /** An archive is recorded from now on: it goes there, whatever storage its project has later. @throws what the disk says */
  begin(order: UploadOrder): Promise<void>;
  /** The recording is over and whole. @throws PlatformError `UploadFailed`, once nothing more is tried */
  finish(archiveId: string, result: RecordingResult): Promise<UploadEnd>;
  /**
   * @param whole what was recorded, where that is known from elsewhere: the run may have ended before it was remembered here
   * @returns null where nothing is to go on: there is no upload of it, or the archive was not whole
   */
  resume(archiveId: string, whole?: RecordingResult): Promise<ResumedUpload | null>;
  /** Nothing more goes up, and what did is taken away, if the storage lets us. Its files may go when this resolves. */
  abandon(archiveId: string): Promise<void>;
  /** Ends what is under way; all of it goes on after the next start. */
  stop(): void;
}
