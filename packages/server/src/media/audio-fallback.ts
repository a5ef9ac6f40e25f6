/**
 * Fall-back to audio at the subscriber: when the way to a client does not carry a stream's picture any more, the picture
 * goes and the sound stays; when it does again, the picture comes back. Pure: samples of the server's bandwidth estimate
 * go in with their times, states come out.
 *
 * A sample is poor when the share of a picture is below what its lowest layer needs, at least `audioFallbackBps`; it is
 * good from `audioRecoverBps` and a quarter more than that need. Poor for half of `audioFallbackSeconds` warns, for all of
 * it turns the picture off. Good for `audioRecoverSeconds` has it sent again, without a word, and when the way is still good
 * after `audioTrialSeconds` it counts as on. In between nothing changes.
 *
 * The trial is needed since many lines let a short burst through faster than what follows, and a probe of the way is a
 * short burst: only the picture itself shows whether there is room for it. Of each trial that fails, and of each picture
 * that came back and did not stay for `audioRecoverSecondsMax`, the next wait is half as long again, up to that. For the same
 * reason a fair time shorter than `audioTrialSeconds` between two poor ones counts as poor.
 *
 * A picture whose share is less than half of its need would drown the sound before that time is over, so it is held back
 * at once, until a sample is good; whether that becomes a fall-back is still told by the times above.
 */
import { limits } from '@cloister/protocol';

export type PictureState = 'on' | 'warning' | 'off';

const recoverMargin = 1.25;
const drowningShare = 0.5;
const longer = 1.5;

/** Bits a second below which a picture goes. @param needBps what its lowest layer takes now. */
export function poorBelow(needBps: number): number {
  return Math.max(limits.audioFallbackBps, needBps);
}

/** Bits a second from which a picture comes back. */
export function goodFrom(needBps: number): number {
  return Math.max(limits.audioRecoverBps, needBps * recoverMargin);
}

const recoverMs = limits.audioRecoverSeconds * 1000;
const trialMs = limits.audioTrialSeconds * 1000;
const recoverMsMax = limits.audioRecoverSecondsMax * 1000;
const fallbackMs = limits.audioFallbackSeconds * 1000;

export class AudioFallback {
  #state: PictureState = 'on';
  #held = false;
  /** Whether the time since the last sample counts as poor, and how much of it there was. */
  #poor = false;
  #sampledAt = 0;
  #poorMs = 0;
  #fairSince: number | null = null;
  #goodSince: number | null = null;
  #trialSince: number | null = null;
  #returnedAt: number | null = null;
  #recoverMs = recoverMs;

  /** Whether the picture may be sent now. */
  get carries(): boolean {
    return this.#state === 'off' ? this.#trialSince !== null : !this.#held;
  }

  get state(): PictureState {
    return this.#state;
  }

  /** Whether time alone, with no other sample, will change the state. */
  get wavers(): boolean {
    return this.#state === 'off' ? this.#goodSince !== null : this.#poor;
  }

  /** Takes a sample at `nowMs`. @returns the state after it. */
  sample(nowMs: number, shareBps: number, needBps: number): PictureState {
    const good = shareBps >= goodFrom(needBps);
    if (this.#poor) this.#poorMs += nowMs - this.#sampledAt;
    this.#sampledAt = nowMs;
    this.#held = shareBps < poorBelow(needBps) * drowningShare || (this.#held && !good);
    this.#poor = shareBps < poorBelow(needBps) || this.#held;
    // The fair time in between was no more than a lucky probe.
    if (this.#poor && this.#fairSince !== null && this.#poorMs > 0) this.#poorMs += nowMs - this.#fairSince;
    this.#fairSince = this.#poor ? null : (this.#fairSince ?? nowMs);
    this.#goodSince = good ? (this.#goodSince ?? nowMs) : null;
    this.#state = this.#state === 'off' ? this.#afterOff(nowMs) : this.#afterOn(nowMs);
    return this.#state;
  }

  #afterOff(nowMs: number): PictureState {
    if (this.#goodSince === null) {
      if (this.#trialSince !== null) this.#waitLonger();
      this.#trialSince = null;
      return 'off';
    }
    if (this.#trialSince === null) {
      if (nowMs - this.#goodSince >= this.#recoverMs) this.#trialSince = nowMs;
      return 'off';
    }
    if (nowMs - this.#trialSince < trialMs) return 'off';
    this.#trialSince = null;
    this.#returnedAt = nowMs;
    this.#poorMs = 0;
    return 'on';
  }

  #waitLonger(): void {
    this.#recoverMs = Math.min(recoverMsMax, longer * this.#recoverMs);
  }

  #afterOn(nowMs: number): PictureState {
    if (this.#fairSince !== null) {
      if (nowMs - this.#fairSince >= trialMs) this.#poorMs = 0;
      return 'on';
    }
    if (this.#poorMs < fallbackMs) return this.#poorMs >= fallbackMs / 2 ? 'warning' : 'on';
    if (this.#returnedAt !== null && nowMs - this.#returnedAt < recoverMsMax) this.#waitLonger();
    else this.#recoverMs = recoverMs;
    return 'off';
  }

  /** Back to the beginning: audio fall-back does not apply to this picture any more. */
  reset(): void {
    this.#state = 'on';
    this.#held = false;
    this.#poor = false;
    this.#poorMs = 0;
    this.#fairSince = null;
    this.#goodSince = null;
    this.#trialSince = null;
    this.#returnedAt = null;
    this.#recoverMs = recoverMs;
  }
}

/** One picture on a client's way. */
export interface PictureNeed {
  readonly off: boolean;
  readonly needBps: number;
}

/**
 * Deals out what a client's way carries: sound first, then the pictures that are on, in their order, then those that are
 * off. Each gets what is left by those before it, so on a poor way the last ones go and the first stays.
 * @returns the share of each picture, in the order given.
 */
export function dealOut(availableBps: number, soundBps: number, pictures: readonly PictureNeed[]): number[] {
  const shares = new Array<number>(pictures.length).fill(0);
  let left = Math.max(0, availableBps - soundBps);
  for (const off of [false, true]) {
    for (const [index, picture] of pictures.entries()) {
      if (picture.off !== off) continue;
      shares[index] = left;
      left = Math.max(0, left - poorBelow(picture.needBps));
    }
  }
  return shares;
}
