/** Bytes that come in parts of any size and are taken in parts of another. */
export class ByteQueue {
  #parts: Buffer[] = [];
  #length = 0;

  /** How many bytes are in it. */
  get length(): number {
    return this.#length;
  }

  /** Adds a part. It is not copied: who hands it over does not change it before it was taken, or `own` was called. */
  push(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(Buffer.from(part.buffer, part.byteOffset, part.length));
    this.#length += part.length;
  }

  /** Takes the first bytes out. @throws RangeError when there are fewer. */
  take(bytes: number): Buffer {
    if (bytes > this.#length) throw new RangeError(`${bytes} bytes of ${this.#length}`);
    this.#length -= bytes;
    const taken: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      const first = this.#parts[0] as Buffer;
      if (first.length <= missing) {
        taken.push(first);
        this.#parts.shift();
      } else {
        taken.push(first.subarray(0, missing));
        this.#parts[0] = first.subarray(missing);
      }
      missing -= Math.min(missing, first.length);
    }
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes);
  }

  /** Copies what is still in it, so that the parts are their owner's again. */
  own(): void {
    if (this.#length > 0) this.#parts = [Buffer.concat(this.#parts, this.#length)];
  }

  /** Empties it, and overwrites what was in it. Only for bytes of its owner. */
  wipe(): void {
    for (const part of this.#parts) part.fill(0);
    this.#parts = [];
    this.#length = 0;
  }
}
