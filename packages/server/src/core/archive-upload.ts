/** How the upload of an archive ends for the archive itself. */
import { asPlatformError } from '@cloister/protocol';
import type { Archive, Storage } from './entities.ts';
import type { Foundation } from './foundation.ts';
import type { UploadEnd } from './recordings.ts';

/** What an archive becomes when its upload is over, and why, where it did not go as it should. */
export interface UploadOutcome {
  readonly status: 'uploaded' | 'available' | 'failed';
  readonly change: Pick<Archive, 'reason'> | Record<never, never>;
}

/** @returns null where nothing is to be recorded: the next start goes on, or the archive is not wanted any more */
export async function uploadOutcome(
  { journal }: Foundation,
  { id, projectId }: Archive,
  fallback: Storage['fallback'],
  upload: Promise<UploadEnd>,
): Promise<UploadOutcome | null> {
  try {
    return (await upload) === 'left' ? null : { status: 'uploaded', change: {} };
  } catch (thrown) {
    const { code, details } = asPlatformError(thrown);
    const why = String(details.why ?? code);
    journal.record('error', 'an archive could not be uploaded', { projectId, archiveId: id, code, why });
    const reason = `the upload failed: ${why}`;
    return { status: fallback === 'opentok' ? 'available' : 'failed', change: { reason } };
  }
}
