/**
 * Which frames of an SSRC were opened already (RFC 9605, section 9.3). All tracks and layers of a sender count with one counter,
 * so that the frames of one SSRC leave gaps; those of a layer that a server drops are never seen at all.
 */
import { limits } from '@cloister/protocol/limits';

/** Counters are numbers below 2^53; `limits.framesPerKey` is far below that. */
export class ReplayWindow {
  #highest = -1;
  /** One bit for each counter of the window, at its counter modulo the window. */
  readonly #seen = new Uint32Array(limits.frameReplayWindow / 32);

  /** The highest counter that was opened; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** @returns whether a frame with this counter may still be opened: it was not yet, and is not older than the window */
  allows(counter: number): boolean {
    if (counter > this.#highest) return true;
    if (this.#highest - counter >= limits.frameReplayWindow) return false;
    const { word, bit } = place(counter);
    return ((this.#seen[word] as number) & bit) === 0;
  }

  /** A frame with this counter was opened, after its authenticity was seen: no earlier, or a forged one would move the window. */
  opened(counter: number): void {
    const first = Math.max(this.#highest + 1, counter - limits.frameReplayWindow + 1);
    for (let fresh = first; fresh <= counter; fresh += 1) {
      const { word, bit } = place(fresh);
      this.#seen[word] = (this.#seen[word] as number) & ~bit;
    }
    const { word, bit } = place(counter);
    this.#seen[word] = (this.#seen[word] as number) | bit;
    this.#highest = Math.max(this.#highest, counter);
  }
}

function place(counter: number): { word: number; bit: number } {
  const at = counter % limits.frameReplayWindow;
  return { word: at >> 5, bit: 1 << (at & 31) };
}
