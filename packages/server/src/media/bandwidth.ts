/**
 * Watches what the way to one client carries, by the server's own estimate (transport-cc, once a second or when it
 * changes much, and judged again in between while a picture is about to go or to come back), and applies audio fall-back to its pictures.
 *
 * While a picture is off nothing may flow that the estimate could grow by. So with each sample the way is probed: the
 * transport's bound is moved a little, just above what the first picture that is off needs, and on each such change the
 * worker sends two bursts of padding of some 15 ms each at about that rate. That costs the sound next to nothing and
 * finds a way that is good again at once. (libwebrtc in the worker: `ProbeController::OnMaxTotalAllocatedBitrate`.)
 */
import { limits } from '@cloister/protocol';
import type { WebRtcTransport } from 'mediasoup/types';
import type { Cancel, Clock } from '../lib/index.ts';
import { type AudioFallback, dealOut, goodFrom, type PictureState, poorBelow } from './audio-fallback.ts';
import type { Track } from './track.ts';

/** One picture that fall-back applies to. */
export interface Picture {
  readonly track: Pick<Track, 'needBps'>;
  readonly fallback: AudioFallback;
  /** Its state has changed. */
  changed(state: PictureState): void;
  /** Whether it may be sent has changed. */
  carry(): void;
}

export interface BandwidthParts {
  readonly transport: Pick<WebRtcTransport, 'setMaxOutgoingBitrate' | 'on' | 'enableTraceEvent' | 'closed'>;
  readonly clock: Clock;
  /** The pictures that go to this client, first those that shall stay longest. */
  pictures(): readonly Picture[];
  /** How many sounds go to this client. */
  sounds(): number;
}

// What mediasoup allows as the smallest bound of a transport.
const boundBpsMin = 30_000;
// A probe measures a little less than it sends.
const probeMargin = 1.2;
// How far the bound moves to and fro.
const probeStep = 1.15;
// How often the last estimate is judged again while a picture is about to go or to come back.
const judgeAgainMs = 250;
// What a picture needs is measured once a second where it matters, else now and then.
const measureMs = { doubtful: 900, sure: 5000 };

export class Bandwidth {
  readonly #parts: BandwidthParts;
  #availableBps = 0;
  /** An estimate that was not judged yet. */
  #fresh = false;
  #busy = false;
  #bounded = false;
  #stepUp = false;
  #lastNeedBps = 0;
  /** Where to probe; null while nothing is off. */
  #probeBps: number | null = null;
  #cancelAgain: Cancel = () => {};

  constructor(parts: BandwidthParts) {
    this.#parts = parts;
    parts.transport.on('trace', ({ type, info }) => {
      const { availableBitrate } = info as { availableBitrate?: number };
      if (type === 'bwe' && availableBitrate !== undefined) void this.sample(availableBitrate);
    });
  }

  /** Asks the worker for its estimates. */
  async start(): Promise<void> {
    await this.#parts.transport.enableTraceEvent(['bwe']);
  }

  /** Takes one estimate. Of those that come while the last one is worked on, the newest counts. */
  sample(availableBps: number): Promise<void> {
    this.#availableBps = availableBps;
    this.#fresh = true;
    return this.#consider();
  }

  async #consider(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#cancelAgain();
    try {
      do {
        const fresh = this.#fresh;
        this.#fresh = false;
        await this.#judge(this.#availableBps);
        if (fresh || this.#probeBps === null) await this.#probe();
      } while (this.#fresh);
      const { clock, transport, pictures } = this.#parts;
      if (!transport.closed && pictures().some(({ fallback }) => fallback.wavers)) {
        this.#cancelAgain = clock.after(judgeAgainMs, () => void this.#consider());
      }
    } catch {
      // The transport closed under it.
    } finally {
      this.#busy = false;
    }
  }

  async #judge(availableBps: number): Promise<void> {
    const { clock, transport } = this.#parts;
    const pictures = this.#parts.pictures();
    const soundBps = this.#parts.sounds() * limits.audioNeedBps;
    const doubtful = availableBps < 2 * (soundBps + this.#lastNeedBps);
    const age = doubtful ? measureMs.doubtful : measureMs.sure;
    const needs = await Promise.all(pictures.map(({ track }) => track.needBps(age)));
    if (transport.closed) return;
    this.#lastNeedBps = needs.reduce((sum, bps) => sum + goodFrom(bps), 0);
    const off = ({ fallback }: Picture): boolean => !fallback.carries;
    const shares = dealOut(
      availableBps,
      soundBps,
      pictures.map((picture, index) => ({ off: off(picture), needBps: needs[index] ?? 0 })),
    );
    for (const [index, picture] of pictures.entries()) {
      const { state, carries } = picture.fallback;
      const after = picture.fallback.sample(clock.now(), shares[index] ?? 0, needs[index] ?? 0);
      if (picture.fallback.carries !== carries) picture.carry();
      if (after !== state) picture.changed(after);
    }
    const firstOff = pictures.findIndex(off);
    const carried = pictures.reduce((sum, picture, i) => sum + (off(picture) ? 0 : poorBelow(needs[i] ?? 0)), 0);
    this.#probeBps =
      firstOff < 0 ? null : Math.ceil((soundBps + carried + goodFrom(needs[firstOff] ?? 0)) * probeMargin);
  }

  async #probe(): Promise<void> {
    if (this.#probeBps === null) return this.#unbound();
    this.#bounded = true;
    this.#stepUp = !this.#stepUp;
    const bound = this.#stepUp ? Math.ceil(this.#probeBps * probeStep) : this.#probeBps;
    await this.#parts.transport.setMaxOutgoingBitrate(Math.max(boundBpsMin, bound));
  }

  async #unbound(): Promise<void> {
    if (!this.#bounded) return;
    this.#bounded = false;
    await this.#parts.transport.setMaxOutgoingBitrate(0);
  }
}
