/**
 * Where each tile goes: the whole area is covered, gaps aside. Cameras fill their cell and lose a part of their edges;
 * a screen is never cropped, so its cell comes as near to its own shape as the area allows.
 */

export interface Item {
  readonly key: string;
  /** Width divided by height of the picture. */
  readonly aspect: number;
  /** Cameras may be cropped, screens may not. */
  readonly kind: 'camera' | 'screen';
}

/** A place in CSS pixels from the top left corner of the area. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Share of the area that screens take at least and at most along the longer side. */
const SCREEN_SHARE = { wide: [0.55, 0.8], tall: [0.4, 0.7] } as const;

/** How much unequal cells count against a grid, beside what is cropped: 0 is not at all. */
const EVENNESS = 0.25;

/**
 * The places of `items`, in their order, in an area of `area.width` × `area.height` CSS pixels with `gap` pixels between
 * neighbours. An area or a list without extent gives no places.
 */
export function layout(area: { width: number; height: number }, items: readonly Item[], gap: number): Map<string, Box> {
  const whole: Box = { left: 0, top: 0, width: Math.floor(area.width), height: Math.floor(area.height) };
  if (whole.width <= 0 || whole.height <= 0) return new Map();
  const screens = items.filter((item) => item.kind === 'screen');
  const cameras = items.filter((item) => item.kind === 'camera');
  const [main, rest] = screens.length > 0 && cameras.length > 0 ? split(whole, screens, gap) : [whole, whole];
  return new Map([...grid(main, screens, gap), ...grid(rest, cameras, gap)]);
}

/** Cuts the area in two along its longer side: for the screens and for everybody else. */
function split(area: Box, screens: readonly Item[], gap: number): [Box, Box] {
  const aspect = (screens[0] as Item).aspect;
  if (area.width >= area.height) {
    const width = share(area.height * aspect * screens.length, area.width, SCREEN_SHARE.wide);
    return [
      { ...area, width },
      { ...area, left: area.left + width + gap, width: area.width - width - gap },
    ];
  }
  const height = share((area.width / aspect) * screens.length, area.height, SCREEN_SHARE.tall);
  return [
    { ...area, height },
    { ...area, top: area.top + height + gap, height: area.height - height - gap },
  ];
}

function share(wanted: number, whole: number, [least, most]: readonly [number, number]): number {
  return Math.round(Math.min(whole * most, Math.max(whole * least, wanted)));
}

/** The grid of lines, along or across, that shows most of every picture. */
function grid(area: Box, items: readonly Item[], gap: number): [string, Box][] {
  let best: { boxes: Box[]; score: number } | undefined;
  for (let lines = 1; lines <= items.length; lines++) {
    for (const turned of [false, true]) {
      const boxes = cells(area, perLine(items.length, lines), gap, turned);
      const score = scoreOf(boxes, items);
      if (!best || score > best.score + 1e-9) best = { boxes, score };
    }
  }
  return items.map((item, index) => [item.key, best?.boxes[index] as Box]);
}

/** `count` items on `lines` lines; where it does not come out even the last lines take one more, so the first are larger. */
function perLine(count: number, lines: number): number[] {
  const least = Math.floor(count / lines);
  return Array.from({ length: lines }, (_, line) => (line < lines - (count % lines) ? least : least + 1));
}

function cells(area: Box, counts: readonly number[], gap: number, turned: boolean): Box[] {
  const rows = edges(turned ? area.width : area.height, counts.length, gap);
  return counts.flatMap((count, line) => {
    const row = rows[line] as Edge;
    return edges(turned ? area.height : area.width, count, gap).map(
      (column): Box =>
        turned
          ? { left: area.left + row.at, width: row.size, top: area.top + column.at, height: column.size }
          : { left: area.left + column.at, width: column.size, top: area.top + row.at, height: row.size },
    );
  });
}

interface Edge {
  readonly at: number;
  readonly size: number;
}

/** A length cut into `count` parts on whole pixels, so that no seam shows. */
function edges(length: number, count: number, gap: number): Edge[] {
  const step = (length + gap) / count;
  return Array.from({ length: count }, (_, index) => {
    const at = Math.round(index * step);
    return { at, size: Math.max(0, Math.round((index + 1) * step) - gap - at) };
  });
}

/** Part of the pictures that is seen (geometric mean), less for cells of unequal size. */
function scoreOf(boxes: readonly Box[], items: readonly Item[]): number {
  let seen = 0;
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  for (const [index, box] of boxes.entries()) {
    if (box.width <= 0 || box.height <= 0) return 0;
    const ratio = box.width / box.height / (items[index] as Item).aspect;
    seen += Math.log(Math.min(ratio, 1 / ratio));
    smallest = Math.min(smallest, box.width * box.height);
    largest = Math.max(largest, box.width * box.height);
  }
  return Math.exp(seen / boxes.length) * (smallest / largest) ** EVENNESS;
}
