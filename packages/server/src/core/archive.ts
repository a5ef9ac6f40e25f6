/** An archive and the states it goes through (OpenTok; compat 2.3). */
import { PlatformError } from '@cloister/protocol';
import type { Archive, ArchiveStatus } from './entities.ts';

/** What each state may become. */
const edges: Readonly<Record<ArchiveStatus, readonly ArchiveStatus[]>> = {
  started: ['paused', 'stopped', 'failed'],
  paused: ['started', 'stopped', 'failed'],
  stopped: ['available', 'uploaded', 'failed'],
  available: ['expired', 'deleted'],
  uploaded: ['deleted'],
  // What was sealed before the failure is kept as long as an archive is.
  failed: ['expired', 'deleted'],
  expired: [],
  deleted: [],
};

/** Everything an archive may be. */
export const archiveStatuses = Object.keys(edges) as ArchiveStatus[];

/** Whether an archive is being recorded, though nobody may publish now. */
export function isRecording({ status }: Pick<Archive, 'status'>): boolean {
  return status === 'started' || status === 'paused';
}

export function mayBecome(from: ArchiveStatus, to: ArchiveStatus): boolean {
  return edges[from].includes(to);
}

type Change = Partial<Omit<Archive, 'id' | 'projectId' | 'sessionId' | 'status' | 'updatedAt'>>;

/**
 * The archive in its next state.
 * @param at milliseconds since 1970
 * @throws PlatformError `WrongState` that names the state it is in
 */
export function become(archive: Archive, status: ArchiveStatus, at: number, change: Change = {}): Archive {
  if (!mayBecome(archive.status, status))
    throw new PlatformError('WrongState', { why: `the archive is ${archive.status}` });
  return { ...archive, ...change, status, updatedAt: at };
}

/** Whether a text can be the id of an archive; any other is nobody's, and may be what neither a database nor a disk takes. */
export function isArchiveId(text: string): boolean {
  return /^[0-9a-f-]{36}$/.test(text);
}

/** What its file is called where it is stored or downloaded. */
export function fileNameOf({
  outputMode,
  certificate,
  recipients,
}: Pick<Archive, 'outputMode' | 'certificate' | 'recipients'>): string {
  if (outputMode === 'individual') return 'archive.zip';
  if (recipients.length > 0) return 'archive.cloister';
  return certificate === null ? 'archive.mp4' : 'archive.ts';
}
