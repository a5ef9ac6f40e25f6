/** Which streams come first in a composed archive, and whose voices are in it (OpenTok's stream prioritization rules). */
import type { VideoType } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';

/** A stream as the layout rules see it. */
export interface LayoutStream {
  readonly streamId: string;
  readonly connectionId: string;
  readonly videoType: VideoType | null;
  readonly layoutClasses: readonly string[];
  /** Milliseconds since 1970 when it came into the archive. */
  readonly addedAt: number;
  /**
   * Whether the archive shows it. False: it was added without its video, or it has never had one. A camera that is only
   * off at the moment keeps its place, so that the others do not jump; what is drawn there is for the composer to say.
   */
  readonly hasVideo: boolean;
}

/** A stream as the mixer sees it. */
export interface VoiceStream {
  readonly streamId: string;
  readonly addedAt: number;
  /** Whether the archive takes its sound. One that is only muted at the moment keeps its turn: pass true. */
  readonly hasAudio: boolean;
}

/**
 * The streams in the order in which they get places, those without video left out. First those with a layout class,
 * then those without; in both: screens, cameras of those who share a screen, in the second also cameras of those who have a
 * stream among the first, then the others. Within each group by the time at which they came.
 */
export function inOrder(streams: readonly LayoutStream[]): LayoutStream[] {
  const shown = streams.filter((stream) => stream.hasVideo);
  const connectionsOf = (some: readonly LayoutStream[]) => new Set(some.map((stream) => stream.connectionId));
  const sharers = connectionsOf(shown.filter(isScreen));
  const owners = connectionsOf(shown.filter(hasClass));
  const rank = (stream: LayoutStream) => {
    const tier = hasClass(stream) ? 0 : 4;
    if (isScreen(stream)) return tier;
    if (stream.videoType === 'camera' && sharers.has(stream.connectionId)) return tier + 1;
    if (tier > 0 && stream.videoType === 'camera' && owners.has(stream.connectionId)) return tier + 2;
    return tier + 3;
  };
  return [...shown].sort((a, b) => rank(a) - rank(b) || a.addedAt - b.addedAt);
}

/** Whether a stream is a shared screen. */
export function isScreen(stream: LayoutStream): boolean {
  return stream.videoType === 'screen';
}

function hasClass(stream: LayoutStream): boolean {
  return stream.layoutClasses.length > 0;
}

/** The ids of the streams whose sound is mixed: the first `archiveVoices` that came, in that order. */
export function mixedVoices(streams: readonly VoiceStream[]): string[] {
  return streams
    .filter((stream) => stream.hasAudio)
    .sort((a, b) => a.addedAt - b.addedAt)
    .slice(0, limits.archiveVoices)
    .map((stream) => stream.streamId);
}
