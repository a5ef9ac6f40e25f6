/**
 * A publisher's clock, and ours: what all tracks of a publisher know together. The packets that were under way for the
 * shortest time tie the one to the other; the tie is looked at over a sliding window, since quartzes drift, and followed so
 * slowly that nobody hears it.
 */
import { limits } from '@cloister/protocol';

/** By how many milliseconds quartzes may drift apart in this time; a tie that moves no faster is not heard. */
export function slewIn(ms: number): number {
  return (ms * limits.archiveClockSlewPpm) / 1_000_000;
}

/** What of a difference is taken up in this time, so slowly that nobody hears it. All are milliseconds. */
export function slewed(off: number, ms: number): number {
  const most = slewIn(ms);
  return Math.max(-most, Math.min(most, off));
}

/** The least of what was seen within a span. */
export class Least {
  readonly #spanMs: number;
  /** Ascending in time, ascending in value: the first one is the least. */
  #seen: { readonly at: number; readonly value: number }[] = [];

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  observe(at: number, value: number): void {
    while (this.#seen.length > 0 && (this.#seen.at(-1)?.value ?? 0) >= value) this.#seen.pop();
    this.#seen.push({ at, value });
    this.at(at);
  }

  /** @returns null when nothing was seen in the span before this moment */
  at(at: number): number | null {
    while ((this.#seen[0]?.at ?? at) < at - this.#spanMs) this.#seen.shift();
    return this.#seen[0]?.value ?? null;
  }

  /** How much is kept. For tests. */
  get kept(): number {
    return this.#seen.length;
  }

  forget(): void {
    this.#seen = [];
  }
}

/**
 * Milliseconds. What is added to a clock of the publisher's to get ours: the least of what a window has seen. A clock that
 * was set forward is seen at once; one that was set back looks like packets that are late, until all of them are.
 */
export class Offset {
  readonly #windowMs: number;
  readonly #seen: Least;
  /** Milliseconds by which that clock was set back since it was first told of. What is observed has them added. */
  setBack = 0;
  #value: number | null = null;
  /** Until then the least is taken as it is. */
  #settledAt: number | null = null;
  /** Since when everything is far too late, and the least of that. */
  #late: { readonly since: number; least: number } | null = null;
  #at = 0;

  constructor(windowMs = limits.archiveClockWindowSeconds * 1000) {
    this.#windowMs = windowMs;
    this.#seen = new Least(windowMs);
  }

  /**
   * @param at when, in our milliseconds. @param theirs the publisher's time of what came then
   * @returns whether the tie was made anew: nothing of before counts any more
   */
  observe(at: number, theirs: number): boolean {
    const value = at - theirs;
    const restarted = this.#restarted(at, value);
    this.#seen.observe(at, value);
    const least = this.#seen.at(at) ?? value;
    this.#settledAt ??= at + limits.archiveDelayMs;
    const jumped = this.#value !== null && Math.abs(least - this.#value) > limits.archiveClockJumpMs;
    if (this.#value === null || at < this.#settledAt || jumped) {
      // Nothing was composed yet; or a clock that was set, or a publisher that slept: nothing to follow slowly.
      this.#value = least;
    } else {
      this.#value += slewed(least - this.#value, at - this.#at);
    }
    this.#at = at;
    return restarted || jumped;
  }

  /** Forgets what was seen once all that came for archiveClockLateMs was later than a jump. */
  #restarted(at: number, value: number): boolean {
    if (this.#value === null || value - this.#value <= limits.archiveClockJumpMs) {
      this.#late = null;
      return false;
    }
    this.#late ??= { since: at, least: value };
    this.#late.least = Math.min(this.#late.least, value);
    if (at - this.#late.since < limits.archiveClockLateMs) return false;
    this.#seen.forget();
    this.#seen.observe(at, this.#late.least);
    this.#value = this.#late.least;
    this.#late = null;
    // It may have been the network after all: what is faster again is followed at once.
    this.#settledAt = at + this.#windowMs;
    return true;
  }

  get value(): number | null {
    return this.#value;
  }
}

/** What holds up all packets is to be seen in pictures no later than in sound: they are looked at over less. */
const pictureSpanMs = limits.archiveDelayMs - 100;

/** What the tracks of one publisher share. */
export class PublisherClock {
  /** What is added to the publisher's clock to get ours. */
  readonly offset = new Offset();
  /** By our clock and the publisher's, how long the fastest packet of a picture was under way: lately, and as a rule. */
  readonly pictures = new Least(pictureSpanMs);
  readonly usualPictures = new Least(limits.archiveClockWindowSeconds * 1000);

  pictureCame(at: number, underwayMs: number): void {
    this.pictures.observe(at, underwayMs);
    this.usualPictures.observe(at, underwayMs);
  }
}
