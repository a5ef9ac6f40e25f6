/** Where each stream is in the picture of a composed archive or broadcast: OpenTok's layouts, as a pure function. */
import { limits } from '@cloister/protocol/limits';
import type { Layout, PredefinedLayout } from '../../core/index.ts';
import { type Box, placeBoxes } from './boxes.ts';
import { predefined } from './predefined.ts';
import { inOrder, isScreen, type LayoutStream } from './priority.ts';
import type { Style } from './style.ts';
import { parseStylesheet, stylesOf } from './stylesheet.ts';
import type { Size } from './used-size.ts';

/** Whole, even pixels of the canvas. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A stream's place. x, y, width and height are what is seen of it within the canvas. */
export interface Placement extends Rectangle {
  readonly streamId: string;
  /** What has the larger one covers what has the smaller one; between equals the later in the list covers the earlier. */
  readonly zIndex: number;
  /** Letterboxed into `whole`, or filling it and cut. */
  readonly fit: 'contain' | 'cover';
  /** The box that the picture is fitted into. It is larger than what is seen where it sticks out of the canvas. */
  readonly whole: Rectangle;
}

/** What a stylesheet is applied to: the streams in the order of the virtual DOM, with the classes that count. */
interface Scene {
  readonly stylesheet: string;
  readonly cast: readonly Pick<LayoutStream, 'streamId' | 'layoutClasses'>[];
}

/**
 * Places the streams of an archive. Called anew whenever one comes or goes, changes its classes, or the layout changes.
 * @param canvas size of the picture in pixels, even in both directions
 * @param layout that was checked
 * @param streams all that are in the archive, in any order
 * @returns at most `archivePictures` places, what is painted first at the front; streams without a visible place are left out
 * @throws StylesheetInvalid, StylesheetTooLarge for a stylesheet that was never checked
 */
export function placeStreams(canvas: Size, layout: Layout, streams: readonly LayoutStream[]): Placement[] {
  const { stylesheet, cast } = sceneOf(canvas, layout, inOrder(streams));
  const styles = stylesOf(parseStylesheet(stylesheet), cast);
  const boxes = placeBoxes(canvas, styles);
  const painted = styles
    .map((style, index) => ({ index, depth: depthOf(style), style }))
    .sort((a, b) => zIndexOf(a.style) - zIndexOf(b.style) || a.depth - b.depth || a.index - b.index);
  return painted.flatMap(({ index, style }) => {
    const whole = evenly(boxes[index] as Box);
    const seen = clipped(whole, canvas);
    if (seen.width <= 0 || seen.height <= 0) return [];
    const { streamId } = cast[index] as Scene['cast'][number];
    return [{ streamId, ...seen, zIndex: zIndexOf(style), fit: style.objectFit, whole }];
  });
}

function sceneOf(canvas: Size, layout: Layout, ordered: readonly LayoutStream[]): Scene {
  if (layout.type === 'custom') {
    return { stylesheet: layout.stylesheet, cast: ordered.slice(0, limits.archivePictures) };
  }
  const screens = ordered.filter(isScreen);
  if ('screenshareType' in layout && screens.length > 0) {
    // Only screens are shown by bestFit; by the others the first screen has the large place, whatever the classes say.
    if (layout.screenshareType === 'bestFit') return gridOf(canvas, screens);
    return presented(canvas, layout.screenshareType, ordered, screens[0]);
  }
  return layout.type === 'bestFit' ? gridOf(canvas, ordered) : presented(canvas, layout.type, ordered);
}

function gridOf(canvas: Size, ordered: readonly LayoutStream[]): Scene {
  const { places, stylesheet } = predefined('bestFit', canvas);
  const cast = ordered.slice(0, places).map(({ streamId }) => ({ streamId, layoutClasses: [] }));
  return { stylesheet: stylesheet(cast.length), cast };
}

/** One stream has the large place: the chosen one, else the first with the class, else the first of all. */
function presented(
  canvas: Size,
  type: Exclude<PredefinedLayout, 'bestFit'>,
  ordered: readonly LayoutStream[],
  chosen?: LayoutStream,
): Scene {
  const { large = '', places, stylesheet } = predefined(type, canvas);
  const wants = (stream: LayoutStream) => stream.layoutClasses.includes(large);
  const first = chosen ?? ordered.find(wants) ?? ordered[0];
  const others = ordered.filter((stream) => stream !== first);
  // OpenTok gives the corner to the first stream without the class.
  if (type === 'pip' && !chosen) others.sort((a, b) => Number(wants(a)) - Number(wants(b)));
  const small = others.slice(0, places).map(({ streamId }) => ({ streamId, layoutClasses: [] }));
  const cast = first ? [{ streamId: first.streamId, layoutClasses: [large] }, ...small] : [];
  return { stylesheet: stylesheet(cast.length), cast };
}

/** CSS 2.1, appendix E: blocks lie under floats, floats under what is in lines, and all under positioned boxes. */
function depthOf({ position, float, display }: Style): number {
  if (position !== 'static') return 3;
  if (float !== 'none') return 1;
  return display === 'block' ? 0 : 2;
}

/** z-index counts for positioned boxes only (CSS 2.1, section 9.9.1). */
function zIndexOf({ position, zIndex }: Style): number {
  return position === 'static' || zIndex === 'auto' ? 0 : zIndex;
}

/** Edges, not sizes, go to the nearest even pixel: boxes that touched touch still. Video has its colour in pairs of pixels. */
function evenly({ x, y, width, height }: Box): Rectangle {
  const even = (edge: number) => 2 * Math.round(edge / 2);
  return rectangle(even(x), even(y), even(x + width), even(y + height));
}

function clipped({ x, y, width, height }: Rectangle, canvas: Size): Rectangle {
  const right = Math.min(x + width, canvas.width);
  const bottom = Math.min(y + height, canvas.height);
  return rectangle(Math.max(0, x), Math.max(0, y), right, bottom);
}

function rectangle(left: number, top: number, right: number, bottom: number): Rectangle {
  // Adding 0 makes 0 of what was rounded to -0.
  return { x: left + 0, y: top + 0, width: right - left, height: bottom - top };
}
