/**
 * What is known of a file that grows: up to where it holds what it should, and how it would end there. Two marks lie in one
 * file, in blocks of the disk of their own. One is firm: it was synced, after all that it speaks of. The other one follows what
 * is written; a power cut may leave it without its bytes, so it has the sum of those that the firm one does not vouch for.
 */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

export interface Mark {
  /** Of the file, in bytes. */
  readonly length: number;
  /** What so many bytes hold. */
  readonly durationMs: number;
  /** The block that ends the file after them; null in a format that needs none. */
  readonly closing: Buffer | null;
  /** From where on `sum` (CRC-32) is of the bytes up to `length`. */
  readonly from: number;
  readonly sum: number;
}

const closingBytes = 16;
/** Length, duration and `from`, then `sum`, whether there is a closing block, that block, and the sum of all these. */
const markBytes = 8 + 8 + 8 + 4 + 4 + closingBytes + 4;
const slotAt = [0, 4096] as const;
const readBytes = 256 * 1024;

function encode({ length, durationMs, closing, from, sum }: Mark): Buffer {
  const bytes = Buffer.alloc(markBytes);
  bytes.writeBigUInt64BE(BigInt(length), 0);
  bytes.writeBigUInt64BE(BigInt(Math.round(durationMs)), 8);
  bytes.writeBigUInt64BE(BigInt(from), 16);
  bytes.writeUInt32BE(sum, 24);
  bytes.writeUInt32BE(closing ? 1 : 0, 28);
  closing?.copy(bytes, 32);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), markBytes - 4);
  return bytes;
}

/** @returns null for what is no mark, or one that was written in part */
function decode(bytes: Buffer): Mark | null {
  if (bytes.length < markBytes || bytes.readUInt32BE(markBytes - 4) !== crc32(bytes.subarray(0, markBytes - 4)))
    return null;
  const whole = (at: number) => Number(bytes.readBigUInt64BE(at));
  const closing = bytes.readUInt32BE(28) === 1 ? bytes.subarray(32, 32 + closingBytes) : null;
  return { length: whole(0), durationMs: whole(8), closing, from: whole(16), sum: bytes.readUInt32BE(24) };
}

/** The marks of one file that grows; one is written at a time. */
export class Marks {
  readonly #handle: FileHandle;
  /** The firm one is in this slot; before there is any, either may be written over. */
  #firm: 0 | 1 = 1;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** After a crash of the server it is there, after a power cut perhaps. @throws what the disk says */
  async follow(mark: Mark): Promise<void> {
    const bytes = encode(mark);
    await this.#handle.write(bytes, 0, bytes.length, slotAt[this.#firm === 0 ? 1 : 0]);
  }

  /** It is there whatever happens. All that it speaks of must have been synced. @throws what the disk says */
  async fix(mark: Mark): Promise<void> {
    await this.follow(mark);
    await this.#handle.datasync();
    this.#firm = this.#firm === 0 ? 1 : 0;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** What the marks of a file say after a crash. */
export interface Marked {
  /** The longest one whose bytes are there; null where there is none. */
  readonly mark: Mark | null;
  /** Whether another one speaks of bytes that are not there: the power was cut, and what is behind `mark` is anything. */
  readonly lost: boolean;
}

/** @returns null where there is no file of marks: the archive came to its own end */
export async function readMarks(markFile: string, archiveFile: string): Promise<Marked | null> {
  const bytes = await readFile(markFile).catch(() => null);
  if (!bytes) return null;
  const found = slotAt.map((at) => decode(bytes.subarray(at, at + markBytes))).filter((mark) => mark !== null);
  found.sort((a, b) => b.length - a.length);
  const size = (await stat(archiveFile).catch(() => null))?.size ?? 0;
  for (const [index, mark] of found.entries()) {
    if (
      mark.length <= size &&
      (mark.from === mark.length || (await sumOf(archiveFile, mark.from, mark.length)) === mark.sum)
    ) {
      return { mark, lost: index > 0 };
    }
  }
  return { mark: null, lost: found.length > 0 };
}

async function sumOf(file: string, from: number, to: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    let sum = 0;
    const room = Buffer.alloc(Math.max(0, Math.min(readBytes, to - from)));
    for (let at = from; at < to; ) {
      const { bytesRead } = await handle.read(room, 0, Math.min(room.length, to - at), at);
      if (bytesRead === 0) break;
      sum = crc32(room.subarray(0, bytesRead), sum);
      at += bytesRead;
    }
    return sum;
  } finally {
    await handle.close();
  }
}
