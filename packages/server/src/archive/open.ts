/** Opens an archive of either format, as it comes: one file, or a ZIP of sealed ones. */
import { createHash, type KeyObject } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import type { SealFormat } from '../core/index.ts';
import { type Expected, requireExpected } from './seal/expected.ts';
import { openOpenTokArchive } from './seal/opentok-open.ts';
import { byPrivateKey } from './seal/recipients.ts';
import { magic, openSealedArchive } from './seal/sealed-archive.ts';
import { type OpenedEntry, openSealedZip } from './store/sealed-zip.ts';
import { isZip } from './store/zip-reader.ts';

type Source = AsyncIterable<Uint8Array>;
type Clear = AsyncGenerator<Buffer>;

/** What opens an archive. */
export interface OpenWith {
  readonly privateKey: KeyObject;
  /** OpenTok's format needs it: the archive's `password`. The other has all that it needs in its header. */
  readonly password?: string | undefined;
  /** What the stored file has to be, where that is known from elsewhere. */
  readonly expected?: Expected | null;
}

/** An archive whose format is known. */
export interface OpenedArchive {
  readonly format: SealFormat;
  /** The clear bytes; a part is good until the next is asked for. */
  readonly clear: Clear;
  /** Closes the source, for who reads nothing of it. */
  close(): Promise<void>;
}

/** An individual archive: files in Cloister's own format, one after the other. */
export interface OpenedFiles {
  readonly format: 'cloister';
  readonly entries: AsyncGenerator<OpenedEntry>;
  close(): Promise<void>;
}

/** A source whose first bytes were looked at. */
interface Peeked {
  readonly first: Buffer;
  /** The source with them still in front. */
  all(): AsyncGenerator<Uint8Array>;
  /** Closes the source, whether or not somebody has read the rest. */
  close(): Promise<void>;
}

async function peek(source: AsyncIterable<Uint8Array>, bytes: number): Promise<Peeked> {
  const iterator = source[Symbol.asyncIterator]();
  const close = async (): Promise<void> => void (await iterator.return?.());
  const parts: Uint8Array[] = [];
  for (let length = 0; length < bytes; ) {
    const next = await iterator.next();
    if (next.done) break;
    parts.push(Buffer.from(next.value));
    length += next.value.length;
  }
  return {
    first: Buffer.concat(parts).subarray(0, bytes),
    async *all() {
      yield* parts;
      // An iterator that has ended says so again.
      yield* { [Symbol.asyncIterator]: () => iterator };
    },
    close,
  };
}

/**
 * The same as `open` makes of the source; at the end the source must have been the file that was expected. An error of
 * `open` says more about what is wrong, and comes first.
 */
async function* checked<Part>(
  source: Source,
  expected: Expected,
  open: (source: Source) => AsyncGenerator<Part>,
): AsyncGenerator<Part> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const part of source) {
      hash.update(part);
      sizeBytes += part.length;
      yield part;
    }
  }
  yield* open(hashed());
  requireExpected({ sizeBytes, sha256: hash.digest() }, expected);
}

/** The same; at the end, and at the first error, the source is closed. An error may come before it was read at all. */
async function* closing<Part>(parts: AsyncIterable<Part>, close: () => Promise<void>): AsyncGenerator<Part> {
  try {
    yield* parts;
  } finally {
    await close();
  }
}

/** How this archive is opened, by its first bytes. @throws PlatformError `ArchiveUnreadable`, `ArchiveKeyWrong` */
function wayFor(first: Buffer, { privateKey, password }: OpenWith): [SealFormat, (source: Source) => Clear] {
  if (first.equals(magic)) {
    const unwrap = byPrivateKey(privateKey);
    return ['cloister', (source) => openSealedArchive(source, unwrap)];
  }
  if (!password) {
    const why = 'it is not in the format of Cloister, and the format of OpenTok needs the password of the archive';
    throw new PlatformError('ArchiveUnreadable', { why });
  }
  return ['opentok', (source) => openOpenTokArchive(source, privateKey, password)];
}

/**
 * Finds out the format of an archive and opens it. With `expected` the whole file is held against it, and `clear` or `entries`
 * throws at its end where it is another one; without, a changed byte is found in Cloister's own format alone.
 * @param source the file as it was stored; a part of it need be good only until the next is asked for
 * @throws PlatformError `ArchiveUnreadable` when it can only be OpenTok's format and there is no password,
 *   `ArchiveKeyWrong` for a key of another kind; `clear` throws what `openSealedArchive` and `openOpenTokArchive` throw,
 *   `entries` what `openSealedZip` throws
 */
export async function openAnyArchive(source: Source, given: OpenWith): Promise<OpenedArchive | OpenedFiles> {
  const { first, all, close } = await peek(source, magic.length);
  const { expected, password } = given;
  function opening<Part>(open: (source: Source) => AsyncGenerator<Part>): AsyncGenerator<Part> {
    return closing(expected ? checked(all(), expected, open) : open(all()), close);
  }
  try {
    // Cipher text of OpenTok's format may begin with any bytes.
    if (!password && isZip(first)) {
      const unwrap = byPrivateKey(given.privateKey);
      return { format: 'cloister', entries: opening((zip) => openSealedZip(zip, unwrap)), close };
    }
    const [format, open] = wayFor(first, given);
    return { format, clear: opening(open), close };
  } catch (refusal) {
    await close();
    throw refusal;
  }
}

/** The same where it is one file. @throws PlatformError `ArchiveUnreadable` for an individual archive */
export async function openArchive(source: Source, given: OpenWith): Promise<OpenedArchive> {
  const opened = await openAnyArchive(source, given);
  if ('clear' in opened) return opened;
  await opened.close();
  throw new PlatformError('ArchiveUnreadable', { why: 'it is a ZIP of several files' });
}
