/**
 * When a publisher gives up its picture for its sound, and when it tries the picture again. Pure: samples in, steps out.
 *
 * Without a picture the sender's estimate cannot grow, since nothing is sent that could prove it: so the lowest layer
 * is sent as a probe (the stream still counts as without picture), and it stays when the estimate rises.
 */
import { limits } from '@cloister/protocol/limits';

export interface Sample extends Condition {
  /** Milliseconds. */
  readonly now: number;
}

/** How a way carries what is sent. */
export interface Condition {
  /** Bits a second that may be sent; null where the browser does not say. */
  readonly estimateBps: number | null;
  /** Bits a second that the picture is given, where the network limits it; null where it does not, or nobody says. */
  readonly pictureBps: number | null;
  /** 0 to 1, of the sound. */
  readonly audioLoss: number;
}

/**
 * What counts of several ways, one to each subscriber: a publisher gives up what none of them carries. The encoder of a subscriber who
 * alone is behind a poor one follows that. null where there is no way.
 */
export function bestOf(ways: readonly Condition[]): Condition | null {
  if (ways.length === 0) return null;
  const most = (values: readonly (number | null)[]) =>
    values.includes(null) ? null : Math.max(...(values as readonly number[]));
  return {
    estimateBps: most(ways.map(({ estimateBps }) => estimateBps)),
    pictureBps: most(ways.map(({ pictureBps }) => pictureBps)),
    audioLoss: Math.min(...ways.map(({ audioLoss }) => audioLoss)),
  };
}

/** `warn`/`lift`: OpenTok's warning; `off`/`on`: the picture; `probe`/`unprobe`: the lowest layer, unannounced. */
export type Step = 'warn' | 'lift' | 'off' | 'on' | 'probe' | 'unprobe' | null;

const lossBad = 0.15;
const lossGood = 0.03;
const probeSeconds = 4;
const longer = 1.5;

export class PublisherQuality {
  #state: 'good' | 'poor' | 'off' | 'probing' = 'good';
  #since = 0;
  #goodSince: number | null = null;
  #restSeconds: number = limits.audioRecoverSeconds;

  /** Whether the picture is gone for quality. */
  get off(): boolean {
    return this.#state === 'off' || this.#state === 'probing';
  }

  /** Takes a sample, some once a second; answers what to do now. */
  take(sample: Sample): Step {
    const poor = isPoor(sample);
    switch (this.#state) {
      case 'good':
        return poor ? this.#go('poor', sample, 'warn') : null;
      case 'poor':
        if (!poor) return this.#go('good', sample, 'lift');
        return this.#lasted(sample, limits.audioFallbackSeconds) ? this.#go('off', sample, 'off') : null;
      case 'off':
        if (sample.audioLoss > lossGood) {
          this.#since = sample.now;
          return null;
        }
        return this.#lasted(sample, this.#restSeconds) ? this.#go('probing', sample, 'probe') : null;
      case 'probing':
        return this.#probing(sample);
    }
  }

  #probing(sample: Sample): Step {
    const recovered = (sample.estimateBps ?? Number.POSITIVE_INFINITY) >= limits.publisherRecoverBps;
    if (recovered && sample.audioLoss <= lossGood) {
      this.#goodSince ??= sample.now;
      if (sample.now - this.#goodSince >= 1000) {
        this.#restSeconds = limits.audioRecoverSeconds;
        return this.#go('good', sample, 'on');
      }
      return null;
    }
    this.#goodSince = null;
    if (!this.#lasted(sample, probeSeconds) && sample.audioLoss <= lossBad) return null;
    this.#restSeconds = Math.min(limits.audioRecoverSecondsMax, this.#restSeconds * longer);
    return this.#go('off', sample, 'unprobe');
  }

  #lasted(sample: Sample, seconds: number): boolean {
    return sample.now - this.#since >= seconds * 1000;
  }

  #go(state: 'good' | 'poor' | 'off' | 'probing', sample: Sample, step: Step): Step {
    this.#state = state;
    this.#since = sample.now;
    this.#goodSince = null;
    return step;
  }
}

/**
 * Chromium's estimate never falls below what the least picture and the sound take together, some 84 kbit/s and more with
 * better sound, however little gets through (libwebrtc: the sum of the streams' minimum is a floor). Then what the picture
 * is left with tells it.
 */
function isPoor({ estimateBps, pictureBps, audioLoss }: Sample): boolean {
  if (audioLoss > lossBad) return true;
  if (estimateBps === null || estimateBps >= limits.publisherRecoverBps) return false;
  const starved = pictureBps !== null && pictureBps < limits.publisherFallbackBps - limits.audioNeedBps;
  return starved || estimateBps < limits.publisherFallbackBps;
}
