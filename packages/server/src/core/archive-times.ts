/** How long archives last and are kept. OpenTok's times (compat 2.3), unless an operator sets others. */
import { limits } from '@cloister/protocol';

/** In milliseconds. */
export interface ArchiveTimes {
  /** Recorded time of one archive; an automatic one goes on in the next. */
  readonly recordedMs: number;
  /** The same with its pauses. */
  readonly wallMs: number;
  /** Nobody publishes for this long, then it stops. */
  readonly pausedMs: number;
  /** Nobody is in the session for this long, then it stops. */
  readonly leftMs: number;
  /** Somebody must publish within this time of the start. */
  readonly beginMs: number;
  /** From its end until it expires. */
  readonly keptMs: number;
  /** A download link is good for this long. */
  readonly linkMs: number;
}

export const openTokTimes: ArchiveTimes = {
  recordedMs: limits.archiveRecordedSeconds * 1000,
  wallMs: limits.archiveWallSeconds * 1000,
  pausedMs: limits.archivePausedSeconds * 1000,
  leftMs: limits.archiveLeftSeconds * 1000,
  beginMs: limits.archiveBeginSeconds * 1000,
  keptMs: limits.archiveKeptSeconds * 1000,
  linkMs: limits.archiveLinkSeconds * 1000,
};
