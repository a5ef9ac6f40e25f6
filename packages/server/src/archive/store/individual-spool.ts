/**
 * The spool of one file of an individual archive, as a download reads it: opened with the content key that the project's data
 * key wraps, or as it is where it is sealed to certificates.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { PlatformError } from '@cloister/protocol';
import { giveBack } from '../../lib/index.ts';
import type { UnwrapKey } from '../seal/recipients.ts';
import { cut, endMark, prefixBytes, readPrefix } from '../seal/sealed-archive.ts';
import { ChunkLayout } from '../seal/sealed-chunks.ts';
import { openSealedRanges, type Ranges, type SealedReader } from '../seal/sealed-ranges.ts';
import type { IndexedFile } from './individual-index.ts';

/** How much is read from a disk at a time. */
const readBytes = 256 * 1024;

type Ended = NonNullable<IndexedFile['ended']>;
type Stored = NonNullable<IndexedFile['stored']>;

/** A spool that is open. */
export interface Spool {
  /**
   * What there is of a file whose end nobody knows.
   * @returns null where nothing of it opens
   * @throws PlatformError `ArchiveCut` where not even its head is there
   */
  measure(): Promise<Pick<IndexedFile, 'ended' | 'stored'> | null>;
  /** Bytes of what a download has of it, from a place on. @throws PlatformError `ArchiveCut` */
  read(file: IndexedFile, offset: number, length: number): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

/** The file, read in large steps: a chunk is small, and a read costs nearly the same for many of them. */
function readingAhead(handle: FileHandle): Ranges {
  let held = { start: 0, bytes: Buffer.alloc(0) };
  return {
    size: async () => (await handle.stat()).size,
    async read(offset, length) {
      const from = offset - held.start;
      if (from >= 0 && from + length <= held.bytes.length) return held.bytes.subarray(from, from + length);
      const room = Buffer.allocUnsafeSlow(Math.max(length, readBytes));
      const { bytesRead } = await handle.read(room, 0, room.length, offset);
      held = { start: offset, bytes: room.subarray(0, bytesRead) };
      return held.bytes.subarray(0, length);
    },
  };
}

/** @throws PlatformError `ArchiveCut` where not even its head is there, `ArchiveChanged` where it is another file's */
export async function openSpool(name: string, file: number, unwrap: UnwrapKey): Promise<Spool> {
  const handle = await open(name, 'r');
  const ofThisFile: UnwrapKey = async (header) => {
    const { file: number, ...rest } = Object(header) as { file?: unknown };
    if (number !== file) throw new PlatformError('ArchiveChanged', { why: 'a file lies in the place of another' });
    return unwrap(rest);
  };
  try {
    return new OpenedSpool(handle, await openSealedRanges(readingAhead(handle), ofThisFile));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class OpenedSpool implements Spool {
  readonly #handle: FileHandle;
  readonly #reader: SealedReader;

  constructor(handle: FileHandle, reader: SealedReader) {
    this.#handle = handle;
    this.#reader = reader;
  }

  async measure(): Promise<Pick<IndexedFile, 'ended' | 'stored'> | null> {
    const extent = await this.#reader.extent();
    let [bytes, sum] = [0, 0];
    try {
      for await (const part of this.#read(0, extent.bytes)) {
        bytes += part.length;
        sum = crc32(part, sum);
        giveBack(part);
      }
    } catch (error) {
      // A power cut leaves the length of what had not been synced, without its bytes.
      if ((error as { code?: unknown }).code !== 'ArchiveChanged' || extent.complete) throw error;
    }
    return bytes === 0 ? null : { ended: { bytes, headBytes: 0, crc32: sum }, stored: null };
  }

  /** With its last head in the place of its first. */
  async *read({ ended }: IndexedFile, offset: number, length: number): AsyncGenerator<Buffer> {
    const { bytes, headBytes } = ended as Ended;
    const extent = await this.#reader.extent();
    // A file that was ended and lacks its last chunk was shortened since.
    if (extent.bytes < bytes + headBytes || (headBytes > 0 && !extent.complete))
      throw cut('a file of it was shortened');
    const inHead = Math.max(0, Math.min(headBytes - offset, length));
    yield* this.#read(bytes + offset, inHead);
    yield* this.#read(offset + inHead, length - inHead);
  }

  async close(): Promise<void> {
    this.#reader.close();
    await this.#handle.close();
  }

  #read(offset: number, length: number): AsyncGenerator<Buffer> {
    return this.#reader.parts(offset, length);
  }
}

/** Cipher text that nobody here has a key for. @throws what the disk says */
export async function openSealedSpool(name: string): Promise<Spool> {
  return new SealedSpool(await open(name, 'r'));
}

class SealedSpool implements Spool {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async measure(): Promise<Pick<IndexedFile, 'ended' | 'stored'> | null> {
    const { size } = await this.#handle.stat();
    const { chunkBytes, headBytes } = readPrefix(await this.#exactly(0, prefixBytes));
    const chunks = Math.max(0, Math.floor((size - headBytes) / chunkBytes));
    const last = await this.#exactly(size - endMark.length, endMark.length);
    if (chunks === 0 && !last.equals(endMark)) return null;
    const hash = createHash('sha256');
    let sum = 0;
    for await (const part of this.#read(0, size)) {
      hash.update(part);
      sum = crc32(part, sum);
      giveBack(part);
    }
    return {
      // Nobody here reads it; whole chunks have as many clear bytes as they have.
      ended: { bytes: new ChunkLayout(chunkBytes).clearStart(chunks), headBytes: 0, crc32: 0 },
      stored: { bytes: size, crc32: sum, sha256: hash.digest('hex') },
    };
  }

  async *read({ stored }: IndexedFile, offset: number, length: number): AsyncGenerator<Buffer> {
    const { size } = await this.#handle.stat();
    if (size < (stored as Stored).bytes) throw cut('a file of it was shortened');
    yield* this.#read(offset, length);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async *#read(offset: number, length: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < length; at += readBytes) {
      yield await this.#exactly(offset + at, Math.min(readBytes, length - at));
    }
  }

  async #exactly(offset: number, length: number): Promise<Buffer> {
    const room = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await this.#handle.read(room, 0, length, offset);
    if (bytesRead < length) throw cut('a file of it was shortened');
    return room;
  }
}
