/**
 * Cloister's own format of sealed archives, which is authenticated: `docs/reference/sealed-archive.md` has every byte.
 *
 *     CLOISEAL | version 1 | log2 of the chunk size 1 | length of the header 4 | header (JSON)
 *     40 | salt 32 | nonce prefix 7 | chunk 0 | chunk 1 | … | last chunk | END MARK 8
 *
 * The end mark is in the clear and proves nothing. It tells a file that was cut from one whose last bytes were changed.
 */
import { randomBytes } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { ByteQueue } from './byte-queue.ts';
import type { UnwrapKey, WrapKey } from './recipients.ts';
import {
  ChunkCipher,
  contentKeyBytes,
  noncePrefixBytes,
  saltBytes,
  streamHeadBytes,
  streamHeadOf,
  tagBytes,
} from './sealed-chunks.ts';
import type { Random, Sealer } from './sealer.ts';

/** What every sealed archive begins with. */
export const magic = Buffer.from('CLOISEAL');
/** What every complete sealed archive ends with. */
export const endMark = Buffer.from('SEAL.END');
const version = 1;
/** Magic, version, chunk size, length of the header. */
export const prefixBytes = magic.length + 1 + 1 + 4;

class GcmSealer implements Sealer {
  readonly #cipher: ChunkCipher;
  #index = 0;
  /** What goes out with the next bytes; at first, all that precedes the chunks. */
  #before: Buffer;
  #ended = false;
  readonly #held = new ByteQueue();

  constructor(before: Buffer, cipher: ChunkCipher) {
    this.#before = before;
    this.#cipher = cipher;
  }

  write(clear: Uint8Array): Buffer {
    this.#assertOpen();
    this.#held.push(Buffer.from(clear));
    const out = [this.#before];
    this.#before = Buffer.alloc(0);
    // A full chunk waits for the byte after it: until then it may be the last one.
    while (this.#held.length > this.#cipher.layout.clearBytes(this.#index)) {
      out.push(this.#seal(this.#held.take(this.#cipher.layout.clearBytes(this.#index)), false));
    }
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }

  end(): Buffer {
    this.#assertOpen();
    const last = Buffer.concat([this.#before, this.#seal(this.#held.take(this.#held.length), true), endMark]);
    this.discard();
    return last;
  }

  discard(): void {
    this.#ended = true;
    this.#held.wipe();
    this.#cipher.wipe();
  }

  #seal(clear: Buffer, last: boolean): Buffer {
    const sealed = this.#cipher.seal(this.#index, last, clear);
    this.#index += 1;
    return sealed;
  }

  #assertOpen(): void {
    if (this.#ended) throw new PlatformError('WrongState', { why: 'this archive is sealed to its end' });
  }
}

/** All that precedes the head of the stream. @throws PlatformError `LimitReached` past `sealedHeaderBytes` */
function headOf(header: object, chunkBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  if (json.length > limits.sealedHeaderBytes) {
    throw new PlatformError('LimitReached', { limit: 'sealedHeaderBytes', value: limits.sealedHeaderBytes });
  }
  const prefix = Buffer.alloc(prefixBytes);
  magic.copy(prefix);
  prefix[magic.length] = version;
  prefix[magic.length + 1] = Math.log2(chunkBytes);
  prefix.writeUInt32BE(json.length, magic.length + 2);
  return Buffer.concat([prefix, json]);
}

/**
 * Begins a sealed archive, with a content key that is used for it alone and known to `wrap` alone.
 * @param wrap puts the content key into the header: `toCertificates`, `toPlatform`
 * @param chunkBytes a power of two, from `sealedChunkBytesMin` to `sealedChunkBytesMax`
 * @returns the sealer; the header comes with its first bytes
 */
export async function createArchiveSealer(
  wrap: WrapKey,
  random: Random = randomBytes,
  chunkBytes: number = limits.sealedChunkBytes,
): Promise<Sealer> {
  if (!Number.isInteger(Math.log2(chunkBytes)) || !chunkSizeAllowed(chunkBytes)) {
    throw new PlatformError('BadRequest', { why: `${chunkBytes} is not a size for chunks` });
  }
  const contentKey = random(contentKeyBytes);
  try {
    return createArchiveSealerWith(contentKey, await wrap(contentKey), random, chunkBytes);
  } finally {
    contentKey.fill(0);
  }
}

/**
 * The same where the content key was made and wrapped elsewhere, for this one archive: in the server, for a recorder that
 * has no keys. Overwrites the key that it is given.
 */
export function createArchiveSealerWith(
  contentKey: Buffer,
  header: object,
  random: Random = randomBytes,
  chunkBytes: number = limits.sealedChunkBytes,
): Sealer {
  try {
    const head = headOf(header, chunkBytes);
    const streamHead = streamHeadOf(random(saltBytes), random(noncePrefixBytes));
    const cipher = new ChunkCipher(contentKey, streamHead, head, chunkBytes);
    return new GcmSealer(Buffer.concat([head, streamHead]), cipher);
  } finally {
    contentKey.fill(0);
  }
}

function chunkSizeAllowed(bytes: number): boolean {
  return bytes >= limits.sealedChunkBytesMin && bytes <= limits.sealedChunkBytesMax;
}

function unreadable(why: string): never {
  throw new PlatformError('ArchiveUnreadable', { why });
}

/** A file that was cut. */
export function cut(why: string): PlatformError {
  return new PlatformError('ArchiveCut', { why });
}

/** A file whose bytes are not those that were sealed. */
export function changed(index: number): PlatformError {
  return new PlatformError('ArchiveChanged', { why: `chunk ${index}` });
}

/** What the first bytes say about those that follow. */
export interface Prefix {
  readonly chunkBytes: number;
  /** From the beginning of the file to the head of the stream. */
  readonly headBytes: number;
}

/** Reads the first `prefixBytes` of a file. @throws PlatformError `ArchiveUnreadable` */
export function readPrefix(bytes: Buffer): Prefix {
  if (!bytes.subarray(0, magic.length).equals(magic))
    unreadable('it does not begin as a sealed archive of Cloister does');
  const found = bytes[magic.length];
  if (found !== version) unreadable(`it has version ${found} of the format; this program knows version ${version}`);
  const chunkBytes = 2 ** (bytes[magic.length + 1] as number);
  if (!chunkSizeAllowed(chunkBytes)) unreadable('its chunks have a size that is not allowed');
  const length = bytes.readUInt32BE(magic.length + 2);
  if (length > limits.sealedHeaderBytes)
    unreadable(`its header has more than sealedHeaderBytes, ${limits.sealedHeaderBytes}`);
  return { chunkBytes, headBytes: prefixBytes + length };
}

/**
 * The cipher for the chunks of a file.
 * @param head all that precedes the stream
 * @throws PlatformError whatever `unwrap` throws, `ArchiveUnreadable`
 */
export async function cipherFor(
  head: Buffer,
  streamHead: Buffer,
  { chunkBytes }: Prefix,
  unwrap: UnwrapKey,
): Promise<ChunkCipher> {
  if (streamHead[0] !== streamHeadBytes) unreadable('the head of its stream has another length than 40');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(head.subarray(prefixBytes)));
  } catch {
    unreadable('its header is not JSON');
  }
  const contentKey = await unwrap(header);
  const cipher = new ChunkCipher(contentKey, streamHead, head, chunkBytes);
  contentKey.fill(0);
  return cipher;
}

/** Reads from a source until so many bytes are held. @throws PlatformError `ArchiveCut` when there are fewer */
async function fill(queue: ByteQueue, source: AsyncIterator<Uint8Array>, bytes: number): Promise<void> {
  while (queue.length < bytes) {
    const { value, done } = await source.next();
    if (done) throw cut('it ends in its header');
    queue.push(value);
    queue.own();
  }
}

async function begin(queue: ByteQueue, source: AsyncIterator<Uint8Array>, unwrap: UnwrapKey): Promise<ChunkCipher> {
  await fill(queue, source, prefixBytes);
  const start = queue.take(prefixBytes);
  const prefix = readPrefix(start);
  await fill(queue, source, prefix.headBytes - prefixBytes + streamHeadBytes);
  const head = Buffer.concat([start, queue.take(prefix.headBytes - prefixBytes)]);
  return cipherFor(head, queue.take(streamHeadBytes), prefix, unwrap);
}

/** What is left when the source has ended: the last chunk and the mark, or the pieces that a cut left. */
function* finish(queue: ByteQueue, cipher: ChunkCipher, index: number): Generator<Buffer> {
  const rest = queue.take(queue.length);
  if (rest.subarray(-endMark.length).equals(endMark)) {
    const clear = cipher.open(index, true, rest.subarray(0, -endMark.length));
    if (!clear) throw changed(index);
    yield clear;
    return;
  }
  const full = cipher.layout.sealedBytes(index);
  if (rest.length >= full) {
    const clear = openWhole(cipher, index, rest.subarray(0, full));
    if (!clear) throw changed(index);
    yield clear;
  }
  throw cut('what it has opens, and its end is missing');
}

/** A whole chunk at the end of what there is: the mark that would say whether it is the last is missing. */
export function openWhole(cipher: ChunkCipher, index: number, sealed: Buffer): Buffer | null {
  return cipher.open(index, false, sealed) ?? cipher.open(index, true, sealed);
}

/**
 * Opens a sealed archive as it comes. Each part that it gives is authentic, and is what stands at that place. It has come
 * to its end without an error if the archive is complete, and only then.
 * @param source the file; a part of it need be good only until the next is asked for
 * @throws PlatformError `ArchiveUnreadable`, `ArchiveKeyWrong`: before the first byte; `ArchiveChanged`, `ArchiveCut`: after
 *   all chunks that precede the fault
 */
export async function* openSealedArchive(source: AsyncIterable<Uint8Array>, unwrap: UnwrapKey): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  const queue = new ByteQueue();
  let cipher: ChunkCipher | undefined;
  try {
    cipher = await begin(queue, iterator, unwrap);
    let index = 0;
    for (;;) {
      // More than a chunk and a mark: what follows is another chunk.
      while (queue.length > cipher.layout.sealedBytes(index) + endMark.length) {
        const clear = cipher.open(index, false, queue.take(cipher.layout.sealedBytes(index)));
        if (!clear) throw changed(index);
        yield clear;
        index += 1;
      }
      // The part is its owner's again once the next is asked for.
      queue.own();
      const next = await iterator.next();
      if (next.done) break;
      queue.push(next.value);
    }
    yield* finish(queue, cipher, index);
  } finally {
    cipher?.wipe();
    await iterator.return?.();
  }
}

/** Bytes of the smallest sealed stream: its head, an empty last chunk, the mark. */
export const streamBytesMin = streamHeadBytes + tagBytes + endMark.length;
