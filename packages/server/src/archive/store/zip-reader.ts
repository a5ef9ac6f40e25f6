/**
 * Reads a ZIP as it comes, from a file, a URL or a pipe: member after member, each as it is stored. It takes what `zip.ts`
 * lays out, and nothing else: no compression, sizes in front. Whether bytes are right is for whoever reads them to say.
 */
import { limits, PlatformError } from '@cloister/protocol';
import { ByteQueue } from '../seal/byte-queue.ts';
import { cut } from '../seal/sealed-archive.ts';

/** A member. Its bytes are read before the next member is asked for, or passed over then. */
export interface ReadMember {
  readonly name: string;
  /** A part is good until the next is asked for. */
  readonly data: AsyncGenerator<Buffer>;
}

/** Sections of PKWARE's APPNOTE 6.3.10. */
const signatures = { localHead: 0x04034b50, directoryHead: 0x02014b50, wideEnd: 0x06064b50, end: 0x06054b50 };
/** Behind the signature. */
const localHeadBytes = 26;
const endBytes = 22;
const field32 = 0xffff_ffff;
const zip64 = 0x0001;

function unreadable(why: string): never {
  throw new PlatformError('ArchiveUnreadable', { why });
}

/** Whether a file begins as a ZIP does. @param first its first four bytes or more */
export function isZip(first: Buffer): boolean {
  const signature = first.length >= 4 ? first.readUInt32LE(0) : 0;
  return signature === signatures.localHead || signature === signatures.end;
}

/** A source that is taken in pieces of the sizes that one asks for. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #queue = new ByteQueue();

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  /** @throws PlatformError `ArchiveCut` where there are fewer */
  async take(bytes: number): Promise<Buffer> {
    while (this.#queue.length < bytes) if (!(await this.#more())) throw cut('the ZIP ends before its end');
    return this.#queue.take(bytes);
  }

  /** What there is, at least a byte and at most so many. @throws PlatformError `ArchiveCut` at the end */
  async some(most: number): Promise<Buffer> {
    if (this.#queue.length === 0 && !(await this.#more())) throw cut('the ZIP ends within a member');
    return this.#queue.take(Math.min(most, this.#queue.length));
  }

  /** The last bytes of all that is left, read to its end. */
  async last(bytes: number): Promise<Buffer> {
    do {
      if (this.#queue.length > bytes) this.#queue.take(this.#queue.length - bytes);
    } while (await this.#more());
    return this.#queue.take(Math.min(bytes, this.#queue.length));
  }

  /** The next part of the source, behind what is left of those before it. */
  async #more(): Promise<boolean> {
    this.#queue.own();
    const { value, done } = await this.#source.next();
    if (done) return false;
    this.#queue.push(value);
    return true;
  }
}

/** The size of a member that does not fit into its field. */
function wideSize(extra: Buffer): number {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === zip64 && at + 12 <= extra.length) return Number(extra.readBigUInt64LE(at + 4));
  }
  return unreadable('a size in it does not stand where ZIP64 has it');
}

/** The head of a member, behind its signature. */
async function readLocalHead(input: Input): Promise<{ name: string; bytes: number }> {
  const head = Buffer.from(await input.take(localHeadBytes));
  const [flags, method] = [head.readUInt16LE(2), head.readUInt16LE(4)];
  const [packed, size] = [head.readUInt32LE(14), head.readUInt32LE(18)];
  const name = (await input.take(head.readUInt16LE(22))).toString();
  const extra = Buffer.from(await input.take(head.readUInt16LE(24)));
  // Encrypted in the way of ZIP, or its size stands behind it.
  if (method !== 0 || (flags & 0b1001) !== 0 || packed !== size) unreadable('it is a ZIP that Cloister did not make');
  return { name, bytes: size === field32 ? wideSize(extra) : size };
}

/**
 * @param source the ZIP; a part of it need be good only until the next is asked for
 * @throws PlatformError `ArchiveUnreadable` for another kind of ZIP; `ArchiveCut` where it ends too early, which may be within
 *   the bytes of a member
 */
export async function* readZip(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadMember> {
  const iterator = source[Symbol.asyncIterator]();
  const input = new Input(iterator);
  try {
    for (let count = 0; ; count += 1) {
      const signature = (await input.take(4)).readUInt32LE(0);
      if (signature !== signatures.localHead) {
        await requireEnd(input, signature, count);
        return;
      }
      // Its manifest, and a member for each file.
      if (count > limits.archiveFiles) unreadable(`it has more members than archiveFiles, ${limits.archiveFiles}`);
      const { name, bytes } = await readLocalHead(input);
      let left = bytes;
      const next = async () => {
        const part = await input.some(left);
        left -= part.length;
        return part;
      };
      const data = (async function* () {
        while (left > 0) yield await next();
      })();
      yield { name, data };
      while (left > 0) await next();
    }
  } finally {
    await iterator.return?.();
  }
}

/** What follows the members is there to its end. */
async function requireEnd(input: Input, signature: number, count: number): Promise<void> {
  const { directoryHead, wideEnd, end } = signatures;
  if (![directoryHead, wideEnd, end].includes(signature)) unreadable('what follows a member in it is none');
  const before = Buffer.alloc(4);
  before.writeUInt32LE(signature);
  const tail = Buffer.concat([before, await input.last(endBytes)]).subarray(-endBytes);
  if (tail.length < endBytes || tail.readUInt32LE(0) !== end) throw cut('the directory of the ZIP is not whole');
  if (tail.readUInt16LE(10) !== count) unreadable('its directory has other members than it has');
}
