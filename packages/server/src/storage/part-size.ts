/** How an archive is cut into parts, and how long a try waits for the next. */
import { limits } from '@cloister/protocol';

const step = 1024 * 1024;

/** Bytes of each part but the last. @param sizeBytes of the whole, as far as it is known; all of an upload are the same */
export function partBytesFor(sizeBytes: number): number {
  const least = Math.ceil(sizeBytes / limits.uploadParts);
  return Math.max(limits.uploadPartBytes, Math.ceil(least / step) * step);
}

/** Whether an archive of this size has too many parts of this one. */
export function isTooFine(sizeBytes: number, partBytes: number): boolean {
  return Math.ceil(sizeBytes / partBytes) > limits.uploadParts;
}

/** Seconds to wait after so many failures in a row. */
export function waitAfter(failures: number): number {
  return Math.min(limits.uploadFirstWaitSeconds * 2 ** (failures - 1), limits.uploadWaitSecondsMax);
}
