/** The floats of a container, and the room that they leave (CSS 2.1, section 9.5). All figures are pixels. */
export type Side = 'left' | 'right';

/** Margin edges of a float that stands. */
interface Standing {
  readonly side: Side;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What is free between the floats of both sides. */
export interface Room {
  readonly left: number;
  readonly right: number;
  /** Whether there is a float beside it at all. */
  readonly narrowed: boolean;
}

export class FloatArea {
  readonly #width: number;
  #standing: Standing[] = [];

  /** @param width of the container */
  constructor(width: number) {
    this.#width = width;
  }

  /** The room between the floats from `top` on, for a band of that height. */
  room(top: number, height: number): Room {
    let left = 0;
    let right = this.#width;
    let narrowed = false;
    for (const each of this.#standing) {
      const beside = each.bottom > top && (each.top <= top || each.top < top + height);
      if (!beside || each.right <= each.left) continue;
      if (each.side === 'left') left = Math.max(left, each.right);
      else right = Math.min(right, each.left);
      narrowed = true;
    }
    // Floats that meet leave nothing, not less.
    return { left, right: Math.max(left, right), narrowed };
  }

  /** Where the next float ends below `top`: there is more room from there on. */
  below(top: number): number {
    return Math.min(...this.#standing.map((each) => each.bottom).filter((bottom) => bottom > top));
  }

  /** The lower edge of the floats that `clear` names, or nothing when there are none. */
  clearedBy(clear: 'none' | 'both' | Side): number | undefined {
    const named = this.#standing.filter((each) => clear === 'both' || each.side === clear);
    return named.length > 0 ? Math.max(...named.map((each) => each.bottom)) : undefined;
  }

  /** Where a float of this size would come, from `top` on: as high as it fits, and then as far to its side. */
  find(side: Side, width: number, height: number, top: number): { x: number; y: number } {
    let y = Math.max(top, ...this.#standing.map((each) => each.top));
    for (;;) {
      const room = this.room(y, height);
      if (width <= room.right - room.left || !room.narrowed) {
        return { x: side === 'left' ? room.left : room.right - width, y };
      }
      y = this.below(y);
    }
  }

  /** Makes a float stand where `find` has found. */
  add(side: Side, x: number, y: number, width: number, height: number): void {
    this.#standing.push({ side, left: x, right: x + width, top: y, bottom: y + height });
  }

  /** A line that is laid out again takes its floats back with it. @returns how to go back to the present state */
  mark(): () => void {
    const before = [...this.#standing];
    return () => {
      this.#standing = before;
    };
  }
}
