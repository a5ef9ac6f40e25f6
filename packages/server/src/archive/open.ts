/** Opens an archive of either format, as it comes. */
import { createHash, type KeyObject } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import type { SealFormat } from '../core/index.ts';
import { type Expected, requireExpected } from './manifest.ts';
import { openOpenTokArchive } from './opentok-open.ts';
import { byPrivateKey } from './recipients.ts';
import { magic, openSealedArchive } from './sealed-archive.ts';

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
async function* checked(
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
  open: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
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
async function* closing(clear: Clear, close: () => Promise<void>): Clear {
  try {
    yield* clear;
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
 * Finds out the format of an archive and opens it. With `expected` the whole file is held against it, and `clear` throws
 * at its end where it is another one; without, a changed byte is found in Cloister's own format alone.
 * @param source the file as it was stored; a part of it need be good only until the next is asked for
 * @throws PlatformError `ArchiveUnreadable` when it can only be OpenTok's format and there is no password,
 *   `ArchiveKeyWrong` for a key of another kind; `clear` throws what `openSealedArchive` and `openOpenTokArchive` throw
 */
export async function openArchive(source: Source, given: OpenWith): Promise<OpenedArchive> {
  const { first, all, close } = await peek(source, magic.length);
  try {
    const [format, open] = wayFor(first, given);
    const clear = given.expected ? checked(all(), given.expected, open) : open(all());
    return { format, clear: closing(clear, close) };
  } catch (refusal) {
    await close();
    throw refusal;
  }
}
