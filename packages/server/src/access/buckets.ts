/**
 * Token buckets by name, in the order of their last use. Both looking one up and letting one go take the same short time
 * however many there are, since a flood of new names is exactly when there are many.
 */

/** How fast a bucket fills, and how much it holds. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Bucket {
  level: number;
  /** Milliseconds since 1970 at which `level` was true. */
  at: number;
}

interface Link extends Bucket {
  readonly name: string;
  older: Link;
  newer: Link;
}

/** How many of the longest-untouched buckets are looked at for one that has refilled, before the oldest goes. */
const evictionScan = 16;

/** Refilled buckets that go when one comes. */
const clearedAtOnce = 2;

/** What is in a bucket at a time; a clock that was set back takes nothing away. */
export function levelAt(bucket: Bucket, rate: Rate, now: number): number {
  const elapsedMs = Math.max(0, now - bucket.at);
  return Math.min(rate.burst, bucket.level + (elapsedMs / 1000) * rate.perSecond);
}

export class Buckets {
  readonly #rate: Rate;
  readonly #max: number;
  readonly #byName = new Map<string, Link>();
  /** Between the newest and the oldest; a ring has no special ends. */
  readonly #ends: Link;

  /** @param max how many are kept; one more lets the first full one of the oldest go, else the oldest. */
  constructor(rate: Rate, max: number) {
    this.#rate = rate;
    this.#max = max;
    const ends = { name: '', level: 0, at: 0 } as Link;
    ends.older = ends;
    ends.newer = ends;
    this.#ends = ends;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The bucket of a name, which is now the last used; undefined when it is not kept. */
  use(name: string): Bucket | undefined {
    const link = this.#byName.get(name);
    if (link && link.newer !== this.#ends) {
      unlink(link);
      this.#append(link);
    }
    return link;
  }

  /** Keeps a bucket under a name that has none; of the oldest, some that have refilled go. */
  add(name: string, { level, at }: Bucket, now: number): Bucket {
    this.#clear(now);
    if (this.#byName.size >= this.#max) this.#evict(now);
    const link = { name, level, at } as Link;
    this.#append(link);
    this.#byName.set(name, link);
    return link;
  }

  /** Takes a bucket out. */
  remove(name: string): Bucket | undefined {
    const link = this.#byName.get(name);
    if (!link) return undefined;
    unlink(link);
    this.#byName.delete(name);
    return link;
  }

  #append(link: Link): void {
    const newest = this.#ends.older;
    link.older = newest;
    link.newer = this.#ends;
    newest.newer = link;
    this.#ends.older = link;
  }

  /** More go than come, so that what is kept is what is in use, and not all that ever came. */
  #clear(now: number): void {
    for (let gone = 0; gone < clearedAtOnce; gone += 1) {
      const oldest = this.#ends.newer;
      if (oldest === this.#ends || levelAt(oldest, this.#rate, now) < this.#rate.burst) return;
      this.remove(oldest.name);
    }
  }

  #evict(now: number): void {
    const oldest = this.#ends.newer;
    let link = oldest;
    for (let seen = 0; seen < evictionScan && link !== this.#ends; seen += 1, link = link.newer) {
      if (levelAt(link, this.#rate, now) >= this.#rate.burst) return void this.remove(link.name);
    }
    this.remove(oldest.name);
  }
}

function unlink(link: Link): void {
  link.older.newer = link.newer;
  link.newer.older = link.older;
}
