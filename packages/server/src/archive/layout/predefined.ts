/** The layouts that have a name, each as a stylesheet of the same subset that custom layouts are written in. */
import type { PredefinedLayout } from '../../core/index.ts';
import type { Size } from './used-size.ts';

/** How many places a predefined layout has beside the large one, and what they look like. */
interface Predefined {
  /** The layout class of the stream that has the large place; undefined where all are alike. */
  readonly large?: 'focus' | 'full';
  readonly places: number;
  /** @param count of streams that have a place, which a grid depends on */
  readonly stylesheet: (count: number) => string;
}

const FULL_HD = 1920 * 1080;
const GRID_PLACES = 16;

/** Width and height of a tile, by the number of tiles up to which it has them. */
const GRID: readonly (readonly [number, number, number])[] = [
  [1, 100, 100],
  [2, 50, 100],
  [4, 50, 50],
  [9, 100 / 3, 100 / 3],
  [GRID_PLACES, 25, 25],
];

/** A share in percent, rounded down: the shares of a row stay within it. */
function percent(share: number): string {
  return `${Math.floor(share * 10_000) / 10_000}%`;
}

function grid(count: number): string {
  const [, width, height] = GRID.find(([most]) => count <= most) ?? (GRID.at(-1) as (typeof GRID)[number]);
  return `stream { float: left; width: ${percent(width)}; height: ${percent(height)} }`;
}

const PIP = `stream { position: absolute; right: 10%; top: 10%; width: 20%; height: 20%; z-index: 1 }
stream.full { right: 0; top: 0; width: 100%; height: 100%; z-index: 0 }`;

function vertical(places: number): string {
  return `stream { float: left; clear: left; width: 20%; height: ${percent(100 / places)} }
stream.focus { position: absolute; left: 20%; top: 0; width: 80%; height: 100% }`;
}

function horizontal(places: number): string {
  return `stream { float: left; position: relative; top: 80%; width: ${percent(100 / places)}; height: 20% }
stream.focus { position: absolute; left: 0; top: 0; width: 100%; height: 80% }`;
}

/** The small places of the two presentations on a canvas (compat section 7). */
function placesOn({ width, height }: Size): { vertical: number; horizontal: number } {
  const large = width * height >= FULL_HD;
  if (width >= height) return { vertical: large ? 7 : 5, horizontal: large ? 7 : 5 };
  return { vertical: large ? 10 : 8, horizontal: 3 };
}

/** A predefined layout on a canvas of this size. */
export function predefined(type: PredefinedLayout, canvas: Size): Predefined {
  const places = placesOn(canvas);
  switch (type) {
    case 'bestFit':
      return { places: GRID_PLACES, stylesheet: grid };
    case 'pip':
      return { large: 'full', places: 1, stylesheet: () => PIP };
    case 'verticalPresentation':
      return { large: 'focus', places: places.vertical, stylesheet: () => vertical(places.vertical) };
    case 'horizontalPresentation':
      return { large: 'focus', places: places.horizontal, stylesheet: () => horizontal(places.horizontal) };
  }
}
