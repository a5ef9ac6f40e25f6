/** How the pictures of a composed archive or broadcast are arranged: what a caller may ask for. */
import { PlatformError } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';

/** The layouts that need no stylesheet. */
export const predefinedLayouts = ['bestFit', 'pip', 'verticalPresentation', 'horizontalPresentation'] as const;

export type PredefinedLayout = (typeof predefinedLayouts)[number];

/** A layout that was checked. With `screenshareType`, that one holds for as long as a screen is shared. */
export type Layout =
  | { readonly type: PredefinedLayout }
  | { readonly type: 'bestFit'; readonly screenshareType: PredefinedLayout }
  | { readonly type: 'custom'; readonly stylesheet: string };

/** The layout of an archive that was started without one (OpenTok's default). */
export const defaultLayout: Layout = { type: 'bestFit' };

function invalid(why: string): PlatformError {
  return new PlatformError('LayoutInvalid', { why });
}

function isPredefined(value: unknown): value is PredefinedLayout {
  return (predefinedLayouts as readonly unknown[]).includes(value);
}

/**
 * Reads the `layout` of a request (OpenTok's REST API: archive and broadcast, at the start and later). A property that
 * is null counts as absent, and so does every property that OpenTok does not have. `screenshareType` alone means bestFit.
 * @param value `{type, stylesheet?, screenshareType?}`, as it came out of JSON
 * @param checkStylesheet refuses a stylesheet by throwing; it is called with at most `stylesheetBytes`
 * @throws LayoutInvalid, StylesheetTooLarge, and what `checkStylesheet` throws
 */
export function checkLayout(value: unknown, checkStylesheet: (stylesheet: string) => void): Layout {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is not an object');
  const { type: named, stylesheet, screenshareType } = value as Record<string, unknown>;
  const type = named ?? (screenshareType == null ? undefined : 'bestFit');
  if (type === 'custom') {
    if (screenshareType != null) throw invalid('screenshareType goes with the type bestFit only');
    return { type, stylesheet: checkedStylesheet(stylesheet, checkStylesheet) };
  }
  if (type === undefined) throw invalid('it has no type');
  if (!isPredefined(type)) throw invalid(`type must be one of ${predefinedLayouts.join(', ')}, custom`);
  if (stylesheet != null) throw invalid('stylesheet goes with the type custom only');
  if (screenshareType == null) return { type };
  if (type !== 'bestFit') throw invalid('screenshareType goes with the type bestFit only');
  if (!isPredefined(screenshareType)) throw invalid(`screenshareType must be one of ${predefinedLayouts.join(', ')}`);
  return { type, screenshareType };
}

function checkedStylesheet(stylesheet: unknown, check: (stylesheet: string) => void): string {
  if (typeof stylesheet !== 'string' || stylesheet.trim() === '') throw invalid('the type custom needs a stylesheet');
  requireShortStylesheet(stylesheet);
  check(stylesheet);
  return stylesheet;
}

/** @throws StylesheetTooLarge past `stylesheetBytes` of UTF-8 */
export function requireShortStylesheet(stylesheet: string): void {
  const limit = limits.stylesheetBytes;
  // A character has one byte at least: what is far too long is not even measured.
  if (stylesheet.length > limit || Buffer.byteLength(stylesheet) > limit) {
    throw new PlatformError('StylesheetTooLarge', { limit, unit: 'bytes' });
  }
}
