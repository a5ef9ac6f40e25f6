/** How what a recorder seals is kept: in one file, or in one for each stream. */
import type { RecordedStream } from '../../core/index.ts';
import type { Made } from '../record/messages.ts';
import type { RecorderTold } from '../record/recorder.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { IndividualFiles } from './individual-files.ts';
import type { OpenedDigest } from './opened-digest.ts';
import type { WriteOrder } from './write-order.ts';

/** Of what a download gives; `sha256` in base64. */
export interface Facts {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Keeping {
  /** Where cipher text goes. */
  readonly told: Pick<RecorderTold, 'cipherText' | 'sealed' | 'files'>;
  readonly writes: Pick<WriteOrder, 'failure' | 'waiting' | 'settled' | 'giveUp'>;
  /** Bytes of a download that are there and stay as they are, while it is recorded; null where reading it tells. */
  readonly settled: number | null;
  /** A stream as it is now. */
  describe(stream: RecordedStream): void;
  /** The recorder is ready. @param password of OpenTok's format, otherwise empty */
  keyWrapped(password: string): void;
  /** Recording began. @param at in milliseconds since 1970 */
  began(at: number): void;
  /**
   * All is on the disk.
   * @param made what the recorder says that it made; what is returned was computed here
   * @returns null where that is not what was stored
   * @throws what a write failed with
   */
  finish(made: Made): Promise<Facts | null>;
  /**
   * The recorder is gone, or `finish` did not end well: what is there is brought to an end.
   * @returns null when there is nothing to open
   */
  abandon(): Promise<Facts | null>;
}

/**
 * @param opened of one that is sealed with the project's data key: what is stored is opened as it is written; null where a
 *   download is what is stored
 * @param measure reads a download to its end
 */
export function keepComposed(
  file: ArchiveFile,
  opened: OpenedDigest | null,
  measure: () => Promise<Facts | null>,
): Keeping {
  return {
    told: {
      cipherText(bytes) {
        file.append(bytes);
        if (opened) file.writes.add(() => opened.take(bytes));
      },
      sealed: (durationMs, closing) => file.mark(durationMs, closing),
    },
    writes: file.writes,
    get settled() {
      return opened ? null : file.settled;
    },
    describe: () => {},
    keyWrapped: (password) => file.keyWrapped(password),
    began: () => {},
    async finish(made) {
      const stored = { sizeBytes: file.size, sha256: await file.finish() };
      if (!same(stored, made.stored)) return null;
      const clear = opened ? await opened.end() : stored;
      return !opened || (clear && same(clear, made.clear)) ? clear : null;
    },
    async abandon() {
      const there = await file.abandon();
      await opened?.end();
      return there && opened ? measure() : there;
    },
  };
}

function same(found: Facts, told: Made['stored']): boolean {
  return found.sizeBytes === told.bytes && found.sha256 === told.sha256;
}

/** @param settle measures what was not ended, and ends the whole. @param measure reads a download to its end */
export function keepIndividual(
  files: IndividualFiles,
  settle: () => Promise<unknown>,
  measure: () => Promise<Facts | null>,
): Keeping {
  return {
    told: { cipherText: () => {}, sealed: (durationMs) => files.mark(durationMs), files },
    writes: files.writes,
    // What stands before its members is known at the end.
    settled: 0,
    describe: (stream) => files.describe(stream),
    keyWrapped: () => {},
    began: (at) => files.recordingBegan(at),
    async finish() {
      await files.finish();
      await settle();
      // The sizes and sums of its members stand before them: nobody knows the digest of the whole earlier.
      return (await measure()) ?? { sizeBytes: 0, sha256: '' };
    },
    async abandon() {
      if (!(await files.abandon())) return null;
      // A disk that is full takes no new index; what there is opens with the old one, and is measured each time.
      await settle().catch(() => {});
      return measure();
    },
  };
}
