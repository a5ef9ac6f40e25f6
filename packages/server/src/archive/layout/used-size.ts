/** Lengths of a style as pixels of a container, and the sizes that CSS makes of them (CSS 2.1, sections 10.3 to 10.7). */
import type { Length, Style } from './style.ts';

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A box without its place: its size and its margins, automatic margins as 0. */
export interface Sized extends Size {
  readonly marginTop: number;
  readonly marginRight: number;
  readonly marginBottom: number;
  readonly marginLeft: number;
}

/** Browsers count in sixty-fourths of a pixel and cut off what is smaller; whether three thirds fit depends on it. */
export const STEP = 1 / 64;

function cut(pixels: number): number {
  return Math.trunc(pixels / STEP) * STEP;
}

/** A length in pixels; `undefined` for auto and none. @param base what 100 % are */
export function pixels(length: Length | 'auto' | 'none', base: number): number | undefined {
  if (length === 'auto' || length === 'none') return undefined;
  return cut('px' in length ? length.px : (length.percent * base) / 100);
}

/** Between the least and the most, of which the least is the stronger; never negative. */
function between(value: number, least: number, most: number | undefined): number {
  return Math.max(least, Math.min(value, most ?? Number.POSITIVE_INFINITY), 0);
}

/** The used width. @param automatic what auto is here */
export function usedWidth(style: Style, { width }: Size, automatic: number): number {
  const wanted = pixels(style.width, width) ?? automatic;
  return between(wanted, pixels(style.minWidth, width) ?? 0, pixels(style.maxWidth, width));
}

/** The used height. @param automatic what auto is here; a stream has nothing in it, so mostly 0 */
export function usedHeight(style: Style, { height }: Size, automatic = 0): number {
  const wanted = pixels(style.height, height) ?? automatic;
  return between(wanted, pixels(style.minHeight, height) ?? 0, pixels(style.maxHeight, height));
}

/** All four margins; percentages of the upper and lower ones are of the width as well (CSS 2.1, section 8.3). */
export function margins(style: Style, { width }: Size): Omit<Sized, keyof Size> {
  return {
    marginTop: pixels(style.marginTop, width) ?? 0,
    marginRight: pixels(style.marginRight, width) ?? 0,
    marginBottom: pixels(style.marginBottom, width) ?? 0,
    marginLeft: pixels(style.marginLeft, width) ?? 0,
  };
}

/** A box that is as small as its content when it has no width: a float, or one in a line. Its content is nothing. */
export function shrunk(style: Style, container: Size): Sized {
  return { ...margins(style, container), width: usedWidth(style, container, 0), height: usedHeight(style, container) };
}

/** A block: as wide as the container leaves it; automatic margins share the rest. */
export function block(style: Style, container: Size): Sized {
  const { marginLeft, marginRight, ...upright } = margins(style, container);
  const automatic = Math.max(0, container.width - marginLeft - marginRight);
  const width = usedWidth(style, container, automatic);
  const rest = Math.max(0, container.width - width - marginLeft - marginRight);
  const autos = [style.marginLeft, style.marginRight].filter((margin) => margin === 'auto').length;
  const share = autos === 0 ? 0 : cut(rest / autos);
  return {
    ...upright,
    width,
    height: usedHeight(style, container),
    marginLeft: style.marginLeft === 'auto' ? share : marginLeft,
    marginRight: style.marginRight === 'auto' ? share : marginRight,
  };
}

/** One axis of an absolutely positioned box: begin and size. */
interface Span {
  readonly begin: number;
  readonly size: number;
}

interface Axis {
  readonly whole: number;
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly marginBefore: number | 'auto';
  readonly marginAfter: number | 'auto';
  /** Where the box would be if it were not positioned. */
  readonly still: number;
  /** Whether a box that is too large sticks out at its end only, as from left to right it does. */
  readonly keepsBegin: boolean;
  readonly sizeFor: (automatic: number) => number;
}

/** CSS 2.1, sections 10.3.7 and 10.6.4. */
function span({ whole, before, after, marginBefore, marginAfter, still, keepsBegin, sizeFor }: Axis): Span {
  const fixedBefore = marginBefore === 'auto' ? 0 : marginBefore;
  const fixedAfter = marginAfter === 'auto' ? 0 : marginAfter;
  if (before === undefined || after === undefined) {
    const size = sizeFor(0);
    if (before === undefined && after !== undefined) return { begin: whole - after - fixedAfter - size, size };
    return { begin: (before ?? still) + fixedBefore, size };
  }
  // Edges that pass each other leave nothing, not less (CSS Positioned Layout 3, section 4.1).
  const free = Math.max(0, whole - before - after) - fixedBefore - fixedAfter;
  const size = sizeFor(Math.max(0, free));
  const rest = free - size;
  if (marginBefore !== 'auto') return { begin: before + marginBefore, size };
  if (marginAfter !== 'auto') return { begin: before + rest, size };
  return { begin: before + (keepsBegin && rest < 0 ? 0 : cut(rest / 2)), size };
}

/** An absolutely positioned box. @param still where it would be if it were not positioned */
export function absolute(style: Style, container: Size, still: { x: number; y: number }) {
  const { width, height } = container;
  const across = span({
    whole: width,
    before: pixels(style.left, width),
    after: pixels(style.right, width),
    marginBefore: pixels(style.marginLeft, width) ?? 'auto',
    marginAfter: pixels(style.marginRight, width) ?? 'auto',
    still: still.x,
    keepsBegin: true,
    sizeFor: (automatic) => usedWidth(style, container, automatic),
  });
  const down = span({
    whole: height,
    before: pixels(style.top, height),
    after: pixels(style.bottom, height),
    marginBefore: pixels(style.marginTop, width) ?? 'auto',
    marginAfter: pixels(style.marginBottom, width) ?? 'auto',
    still: still.y,
    keepsBegin: false,
    sizeFor: (automatic) => usedHeight(style, container, automatic),
  });
  return { x: across.begin, y: down.begin, width: across.size, height: down.size };
}

/** How far a relatively positioned box is moved: left and top are the stronger (CSS 2.1, section 9.4.3). */
export function moved(style: Style, { width, height }: Size): { x: number; y: number } {
  if (style.position !== 'relative') return { x: 0, y: 0 };
  return {
    x: pixels(style.left, width) ?? -(pixels(style.right, width) ?? 0),
    y: pixels(style.top, height) ?? -(pixels(style.bottom, height) ?? 0),
  };
}
