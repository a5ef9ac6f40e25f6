/**
 * Pairs the worker's line about an SRTP suite with the transport that it belongs to.
 *
 * The line names no transport. The worker writes it, and immediately afterwards, on the same channel, the `connected` of
 * that transport; so the last line belongs to the next `connected` when nothing else came in between. Whatever breaks
 * that order (a `connected` without a line, a second line before a `connected`) means that a line may be late, and a late
 * line could be taken for another transport's. From then on, for `suiteReportSeconds`, no line is believed: every
 * transport that connects in that time stays `unknown`, which counts as weak. A wrong suite is never given.
 */
import { limits, type Suite, suiteOf } from '@cloister/protocol';
import type { Cancel, Clock } from '../lib/index.ts';
import type { ChannelTap } from './channel.ts';

// worker/src/RTC/DtlsTransport.cpp, GetNegotiatedSrtpCryptoSuite(); the function's name comes before it.
const suiteLine = /\| chosen SRTP crypto suite: (\S+)$/;

export class SuiteWatch {
  readonly #clock: Clock;
  readonly #waitMs = limits.suiteReportSeconds * 1000;
  #held: Suite | null = null;
  #doubtUntil = 0;
  readonly #paired = new Map<string, Suite>();
  readonly #asked = new Map<string, { report(suite: Suite): void; cancel: Cancel }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A debug line of the worker.
   * @returns whether it was the one about the suite.
   */
  line(text: string): boolean {
    const name = suiteLine.exec(text)?.[1];
    if (name === undefined) return false;
    if (this.#held === null) {
      this.#held = suiteOf(name);
    } else {
      this.#held = null;
      this.#doubt();
    }
    return true;
  }

  /** A notification that is not a `connected`: a line held since before it has lost its transport. */
  other(): void {
    if (this.#held === null) return;
    this.#held = null;
    this.#doubt();
  }

  /** A transport's DTLS is up, as the channel has just said. */
  connected(transportId: string): void {
    const suite = this.#held;
    this.#held = null;
    if (suite === null) this.#doubt();
    if (suite === null || this.#clock.now() < this.#doubtUntil) return;
    const asked = this.#asked.get(transportId);
    if (!asked) {
      this.#paired.set(transportId, suite);
      return;
    }
    this.forget(transportId);
    asked.report(suite);
  }

  /**
   * Calls `report` once with the suite of a transport that is connected: now where it is known, otherwise when the pair
   * comes, and with `unknown` after `suiteReportSeconds`.
   */
  ask(transportId: string, report: (suite: Suite) => void): void {
    const suite = this.#paired.get(transportId);
    if (suite !== undefined) {
      this.#paired.delete(transportId);
      report(suite);
      return;
    }
    const cancel = this.#clock.after(this.#waitMs, () => {
      this.#asked.delete(transportId);
      report('unknown');
    });
    this.#asked.set(transportId, { report, cancel });
  }

  /** Drops what is known and asked of a transport that is closed. */
  forget(transportId: string): void {
    this.#paired.delete(transportId);
    this.#asked.get(transportId)?.cancel();
    this.#asked.delete(transportId);
  }

  #doubt(): void {
    this.#doubtUntil = this.#clock.now() + this.#waitMs;
  }
}

/** A request that crossed the end of what it is about: a client that leaves ends its consumers from both sides. */
const closedMeanwhile = /MediaSoupError: (?:Channel request handler with ID \S+|Transport|Producer|Consumer) not found/;

/**
 * Feeds a watch from a worker's channel; debug lines end here, warnings and errors go to `complain`, as `debug` where
 * they say only that something had closed meanwhile.
 */
export function watchChannel(
  watch: SuiteWatch,
  complain: (level: 'debug' | 'warn' | 'error', line: string) => void,
): ChannelTap {
  return {
    log(level, line) {
      if (level === 'debug') watch.line(line);
      else complain(closedMeanwhile.test(line) ? 'debug' : level, line);
    },
    dtlsConnected: (transportId) => watch.connected(transportId),
    otherNotification: () => watch.other(),
  };
}
