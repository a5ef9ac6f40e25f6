/** How what a recorder seals is kept: in one file, or in one for each stream. */
import type { RecordedStream } from '../core/index.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { IndividualFiles } from './individual-files.ts';
import type { RecorderTold } from './recorder.ts';

/** Of what a download gives; `sha256` in base64. */
export interface Facts {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Keeping {
  /** Where cipher text goes. */
  readonly told: Pick<RecorderTold, 'cipherText' | 'sealed' | 'files'>;
  /** What a write failed with; nothing is written after it. */
  readonly failure: unknown;
  /** Bytes of a download that are there and stay as they are, while it is recorded; null where reading it tells. */
  readonly settled: number | null;
  /** A stream as it is now. */
  describe(stream: RecordedStream): void;
  /** The recorder is ready. @param password of OpenTok's format, otherwise empty */
  keyWrapped(password: string): void;
  /** Recording began. @param at in milliseconds since 1970 */
  began(at: number): void;
  /** All is on the disk. @param clear what the recorder says of the clear file. @throws what a write failed with */
  finish(clear: Facts): Promise<Facts>;
  /** The recorder is gone: what is there is brought to an end. @returns null when there is nothing to open */
  abandon(): Promise<Facts | null>;
}

/** @param measure reads a download to its end */
export function keepComposed(file: ArchiveFile, toCertificate: boolean, measure: () => Promise<Facts | null>): Keeping {
  return {
    told: {
      cipherText: (bytes) => file.append(bytes),
      sealed: (durationMs, closing) => file.mark(durationMs, closing),
    },
    get failure() {
      return file.failure;
    },
    get settled() {
      return toCertificate ? file.settled : null;
    },
    describe: () => {},
    keyWrapped: (password) => file.keyWrapped(password),
    began: () => {},
    async finish(clear) {
      const sha256 = await file.finish();
      return toCertificate ? { sizeBytes: file.size, sha256 } : clear;
    },
    async abandon() {
      const there = await file.abandon();
      return there && !toCertificate ? measure() : there;
    },
  };
}

/** @param settle measures what was not ended, and ends the whole. @param measure reads a download to its end */
export function keepIndividual(
  files: IndividualFiles,
  settle: () => Promise<unknown>,
  measure: () => Promise<Facts | null>,
): Keeping {
  return {
    told: { cipherText: () => {}, sealed: (durationMs) => files.mark(durationMs), files },
    get failure() {
      return files.failure;
    },
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
