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
 * later. Until then it is seen in packets of sound that all seem to be under way for longer, while those of pictures are not.
 */
import { limits, type MediaKind } from '@cloister/protocol';
import { Least, Offset, type PublisherClock } from './publisher-clock.ts';

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
  /** In the publisher's time, when the timestamp would have been zero. */
  readonly tie: number;
  /** What the last packet before it said of the tie between timestamps and our time. */
  readonly offset: number;
  /** What the fastest packets, of this track and of pictures, were like when it came; null until there were some. */
  usual: Usual | null;
  /** By how much the timestamps fell behind since. */
  slip: number;
}

interface Usual {
  readonly track: number;
  readonly pictures: number;
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
  /** Those that count, the last one at the end. */
  #reports: readonly Report[] = [];
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
    this.#lately.observe(at, offset);
    if (this.#arrivals.observe(at, this.#ms(unwrapped))) {
      // Timestamps that begin anew have nothing to do with the reports of before any more.
      this.#reports = [];
      this.#tie = null;
    }
    this.#follow(at, passed);
    if (this.#tie === null) return unwrapped;
    const theirs = this.#ms(unwrapped) + this.#tie;
    this.#publisher.offset.observe(at, theirs);
    if (this.#kind === 'video') this.#publisher.pictures.observe(at, at - theirs);
    return unwrapped;
  }

  /** A packet says when it was captured, by the publisher's clock. Preferred to reports for as long as such packets come. */
  captured(ntpMs: number, rtpTimestamp: number): void {
    this.#capturedAt = this.#last.at;
    this.#reports = [this.#heed(ntpMs, rtpTimestamp)];
  }

  /** A sender report. */
  report(ntpMs: number, rtpTimestamp: number): void {
    const windowMs = limits.archiveClockWindowSeconds * 1000;
    if (this.#capturedAt !== null && this.#last.at - this.#capturedAt <= windowMs) return;
    const report = this.#heed(ntpMs, rtpTimestamp);
    const agreeing = this.#reports.filter(({ tie, slip }) => tie + slip >= report.tie - limits.archiveClockReportMs);
    const before = this.#kind === 'audio' ? agreeing.slice(1 - limits.archiveClockReports) : [];
    this.#reports = [...before, report];
  }

  /**
   * A publisher whose clock is set goes on as if it had not been: its tracks learn of it at different times, and would be
   * apart until then. Where the packets jump as well, it was their timestamps.
   */
  #heed(ntpMs: number, rtpTimestamp: number): Report {
    const { archiveClockJumpMs: jump } = limits;
    const { at, offset } = this.#last;
    const publisher = this.#publisher.offset;
    const told = ntpMs - this.#ms(this.#unwrapped.next(rtpTimestamp));
    const before = this.#reports.at(-1);
    if (before) {
      const step = before.tie - (told + publisher.setBack);
      if (Math.abs(step) > jump && Math.abs(offset - before.offset) <= jump) publisher.setBack += step;
    }
    return { tie: told + publisher.setBack, offset, usual: this.#usual(at), slip: 0 };
  }

  #usual(at: number): Usual | null {
    const [track, pictures] = [this.#lately.at(at), this.#publisher.pictures.at(at)];
    return track === null || pictures === null ? null : { track, pictures };
  }

  /** What slows all packets down is the network; what does so for sound alone are samples that were never taken. */
  #slipped(report: Report, at: number): void {
    const now = this.#usual(at);
    report.usual ??= now;
    if (report.usual === null || now === null) return;
    const slip = now.track - report.usual.track - Math.max(0, now.pictures - report.usual.pictures);
    report.slip = slip > limits.archiveClockSlipMs ? slip : 0;
  }

  /** Sound that is little out of place goes there so slowly that nobody hears it. */
  #follow(at: number, passed: number): void {
    if (this.#reports.length === 0) return;
    if (this.#kind === 'audio') for (const report of this.#reports) this.#slipped(report, at);
    const wanted = Math.min(...this.#reports.map(({ tie, slip }) => tie + slip));
    const [own, shared] = [this.#arrivals.value, this.#publisher.offset.value];
    const arrived = own === null || shared === null ? wanted : own - shared;
    const off = wanted - (this.#tie ?? arrived);
    const atOnce = this.#kind === 'video' || Math.abs(off) > limits.archiveClockSlipMs;
    const most = (passed * limits.archiveClockSlewPpm) / 1_000_000;
    this.#tie = atOnce ? wanted : wanted - off + Math.max(-most, Math.min(most, off));
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
