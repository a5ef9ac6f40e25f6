/** Writes that go to a disk one after the other, while nobody waits for each. */

/** Nothing is written after the first that fails; what it failed with is kept. */
export class WriteOrder {
  #written: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  /** What a write failed with; null while none has. */
  get failure(): unknown {
    return this.#failure;
  }

  add(write: () => Promise<unknown>): void {
    this.#written = this.#written.then(async () => {
      if (this.#failure) return;
      try {
        await write();
      } catch (error) {
        this.#failure = error;
      }
    });
  }

  /** Resolves when all that was added before is written, or was given up. */
  settled(): Promise<void> {
    return this.#written;
  }
}
