/**
 * An individual archive as it is downloaded: a ZIP that is nowhere. Its members lie sealed in the spools; each range of it is
 * opened while it is read.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { PlatformError } from '@cloister/protocol';
import {
  type ArchiveIndex,
  type IndexedFile,
  type IndexSeal,
  manifestOf,
  readIndex,
  readMark,
  spoolOf,
  writeIndex,
} from './individual-index.ts';
import { giveBack } from './memory.ts';
import type { UnwrapKey } from './recipients.ts';
import { cut } from './sealed-archive.ts';
import { openSealedRanges, type Ranges, type SealedReader } from './sealed-ranges.ts';
import { ZipLayout } from './zip.ts';

/** How much is read from a disk at a time. */
const readBytes = 256 * 1024;

/** Where an individual archive is kept, and what opens it. */
export interface KeptIndividual {
  readonly folder: string;
  readonly index: IndexSeal;
  readonly unwrap: UnwrapKey;
}

type Ended = NonNullable<IndexedFile['ended']>;

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

/** One sealed file that is open. */
class Spool {
  readonly #handle: FileHandle;
  readonly #reader: SealedReader;

  private constructor(handle: FileHandle, reader: SealedReader) {
    this.#handle = handle;
    this.#reader = reader;
  }

  /** @throws PlatformError `ArchiveCut` where not even its head is there, `ArchiveChanged` where it is another file's */
  static async open(kept: KeptIndividual, file: number): Promise<Spool> {
    const handle = await open(spoolOf(kept.folder, file), 'r');
    const unwrap: UnwrapKey = async (header) => {
      const { file: number, ...rest } = Object(header) as { file?: unknown };
      if (number !== file) throw new PlatformError('ArchiveChanged', { why: 'a file lies in the place of another' });
      return kept.unwrap(rest);
    };
    try {
      return new Spool(handle, await openSealedRanges(readingAhead(handle), unwrap));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What there is of a file whose end nobody knows. */
  async measure(): Promise<Ended> {
    const { bytes } = await this.#reader.extent();
    let sum = 0;
    for await (const part of this.#read(0, bytes)) {
      sum = crc32(part, sum);
      giveBack(part);
    }
    return { bytes, headBytes: 0, crc32: sum };
  }

  /** Bytes of the file from a place on, with its last head in the place of its first. @throws PlatformError `ArchiveCut` */
  async *read({ bytes, headBytes }: Ended, offset: number, length: number): AsyncGenerator<Buffer> {
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

/** Measures what was not ended, and leaves out what has not even a head. */
async function settled(kept: KeptIndividual, index: ArchiveIndex): Promise<ArchiveIndex> {
  const files: IndexedFile[] = [];
  const stopMs = await readMark(kept.folder);
  for (const file of index.files) {
    if (file.ended) {
      files.push(file);
      continue;
    }
    try {
      const spool = await Spool.open(kept, file.file);
      const ended = await spool.measure().finally(() => spool.close());
      if (ended.bytes > 0) files.push({ ...file, stopMs, ended });
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code !== 'ArchiveCut' && code !== 'ENOENT') throw error;
    }
  }
  return { ...index, files };
}

/**
 * After a recorder or the server died: the index gets the sizes of what was left behind, so that nobody has to measure again.
 * Once more does no harm.
 * @returns null when there is nothing to open
 */
export async function settleIndividual(kept: KeptIndividual): Promise<{ durationMs: number; password: string } | null> {
  const index = await settled(kept, await readIndex(kept.folder, kept.index));
  await writeIndex(kept.folder, index, kept.index);
  const durationMs = (await readMark(kept.folder)) ?? 0;
  return index.files.length === 0 ? null : { durationMs, password: '' };
}

/** @param range first and last byte, both included. @returns the bytes, and the size of the whole ZIP */
export async function openIndividual(kept: KeptIndividual, range?: { start: number; end: number }) {
  const index = await settled(kept, await readIndex(kept.folder, kept.index));
  const ended = index.files.map((file) => file.ended as Ended);
  const manifest = Buffer.from(
    manifestOf(
      index,
      ended.map(({ bytes }) => bytes),
    ),
  );
  const members = [
    { name: `${index.archiveId}.json`, bytes: manifest.length, crc32: crc32(manifest) },
    ...index.files.map(({ fileName }, at) => ({ name: fileName, ...(ended[at] as Ended) })),
  ];
  const layout = new ZipLayout(members, index.createdAt);
  const end = Math.min((range?.end ?? layout.bytes - 1) + 1, layout.bytes);
  const stream = (async function* () {
    for (const part of layout.parts(range?.start ?? 0, end)) {
      if ('bytes' in part) yield part.bytes;
      else if (part.member === 0) yield manifest.subarray(part.offset, part.offset + part.length);
      else {
        const spool = await Spool.open(kept, (index.files[part.member - 1] as IndexedFile).file);
        try {
          yield* spool.read(ended[part.member - 1] as Ended, part.offset, part.length);
        } finally {
          await spool.close();
        }
      }
    }
  })();
  return { stream, sizeBytes: layout.bytes };
}
