/**
 * Where the streams of a custom layout come: the visual formatting of CSS 2.1 (chapters 8 to 10) for one container of fixed
 * size with boxes that have nothing in them. Lines have no letters, so they are as high as the boxes in them.
 */
import { FloatArea, type Room, type Side } from './float-area.ts';
import type { Style } from './style.ts';
import { absolute, block, moved, type Size, type Sized, STEP, shrunk } from './used-size.ts';

/** A box in pixels of the container, not yet rounded and not yet clipped. */
export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

interface Item {
  readonly index: number;
  readonly style: Style;
}

/** Margins that meet and become one: the largest, less the most negative (CSS 2.1, section 8.3.1). */
class Margins {
  #most = 0;
  #least = 0;

  add(margin: number): void {
    this.#most = Math.max(this.#most, margin);
    this.#least = Math.min(this.#least, margin);
  }

  get sum(): number {
    return this.#most + this.#least;
  }
}

const outOfFlow = ({ style }: Item) => style.position === 'absolute';
const floats = (item: Item) => item.style.float !== 'none' && !outOfFlow(item);
const inline = (item: Item) => item.style.display !== 'block' && !floats(item) && !outOfFlow(item);

/** Places one box for each style. @param styles in the order of the virtual DOM */
export function placeBoxes(container: Size, styles: readonly Style[]): Box[] {
  return new Flow(container, styles).place();
}

class Flow {
  readonly #container: Size;
  readonly #items: readonly Item[];
  readonly #floats: FloatArea;
  readonly #boxes: Box[] = [];
  /** The lower edge of what is placed, without the margins that wait below it. */
  #edge = 0;
  #waiting = new Margins();

  constructor(container: Size, styles: readonly Style[]) {
    this.#container = container;
    this.#items = styles.map((style, index) => ({ index, style }));
    this.#floats = new FloatArea(container.width);
  }

  place(): Box[] {
    for (let next = 0; next < this.#items.length; ) {
      const item = this.#items[next] as Item;
      const run = this.#runFrom(next);
      if (run.some(inline)) {
        this.#lines(run);
        next += run.length;
        continue;
      }
      if (outOfFlow(item)) this.#absolute(item, this.#still(item));
      else if (floats(item)) this.#float(item, this.#top);
      else this.#block(item);
      next += 1;
    }
    return this.#boxes;
  }

  /** Where something without a margin would begin. */
  get #top(): number {
    return this.#edge + this.#waiting.sum;
  }

  #put({ index, style }: Item, box: Box): void {
    const { x, y } = moved(style, this.#container);
    this.#boxes[index] = { ...box, x: box.x + x, y: box.y + y };
  }

  #absolute(item: Item, still: { x: number; y: number }): void {
    this.#put(item, absolute(item.style, this.#container, still));
  }

  /** Where an absolutely positioned box between blocks would be: one in a line would stand beside the floats. */
  #still({ style }: Item): { x: number; y: number } {
    const y = this.#top;
    return { x: style.display === 'block' ? 0 : this.#floats.room(y, 0).left, y };
  }

  #float(item: Item, top: number): void {
    const sized = shrunk(item.style, this.#container);
    const { x, y, width, height, side } = this.#floatPlace(item, sized, top);
    this.#floats.add(side, x, y, width, height);
    const { marginLeft, marginTop } = sized;
    this.#put(item, { x: x + marginLeft, y: y + marginTop, width: sized.width, height: sized.height });
  }

  /** The margin box of a float. */
  #floatPlace({ style }: Item, sized: Sized, top: number): Box & { side: Side } {
    const side = style.float as Side;
    const width = outerWidth(sized);
    const height = Math.max(0, outerHeight(sized));
    const from = Math.max(top, this.#floats.clearedBy(style.clear) ?? top);
    return { ...this.#floats.find(side, width, height, from), width, height, side };
  }

  #block(item: Item): void {
    const { style } = item;
    const sized = block(style, this.#container);
    const meeting = this.#waiting;
    meeting.add(sized.marginTop);
    let y = this.#edge + meeting.sum;
    const cleared = this.#floats.clearedBy(style.clear);
    const clears = cleared !== undefined && cleared > y;
    if (clears) y = cleared;
    if (style.overflow === 'hidden') {
      // It makes room for what is in it, so no float may reach into it (CSS 2.1, section 9.5).
      const box = this.#besideFloats(style, sized, y);
      this.#put(item, box);
      this.#endBlock(box.y + box.height, sized.marginBottom);
      return;
    }
    this.#put(item, { x: sized.marginLeft, y, width: sized.width, height: sized.height });
    if (sized.height > 0) {
      this.#endBlock(y + sized.height, sized.marginBottom);
      return;
    }
    // Nothing is between its margins: all of them meet, those before it too unless floats have parted them.
    if (clears) this.#endBlock(y - sized.marginTop, sized.marginTop);
    this.#waiting.add(sized.marginBottom);
  }

  #endBlock(edge: number, marginBottom: number): void {
    this.#edge = edge;
    this.#waiting = new Margins();
    this.#waiting.add(marginBottom);
  }

  #besideFloats(style: Style, sized: Sized, top: number): Box {
    const { height } = sized;
    for (let y = top; ; y = this.#floats.below(y)) {
      const room = this.#floats.room(y, height);
      if (!room.narrowed) return { x: sized.marginLeft, y, width: sized.width, height };
      const left = Math.max(room.left, style.marginLeft === 'auto' ? 0 : sized.marginLeft);
      const right = Math.min(
        room.right,
        this.#container.width - (style.marginRight === 'auto' ? 0 : sized.marginRight),
      );
      const free = Math.max(0, right - left);
      if (style.width === 'auto' && free === 0) continue;
      const width = style.width === 'auto' ? Math.min(sized.width, free) : sized.width;
      // Its margin may lie under a float, the box itself may not. It sticks out of the container where no float is.
      const untouched = left === sized.marginLeft && room.right === this.#container.width;
      if (!untouched && width > room.right - left) continue;
      return { x: left + autoShift(style, Math.max(0, free - width)), y, width, height };
    }
  }

  /**
   * Boxes up to the next block; when some of them stand in lines, the floats and positioned boxes beside those do too.
   */
  #runFrom(first: number): Item[] {
    const run: Item[] = [];
    for (const item of this.#items.slice(first)) {
      if (!inline(item) && !floats(item) && !outOfFlow(item)) break;
      run.push(item);
    }
    return run;
  }

  #lines(run: readonly Item[]): void {
    let top = this.#top;
    for (let next = 0; next < run.length; ) {
      const line = this.#line(run.slice(next), top);
      next += line.taken;
      top = line.bottom;
    }
    this.#edge = top;
    this.#waiting = new Margins();
  }

  /** One line, as high as it fits beside the floats. Floats at its begin stand where it is tried first. */
  #line(rest: readonly Item[], top: number): { taken: number; bottom: number } {
    const firstInLine = rest.findIndex(inline);
    const leading = rest.slice(0, firstInLine < 0 ? rest.length : firstInLine);
    for (const item of leading) if (floats(item)) this.#float(item, top);
    const firstLeft = this.#floats.room(top, 0).left;
    const anchored = leading.some(floats);
    for (let y = top, band = 0; ; ) {
      const undo = this.#floats.mark();
      const line = new Line(y);
      for (const item of leading.filter(outOfFlow)) {
        // With a float they stay where the line was tried first; otherwise they go down with it.
        if (!anchored || y === top) line.pass(item);
        else this.#absolute(item, { x: item.style.display === 'block' ? 0 : firstLeft, y: top });
      }
      const taken = leading.length + this.#fill(line, rest.slice(leading.length), band);
      const room = this.#floats.room(y, line.height);
      if (line.items.length === 0 || line.fits(room) || !room.narrowed) {
        this.#settle(line, room.left);
        return { taken, bottom: line.items.length > 0 ? y + line.height : y };
      }
      const below = this.#floats.below(y);
      undo();
      // A shorter line may still fit here; a single box goes down.
      if (line.items.length > 1 && line.height > band) band = line.height;
      else [y, band] = [below, 0];
    }
  }

  /** @param band the height for which there must be room @returns how many items the line has taken */
  #fill(line: Line, rest: readonly Item[], band: number): number {
    let taken = 0;
    for (const item of rest) {
      const room = this.#floats.room(line.top, band);
      if (line.items.length > 0 && !line.fits(room)) break;
      if (outOfFlow(item)) line.pass(item);
      else if (floats(item)) this.#floatInLine(line, item);
      else {
        const sized = shrunk(item.style, this.#container);
        if (line.items.length > 0 && !line.fits(room, outerWidth(sized))) break;
        line.take(item, sized);
      }
      taken += 1;
    }
    return taken;
  }

  /** A float comes beside what is in the line already when there is room, else below the line. */
  #floatInLine(line: Line, item: Item): void {
    const y = line.top;
    const sized = shrunk(item.style, this.#container);
    const room = this.#floats.room(y, 0);
    const place = this.#floatPlace(item, sized, y);
    const beside = line.fits(room, outerWidth(sized)) && place.y === y;
    if (beside && line.later.length === 0) this.#float(item, y);
    else line.later.push(item);
  }

  #settle(line: Line, left: number): void {
    let x = left;
    for (const { item, sized } of line.items) {
      const y = line.top + line.height - sized.marginBottom - sized.height;
      this.#put(item, { x: x + sized.marginLeft, y, width: sized.width, height: sized.height });
      x += outerWidth(sized);
    }
    for (const item of line.later) this.#float(item, line.top + line.height);
    for (const { item, before, x: along } of line.still) {
      const isBlock = item.style.display === 'block';
      const y = isBlock && before > 0 ? line.top + line.height : line.top;
      this.#absolute(item, { x: isBlock ? 0 : left + along, y });
    }
  }
}

/** What has come into a line so far. */
class Line {
  readonly top: number;
  readonly items: { readonly item: Item; readonly sized: Sized }[] = [];
  /** Floats that found no room beside it. */
  readonly later: Item[] = [];
  /** Absolutely positioned boxes, with what was before them. */
  readonly still: { readonly item: Item; readonly before: number; readonly x: number }[] = [];
  width = 0;
  height = 0;

  constructor(top: number) {
    this.top = top;
  }

  /** Whether what is in the line, and so much more, fits between the floats. Lines forgive one step of rounding. */
  fits({ left, right }: Room, more = 0): boolean {
    return this.width + more <= right - left + STEP;
  }

  /** An absolutely positioned box takes no room. */
  pass(item: Item): void {
    this.still.push({ item, before: this.items.length, x: this.width });
  }

  take(item: Item, sized: Sized): void {
    this.items.push({ item, sized });
    this.width += outerWidth(sized);
    this.height = Math.max(this.height, outerHeight(sized));
  }
}

function outerWidth({ marginLeft, width, marginRight }: Sized): number {
  return marginLeft + width + marginRight;
}

function outerHeight({ marginTop, height, marginBottom }: Sized): number {
  return marginTop + height + marginBottom;
}

/** How far automatic margins move a box in the room that it leaves. */
function autoShift(style: Style, rest: number): number {
  if (style.marginLeft !== 'auto') return 0;
  return style.marginRight === 'auto' ? rest / 2 : rest;
}
