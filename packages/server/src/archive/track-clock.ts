/**
 * When something was captured, in the recording's own time: a track's RTP timestamps on one line with those of every
 * other track.
 *
 * The publisher's sender reports tie the timestamps of its tracks to one clock of its own (RFC 3550, 6.4.1); the packets
 * that were under way for the shortest time tie that clock to ours. Both ties are looked at over a sliding window, since
 * quartzes drift, and followed so slowly that nobody hears it. Until the first report a track stands on its arrivals alone.
 */
import { limits } from '@cloister/protocol';

/** Milliseconds. What is added to a clock of the publisher's to get ours: the least of what a window has seen. */
export class Offset {
  readonly #windowMs: number;
  /** Ascending in time, ascending in value: the first one is the least. */
  #seen: { at: number; value: number }[] = [];
  #value: number | null = null;
  #since: number | null = null;
  #at = 0;

  constructor(windowMs = limits.archiveClockWindowSeconds * 1000) {
    this.#windowMs = windowMs;
  }

  /** @param at when, in our milliseconds. @param theirs the publisher's time of what came then */
  observe(at: number, theirs: number): void {
    const value = at - theirs;
    while (this.#seen.length > 0 && (this.#seen.at(-1)?.value ?? 0) >= value) this.#seen.pop();
    this.#seen.push({ at, value });
    while ((this.#seen[0]?.at ?? at) < at - this.#windowMs) this.#seen.shift();
    const least = this.#seen[0]?.value ?? value;
    this.#since ??= at;
    const settling = at - this.#since < limits.archiveDelayMs;
    if (this.#value === null || settling || Math.abs(least - this.#value) > limits.archiveClockJumpMs) {
      // Nothing was composed yet; or a clock that was set, or a publisher that slept: nothing to follow slowly.
      this.#value = least;
    } else {
      const most = ((at - this.#at) * limits.archiveClockSlewPpm) / 1_000_000;
      this.#value += Math.max(-most, Math.min(most, least - this.#value));
    }
    this.#at = at;
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

/** One track's way from timestamps to our time. Tracks of a publisher share `publisher`. */
export class TrackClock {
  readonly #rate: number;
  readonly #publisher: Offset;
  readonly #arrivals: Offset;
  readonly #unwrapped = new Unwrapped();
  #report: { ntpMs: number; timestamp: number } | null = null;

  constructor(rate: number, publisher: Offset) {
    this.#rate = rate;
    this.#publisher = publisher;
    this.#arrivals = new Offset();
  }

  /** A packet came. @returns its timestamp without the wrap */
  packet(timestamp: number, at: number): number {
    const unwrapped = this.#unwrapped.next(timestamp);
    this.#arrivals.observe(at, this.#ms(unwrapped));
    if (this.#report) this.#publisher.observe(at, this.#ntp(unwrapped, this.#report));
    return unwrapped;
  }

  report(ntpMs: number, rtpTimestamp: number): void {
    this.#report = { ntpMs, timestamp: this.#unwrapped.next(rtpTimestamp) };
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

  #ntp(unwrapped: number, { ntpMs, timestamp }: { ntpMs: number; timestamp: number }): number {
    return ntpMs + ((unwrapped - timestamp) * 1000) / this.#rate;
  }
}
