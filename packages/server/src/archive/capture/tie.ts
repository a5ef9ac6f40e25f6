/**
 * The tie between a track's timestamps and its publisher's clock, as one report or one capture time has it, and what is to be
 * added to it since. Timestamps of sound count samples: where some were never taken they fall behind, and packets of sound
 * seem to be under way for longer, while those of pictures do not.
 */
import { limits } from '@cloister/protocol';
import { type PublisherClock, slewIn } from './publisher-clock.ts';

/** A slip that was seen is one until it is as small as this part of what makes one. */
const gone = 1 / 3;

export class Tie {
  /** In the publisher's time, when the timestamp would have been zero. */
  readonly #ms: number;
  /** By our clock, when that was heard. */
  readonly #at: number;
  /** What the packet before said of the tie between timestamps and our time. */
  readonly offset: number;
  /** The least that packets after it said of that, for `archiveDelayMs`: those before may be of before a slip that it knows of. */
  #least = Number.POSITIVE_INFINITY;
  /** How long the fastest packets of pictures were under way at that time; null while none came. */
  #pictures: number | null = null;
  #slip = 0;

  constructor(ms: number, at: number, offset: number) {
    this.#ms = ms;
    this.#at = at;
    this.offset = offset;
  }

  /** In the publisher's time, when the timestamp would have been zero, by what is known now. */
  get ms(): number {
    return this.#ms + this.#slip;
  }

  /** One that slipped since is, for what follows, no more than what a later one knows. */
  confirmedBy(later: Tie): Tie {
    return this.#slip === 0 ? this : new Tie(this.ms, later.#at, later.offset);
  }

  /**
   * A packet of sound came. What slows all packets down is the network; what does so for sound alone are samples that were
   * never taken.
   * @param offset what it says on its own of the tie between timestamps and our time. @param lately the least that was said of that
   */
  follow(at: number, offset: number, lately: number, { pictures, usualPictures }: PublisherClock): void {
    const age = at - this.#at;
    if (age <= limits.archiveDelayMs || this.#least === Number.POSITIVE_INFINITY || this.#pictures === null) {
      this.#least = age <= limits.archiveDelayMs ? Math.min(this.#least, offset) : lately;
      this.#pictures = usualPictures.at(at);
      return;
    }
    const now = pictures.at(at);
    if (now === null) return;
    // Quartzes drift: pictures that seem to be faster may be so for that alone.
    const slip = lately - this.#least - Math.max(-slewIn(age), now - this.#pictures);
    const least = limits.archiveClockSlipMs * (this.#slip > 0 ? gone : 1);
    this.#slip = slip > least ? slip : 0;
  }
}
