/** Reads a sealed archive at any place, also one that still grows: for a player that seeks, for an answer to a range. */
import type { UnwrapKey } from './recipients.ts';
import {
  changed,
  cipherFor,
  cut,
  endMark,
  openWhole,
  type Prefix,
  prefixBytes,
  readPrefix,
  streamBytesMin,
} from './sealed-archive.ts';
import { type ChunkCipher, streamHeadBytes } from './sealed-chunks.ts';

/** The file, wherever it lies. */
export interface Ranges {
  /** How many bytes there are now. */
  size(): Promise<number>;
  /** The bytes from a place on: as many as asked for, fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What can be read now. */
export interface Extent {
  /** Clear bytes. */
  readonly bytes: number;
  /** The last chunk is there, and is authentic. Otherwise the archive still grows, or was cut: its keeper knows which. */
  readonly complete: boolean;
}

interface Place extends Extent {
  /** Whole chunks that are there, the last one included. */
  readonly chunks: number;
}

/** A sealed archive that was opened. */
export class SealedReader {
  readonly #ranges: Ranges;
  readonly #cipher: ChunkCipher;
  /** Where the stream begins in the file. */
  readonly #start: number;
  #complete: Place | null = null;
  /** The chunk that was opened last: players read in small steps. */
  #recent: { index: number; clear: Buffer } | null = null;

  constructor(ranges: Ranges, cipher: ChunkCipher, start: number) {
    this.#ranges = ranges;
    this.#cipher = cipher;
    this.#start = start;
  }

  /** How much there is. @throws PlatformError `ArchiveChanged` when its last chunk is not as it was sealed */
  async extent(): Promise<Extent> {
    const { bytes, complete } = await this.#place();
    return { bytes, complete };
  }

  /**
   * Clear bytes from a place on; fewer than asked for only where `extent` ends, none past it.
   * @throws PlatformError `ArchiveChanged` when a chunk of them is not as it was sealed, `ArchiveCut` when it went away
   */
  async read(offset: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.#parts(offset, length, (index, place) => this.#recently(index, place))) {
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** The same in parts as they are opened, each of them the caller's own: for much of it, read once. */
  parts(offset: number, length: number): AsyncGenerator<Buffer> {
    return this.#parts(offset, length, (index, place) => this.#chunk(index, place));
  }

  async *#parts(
    offset: number,
    length: number,
    chunk: (index: number, place: Place) => Promise<Buffer>,
  ): AsyncGenerator<Buffer> {
    const { layout } = this.#cipher;
    const place = await this.#place();
    const end = Math.min(offset + length, place.bytes);
    for (let at = offset; at < end; ) {
      const index = layout.indexOf(at);
      const start = layout.clearStart(index);
      const clear = await chunk(index, place);
      if (at - start >= clear.length) throw changed(index);
      // Its length is asked for first: whoever takes it may give its memory back.
      const next = start + clear.length;
      yield clear.subarray(at - start, end - start);
      at = next;
    }
  }

  /** Wipes the key. */
  close(): void {
    this.#recent?.clear.fill(0);
    this.#recent = null;
    this.#cipher.wipe();
  }

  async #place(): Promise<Place> {
    if (this.#complete) return this.#complete;
    const { layout } = this.#cipher;
    const stream = (await this.#ranges.size()) - this.#start;
    if (stream >= streamBytesMin && endMark.equals(await this.#raw(stream - endMark.length, endMark.length))) {
      const sealed = stream - endMark.length;
      const index = Math.floor((sealed - 1) / layout.chunkBytes);
      const start = layout.sealedStart(index);
      const last = this.#cipher.open(index, true, await this.#raw(start, sealed - start));
      if (!last) throw changed(index);
      this.#complete = { chunks: index + 1, bytes: layout.clearStart(index) + last.length, complete: true };
      return this.#complete;
    }
    const chunks = Math.max(0, Math.floor(stream / layout.chunkBytes));
    return { chunks, bytes: layout.clearStart(chunks), complete: false };
  }

  async #recently(index: number, place: Place): Promise<Buffer> {
    if (this.#recent?.index === index) return this.#recent.clear;
    const clear = await this.#chunk(index, place);
    this.#recent = { index, clear };
    return clear;
  }

  async #chunk(index: number, { chunks, complete, bytes }: Place): Promise<Buffer> {
    const { layout } = this.#cipher;
    const last = index === chunks - 1;
    const full = layout.clearStart(index) + layout.clearBytes(index);
    const length = layout.sealedBytes(index) - (last && complete ? full - bytes : 0);
    const sealed = await this.#raw(layout.sealedStart(index), length);
    const clear = last && !complete ? openWhole(this.#cipher, index, sealed) : this.#cipher.open(index, last, sealed);
    if (!clear) throw changed(index);
    return clear;
  }

  async #raw(offset: number, length: number): Promise<Buffer> {
    const bytes = await this.#ranges.read(this.#start + offset, length);
    if (bytes.length !== length) throw cut('it was shortened while it was read');
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

async function exactly(ranges: Ranges, offset: number, length: number): Promise<Buffer> {
  const bytes = await ranges.read(offset, length);
  if (bytes.length < length) throw cut('it ends in its header');
  return Buffer.from(bytes.buffer, bytes.byteOffset, length);
}

/**
 * Opens a sealed archive for reading at any place. It may still grow: its header must be there, and each read sees the
 * whole chunks that there are by then.
 * @throws PlatformError `ArchiveUnreadable`, `ArchiveKeyWrong`, `ArchiveChanged`, and `ArchiveCut` when the header is not whole
 */
export async function openSealedRanges(ranges: Ranges, unwrap: UnwrapKey): Promise<SealedReader> {
  const start = await exactly(ranges, 0, prefixBytes);
  const prefix: Prefix = readPrefix(start);
  const rest = await exactly(ranges, prefixBytes, prefix.headBytes - prefixBytes + streamHeadBytes);
  const head = Buffer.concat([start, rest.subarray(0, -streamHeadBytes)]);
  const cipher = await cipherFor(head, rest.subarray(-streamHeadBytes), prefix, unwrap);
  return new SealedReader(ranges, cipher, prefix.headBytes);
}
