/**
 * When something was captured, in the recording's own time: a track's RTP timestamps on one line with those of every
 * other track.
 *
 * The publisher's sender reports tie the timestamps of its tracks to one clock of its own (RFC 3550, 6.4.1), and capture
 * times in its packets do so better (abs-capture-time); the packets that were under way for the shortest time tie that clock
 * to ours. Both ties are looked at over a sliding window, since quartzes drift, and followed so slowly that nobody hears it.
 * Until the first report a track stands on its arrivals alone.
 */
import { limits } from '@cloister/protocol';

/**
 * Milliseconds. What is added to a clock of the publisher's to get ours: the least of what a window has seen. A clock that
 * was set forward is seen at once; one that was set back looks like packets that are late, until all of them are.
 */
export class Offset {
  readonly #windowMs: number;
  /** Milliseconds by which that clock was set back since it was first told of. What is observed has them added. */
  setBack = 0;
  /** Ascending in time, ascending in value: the first one is the least. */
  #seen: { at: number; value: number }[] = [];
  #value: number | null = null;
  /** Until then the least is taken as it is. */
  #settledAt: number | null = null;
  /** Since when everything is far too late, and the least of that. */
  #late: { readonly since: number; least: number } | null = null;
  #at = 0;

  constructor(windowMs = limits.archiveClockWindowSeconds * 1000) {
    this.#windowMs = windowMs;
  }

  /**
   * @param at when, in our milliseconds. @param theirs the publisher's time of what came then
   * @returns whether the tie was made anew: nothing of before counts any more
   */
  observe(at: number, theirs: number): boolean {
    const value = at - theirs;
    const restarted = this.#restarted(at, value);
    while (this.#seen.length > 0 && (this.#seen.at(-1)?.value ?? 0) >= value) this.#seen.pop();
    this.#seen.push({ at, value });
    while ((this.#seen[0]?.at ?? at) < at - this.#windowMs) this.#seen.shift();
    const least = this.#seen[0]?.value ?? value;
    this.#settledAt ??= at + limits.archiveDelayMs;
    const jumped = this.#value !== null && Math.abs(least - this.#value) > limits.archiveClockJumpMs;
    if (this.#value === null || at < this.#settledAt || jumped) {
      // Nothing was composed yet; or a clock that was set, or a publisher that slept: nothing to follow slowly.
      this.#value = least;
    } else {
      const most = ((at - this.#at) * limits.archiveClockSlewPpm) / 1_000_000;
      this.#value += Math.max(-most, Math.min(most, least - this.#value));
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
    this.#seen = [{ at, value: this.#late.least }];
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

/** Timestamps without their wrap at 32 bits; those that come late count back. */
export class Unwrapped {
  #last: number | null = null;

  next(timestamp: number): number {
    if (this.#last === null) {
      this.#last = timestamp;
      return timestamp;
    }
    const step = (timestamp - this.#last) | 0;
    const value = this.#last + step;
    if (step > 0) this.#last = value;
    return value;
  }
}

/** That a timestamp was at a time of the publisher's clock. */
interface Report {
  readonly ntpMs: number;
  readonly timestamp: number;
  /** What the last packet before it said of the tie between timestamps and our time. */
  readonly offset: number;
}

/** One track's way from timestamps to our time. Tracks of a publisher share `publisher`. */
export class TrackClock {
  readonly #rate: number;
  readonly #publisher: Offset;
  readonly #arrivals: Offset;
  readonly #unwrapped = new Unwrapped();
  #report: Report | null = null;
  /** When the last packet came, and what it said on its own of the tie between its timestamps and our time. */
  #last = { at: 0, offset: 0 };
  /** When the last packet came that says itself when it was captured. */
  #capturedAt: number | null = null;

  constructor(rate: number, publisher: Offset) {
    this.#rate = rate;
    this.#publisher = publisher;
    this.#arrivals = new Offset();
  }

  /** A packet came. @returns its timestamp without the wrap */
  packet(timestamp: number, at: number): number {
    const unwrapped = this.#unwrapped.next(timestamp);
    this.#last = { at, offset: at - this.#ms(unwrapped) };
    // Timestamps that begin anew have nothing to do with the last report any more.
    if (this.#arrivals.observe(at, this.#ms(unwrapped))) this.#report = null;
    if (this.#report) this.#publisher.observe(at, this.#ntp(unwrapped, this.#report));
    return unwrapped;
  }

  /** A packet says when it was captured, by the publisher's clock. Preferred to reports for as long as such packets come. */
  captured(ntpMs: number, rtpTimestamp: number): void {
    this.#capturedAt = this.#last.at;
    this.#tie(ntpMs, this.#unwrapped.next(rtpTimestamp));
  }

  /** A sender report. */
  report(ntpMs: number, rtpTimestamp: number): void {
    const windowMs = limits.archiveClockWindowSeconds * 1000;
    if (this.#capturedAt !== null && this.#last.at - this.#capturedAt <= windowMs) return;
    this.#tie(ntpMs, this.#unwrapped.next(rtpTimestamp));
  }

  /**
   * A publisher whose clock is set goes on as if it had not been: its tracks learn of it at different times, and would be
   * apart until then. Where the packets jump as well, it was their timestamps.
   */
  #tie(ntpMs: number, timestamp: number): void {
    const { archiveClockJumpMs: jump } = limits;
    const { offset } = this.#last;
    const publisher = this.#publisher;
    const before = this.#report;
    if (before) {
      const step = this.#ntp(timestamp, before) - (ntpMs + publisher.setBack);
      if (Math.abs(step) > jump && Math.abs(offset - before.offset) <= jump) publisher.setBack += step;
    }
    this.#report = { ntpMs: ntpMs + publisher.setBack, timestamp, offset };
  }

  /** When something with this timestamp was captured, in our milliseconds; null before the first packet. */
  time(unwrapped: number): number | null {
    const shared = this.#publisher.value;
    if (this.#report && shared !== null) return this.#ntp(unwrapped, this.#report) + shared;
    const own = this.#arrivals.value;
    return own === null ? null : this.#ms(unwrapped) + own;
  }

  #ms(unwrapped: number): number {
    return (unwrapped * 1000) / this.#rate;
  }

  #ntp(unwrapped: number, { ntpMs, timestamp }: Report): number {
    return ntpMs + ((unwrapped - timestamp) * 1000) / this.#rate;
  }
}
