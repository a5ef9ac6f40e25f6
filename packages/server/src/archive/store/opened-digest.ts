/** What a download of a growing archive in our own format gives, computed as its cipher text is written. */
import { createHash } from 'node:crypto';
import type { UnwrapKey } from '../seal/recipients.ts';
import { openSealedArchive } from '../seal/sealed-archive.ts';
import type { Facts } from './keeping.ts';

/** Opens cipher text part by part, in memory, and keeps of the clear bytes their number and digest. */
export class OpenedDigest {
  readonly #hash = createHash('sha256');
  readonly #opened: Promise<Facts | null>;
  #sizeBytes = 0;
  #give: (part: Buffer | null) => void = () => {};
  /** Resolves when the part before is opened. */
  #taken = Promise.withResolvers<void>();
  #over = false;

  constructor(unwrap: UnwrapKey) {
    this.#opened = this.#open(unwrap);
  }

  /** Resolves when it is opened, as far as it fills chunks; also where it does not open: `end` tells. */
  async take(cipherText: Buffer): Promise<void> {
    await this.#taken.promise;
    if (this.#over) return;
    this.#taken = Promise.withResolvers();
    this.#give(cipherText);
    await this.#taken.promise;
  }

  /** Nothing more comes; once more does no harm. @returns null where what came is no whole archive */
  async end(): Promise<Facts | null> {
    await this.#taken.promise;
    this.#give(null);
    return this.#opened;
  }

  async #open(unwrap: UnwrapKey): Promise<Facts | null> {
    try {
      for await (const clear of openSealedArchive(this.#parts(), unwrap)) {
        this.#hash.update(clear);
        this.#sizeBytes += clear.length;
        clear.fill(0);
      }
      return { sizeBytes: this.#sizeBytes, sha256: this.#hash.digest('base64') };
    } catch {
      return null;
    } finally {
      this.#over = true;
      this.#taken.resolve();
    }
  }

  async *#parts(): AsyncGenerator<Buffer> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<Buffer | null>();
      this.#give = resolve;
      this.#taken.resolve();
      const part = await promise;
      if (part === null) return;
      yield part;
    }
  }
}
