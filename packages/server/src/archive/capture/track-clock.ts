/**
 * When something was captured, in the recording's own time: a track's RTP timestamps on one line with those of every
 * other track.
 *
 * The publisher's sender reports tie the timestamps of its tracks to one clock of its own (RFC 3550, 6.4.1), and capture
 * times in its packets do so better (abs-capture-time); what is known of that clock ties it to ours. Until the first report
 * a track stands on its arrivals alone.
 *
 * Browsers time pictures when they are taken, but sound when it is sent: a report of sound is late by what the publisher's
 * machine had else to do, so the earliest of some counts. And the timestamps of sound count samples: where some were never
 * taken (a microphone that was off, a machine that was busy) they fall behind. The next report says so, up to seven seconds
 * later; until then it is seen as `tie.ts` says.
 */
import { limits, type MediaKind } from '@cloister/protocol';
import { Least, Offset, type PublisherClock, slewed } from './publisher-clock.ts';
import { Tie } from './tie.ts';

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

/** One track's way from timestamps to our time. */
export class TrackClock {
  readonly #rate: number;
  readonly #publisher: PublisherClock;
  readonly #kind: MediaKind;
  readonly #arrivals = new Offset();
  /** As `#arrivals`, of what came lately. */
  readonly #lately = new Least(limits.archiveDelayMs);
  readonly #unwrapped = new Unwrapped();
  /** What reports said, those that count, the last one at the end. */
  #ties: readonly Tie[] = [];
  /** In the publisher's time, when the timestamp would have been zero; null until a report came. */
  #tie: number | null = null;
  /** When the last packet came, and what it said on its own of the tie between its timestamps and our time. */
  #last = { at: 0, offset: 0 };
  /** When the last packet came that says itself when it was captured. */
  #capturedAt: number | null = null;

  /** @param rate timestamps a second. @param publisher what its tracks share */
  constructor(rate: number, publisher: PublisherClock, kind: MediaKind) {
    this.#rate = rate;
    this.#publisher = publisher;
    this.#kind = kind;
  }

  /** A packet came. @returns its timestamp without the wrap */
  packet(timestamp: number, at: number): number {
    const unwrapped = this.#unwrapped.next(timestamp);
    const offset = at - this.#ms(unwrapped);
    const passed = at - this.#last.at;
    this.#last = { at, offset };
    if (this.#arrivals.observe(at, this.#ms(unwrapped))) {
      // Timestamps that begin anew have nothing to do with the reports of before any more.
      this.#ties = [];
      this.#tie = null;
    }
    if (this.#kind === 'audio') {
      this.#lately.observe(at, offset);
      const lately = this.#lately.at(at) ?? offset;
      for (const tie of this.#ties) tie.follow(at, offset, lately, this.#publisher);
    }
    this.#move(passed);
    if (this.#tie === null) return unwrapped;
    const theirs = this.#ms(unwrapped) + this.#tie;
    this.#publisher.offset.observe(at, theirs);
    if (this.#kind === 'video') this.#publisher.pictureCame(at, at - theirs);
    return unwrapped;
  }

  /** A packet says when it was captured, by the publisher's clock. Preferred to reports for as long as such packets come. */
  captured(ntpMs: number, rtpTimestamp: number): void {
    this.#capturedAt = this.#last.at;
    this.#ties = [this.#heed(ntpMs, rtpTimestamp)];
    this.#move(0);
  }

  /** A sender report. */
  report(ntpMs: number, rtpTimestamp: number): void {
    const windowMs = limits.archiveClockWindowSeconds * 1000;
    if (this.#capturedAt !== null && this.#last.at - this.#capturedAt <= windowMs) return;
    const tie = this.#heed(ntpMs, rtpTimestamp);
    const agreeing = this.#ties.filter(({ ms }) => ms >= tie.ms - limits.archiveClockReportMs);
    const before = this.#kind === 'audio' ? agreeing.slice(1 - limits.archiveClockReports) : [];
    this.#ties = [...before.map((each) => each.confirmedBy(tie)), tie];
    this.#move(0);
  }

  /**
   * A publisher whose clock is set goes on as if it had not been: its tracks learn of it at different times, and would be
   * apart until then. Where the packets jump as well, it was their timestamps.
   */
  #heed(ntpMs: number, rtpTimestamp: number): Tie {
    const { archiveClockJumpMs: jump } = limits;
    const { at, offset } = this.#last;
    const publisher = this.#publisher.offset;
    const told = ntpMs - this.#ms(this.#unwrapped.next(rtpTimestamp));
    const before = this.#ties.at(-1);
    if (before) {
      const step = before.ms - (told + publisher.setBack);
      if (Math.abs(step) > jump && Math.abs(offset - before.offset) <= jump) publisher.setBack += step;
    }
    return new Tie(told + publisher.setBack, at, offset);
  }

  /** Goes by the earliest tie. Sound that is little out of place goes there so slowly that nobody hears it. */
  #move(passed: number): void {
    if (this.#ties.length === 0) return;
    const wanted = Math.min(...this.#ties.map(({ ms }) => ms));
    const [own, shared] = [this.#arrivals.value, this.#publisher.offset.value];
    const arrived = own === null || shared === null ? wanted : own - shared;
    const off = wanted - (this.#tie ?? arrived);
    const atOnce = this.#kind === 'video' || Math.abs(off) > limits.archiveClockStepMs;
    this.#tie = atOnce ? wanted : wanted - off + slewed(off, passed);
  }

  /** When something with this timestamp was captured, in our milliseconds; null before the first packet. */
  time(unwrapped: number): number | null {
    const shared = this.#publisher.offset.value;
    if (this.#tie !== null && shared !== null) return this.#ms(unwrapped) + this.#tie + shared;
    const own = this.#arrivals.value;
    return own === null ? null : this.#ms(unwrapped) + own;
  }

  #ms(unwrapped: number): number {
    return (unwrapped * 1000) / this.#rate;
  }
}
