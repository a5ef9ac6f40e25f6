/** What the start of an archive may ask for (OpenTok; compat 2.1). */
import { limits, PlatformError } from '@cloister/protocol';
import { checkLayout, defaultLayout, type Layout } from './layout.ts';
import { archiveResolutions } from './session.ts';

/** As it came; words are checked here, since the rules are ours and not the wire's. */
export interface ArchiveWish {
  readonly sessionId: string;
  readonly name?: string;
  readonly hasAudio?: boolean;
  readonly hasVideo?: boolean;
  readonly outputMode?: string;
  /** As it came out of JSON. */
  readonly layout?: unknown;
  readonly resolution?: string;
  readonly streamMode?: string;
  readonly multiArchiveTag?: string;
  readonly maxBitrate?: number;
  readonly quantizationParameter?: number;
}

/** The same, checked and whole. */
export interface ArchivePlan {
  readonly name: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly outputMode: 'composed' | 'individual';
  readonly layout: Layout;
  /** null where the tracks stay apart. */
  readonly resolution: string | null;
  readonly streamMode: 'auto' | 'manual';
  readonly multiArchiveTag: string | null;
  readonly maxBitrate: number | null;
  readonly quantizationParameter: number | null;
}

/**
 * @param checkStylesheet refuses the CSS of a custom layout by throwing
 * @throws PlatformError `BadRequest`, `LayoutInvalid`, `StylesheetTooLarge`, and what `checkStylesheet` throws
 */
export function planArchive(wish: ArchiveWish, checkStylesheet: (stylesheet: string) => void): ArchivePlan {
  const outputMode = oneOf('outputMode', wish.outputMode, ['composed', 'individual']);
  const streamMode = oneOf('streamMode', wish.streamMode, ['auto', 'manual']);
  const { hasAudio = true, hasVideo = true } = wish;
  if (!hasAudio && !hasVideo) throw bad('hasAudio and hasVideo cannot both be false');
  if (outputMode === 'individual') {
    const wrong = (['layout', 'resolution', 'maxBitrate', 'quantizationParameter'] as const).find(
      (each) => wish[each] !== undefined,
    );
    if (wrong) throw bad(`${wrong} needs the outputMode composed`);
  }
  const { maxBitrate = null, quantizationParameter = null } = wish;
  if (maxBitrate !== null && quantizationParameter !== null) {
    throw bad('maxBitrate and quantizationParameter exclude each other');
  }
  between('maxBitrate', maxBitrate, limits.archiveBitrateBpsMin, limits.archiveBitrateBpsMax);
  between('quantizationParameter', quantizationParameter, limits.archiveQuantizationMin, limits.archiveQuantizationMax);
  const layout = wish.layout === undefined ? defaultLayout : checkLayout(wish.layout, checkStylesheet);
  return {
    name: short('name', wish.name ?? ''),
    hasAudio,
    hasVideo,
    outputMode,
    layout,
    resolution: outputMode === 'individual' ? null : oneOf('resolution', wish.resolution, archiveResolutions),
    streamMode,
    multiArchiveTag: short('multiArchiveTag', wish.multiArchiveTag ?? '') || null,
    maxBitrate,
    quantizationParameter,
  };
}

/** The first of the words is the usual one. */
function oneOf<Word extends string>(name: string, value: string | undefined, words: readonly [Word, ...Word[]]): Word {
  if (value === undefined) return words[0];
  const word = words.find((each) => each === value);
  if (!word) throw bad(`${name} must be one of ${words.join(', ')}`);
  return word;
}

function between(name: string, value: number | null, min: number, max: number): void {
  if (value === null || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw bad(`${name} must be a whole number from ${min} to ${max}`);
}

function short(name: string, text: string): string {
  if (text.length > limits.archiveTextChars) throw bad(`${name} is longer than ${limits.archiveTextChars} characters`);
  return text;
}

function bad(why: string): PlatformError {
  return new PlatformError('BadRequest', { why });
}
