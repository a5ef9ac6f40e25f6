/** Writes that go to a disk one after the other, while nobody waits for each. */

/** What each write takes while it waits, beside its bytes. */
const writeBytes = 512;

/** Nothing is written after the first that fails; what it failed with is kept. */
export class WriteOrder {
  #written: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #waiting = 0;

  /** What a write failed with; null while none has. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Bytes of memory that wait for the disk. */
  get waiting(): number {
    return this.#waiting;
  }

  /** @param bytes that it holds until it is written */
  add(write: () => Promise<unknown>, bytes = 0): void {
    const held = bytes + writeBytes;
    this.#waiting += held;
    this.#written = this.#written.then(async () => {
      try {
        if (!this.#failure) await write();
      } catch (error) {
        this.#failure ??= error;
      } finally {
        this.#waiting -= held;
      }
    });
  }

  /** What is not on its way to the disk yet is not written any more. @param why what is kept as the failure */
  giveUp(why: unknown): void {
    this.#failure ??= why;
  }

  /** Resolves when all that was added before is written, or was given up. */
  settled(): Promise<void> {
    return this.#written;
  }
}
