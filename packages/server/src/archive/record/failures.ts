/** What a recording can fail of. */
import { PlatformError } from '@cloister/protocol';

/** The reason of its archive, by cause: constant words, which customers read. */
export const failureReasons = {
  /** Its process ended, and nobody knows why. */
  recorder: 'the recorder failed',
  start: 'the recorder could not be started',
  silent: 'the recorder did not answer',
  endless: 'the recorder did not end in time',
  report: 'the recorder said what no recorder says',
  memory: 'the recorder needed too much memory',
  media: 'the recording could not be encoded',
  seal: 'the recording could not be sealed',
  diskFull: 'the disk of the server is full',
  disk: 'the recording could not be written to the disk',
  slow: 'the disk of the server is too slow',
  mismatch: 'what was stored is not what the recorder sealed',
} as const;

export type FailureCause = keyof typeof failureReasons;

/** What a recorder may say that it failed of; all else its server knows better. */
export const ownCauses = ['recorder', 'memory', 'media', 'seal'] as const satisfies readonly FailureCause[];

/** Too much waited for the disk for too long. */
export class TooSlow extends Error {}

/** The code of an error of the disk, such as `ENOSPC`; otherwise its message. */
export function diskWords(error: unknown): string {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  return String(code ?? message ?? 'unknown');
}

/** Whether a disk has no room, or none for this user. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(diskWords(error));
}

/** Why what was recorded could not be kept. */
export function diskCause(error: unknown): FailureCause {
  if (error instanceof TooSlow) return 'slow';
  if (error instanceof PlatformError) return error.code === 'FrameInvalid' ? 'report' : 'mismatch';
  return isDiskFull(error) ? 'diskFull' : 'disk';
}
