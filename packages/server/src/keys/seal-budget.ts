/**
 * How many seals a data key has made. Nonces are random, so one key may make 2^32 of them (NIST SP 800-38D section 8.3);
 * we replace it far below that. The count is kept on disk ahead of the truth, in blocks: after a crash the whole block
 * counts as used, so the count is never too low by more than `sealsUncounted`.
 */
import { limits } from '@cloister/protocol/limits';

export class SealBudget {
  #used: number;
  #reserved: number;

  /** @param stored seals that the row says may have been made */
  constructor(stored: number) {
    this.#used = stored;
    this.#reserved = stored;
  }

  /** Counts one seal; false when the disk is so far behind that no more may be made. */
  take(): boolean {
    if (this.#used >= this.#reserved + limits.sealsUncounted) return false;
    this.#used += 1;
    return true;
  }

  /** The key has made as many seals as it may: replace it. No block is reserved for it any more. */
  get worn(): boolean {
    return this.#used >= limits.sealsPerDataKey;
  }

  /** Less than half a block is left: reserve the next one. */
  get low(): boolean {
    return !this.worn && this.#reserved - this.#used < limits.sealsReserved / 2;
  }

  /** The count to write for the next block. */
  next(): number {
    return this.#used + limits.sealsReserved;
  }

  /** A count is on the disk. */
  reserved(count: number): void {
    this.#reserved = Math.max(this.#reserved, count);
  }

  /** What the row has to say now. */
  get stored(): number {
    return Math.max(this.#reserved, this.#used);
  }
}
