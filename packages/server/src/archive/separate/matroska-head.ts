/**
 * The head of a WebM or Matroska file in its final words, which say how long the file is and where its index lies. They are
 * known at the end, when the head was sealed long ago. So they stand there, in a Void element (RFC 8794, 11.3.2), which
 * readers pass over: the file is whole without them, and who opens it into a file can put them in front.
 */
import type { FileHandle } from 'node:fs/promises';

const voidId = 0xec;
/** A length in eight bytes (RFC 8794, 4): the marker in the first, the number in the other seven. */
const wideLength = 2n ** 56n;
const beforeBytes = 1 + 8;
/** What every file of EBML begins with. */
const magic = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);
const mark = Buffer.from('LASTHEAD');
const headBytesMax = 0xffff;
const behindBytes = mark.length + 2;

/** The element. A head that is longer than its length can say is left out: then the first one has to do. */
export function headInVoid(head: Buffer): Buffer {
  if (head.length > headBytesMax) return Buffer.alloc(0);
  const before = Buffer.alloc(beforeBytes);
  before[0] = voidId;
  before.writeBigUInt64BE(wideLength | BigInt(head.length + behindBytes), 1);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(head.length);
  return Buffer.concat([before, head, mark, length]);
}

/** The head that such an element holds, as a file ends with it; null where it ends otherwise. */
function headAtEnd(end: Buffer): Buffer | null {
  const length = end.length >= behindBytes ? end.readUInt16BE(end.length - 2) : 0;
  const head = end.subarray(Math.max(0, end.length - behindBytes - length), Math.max(0, end.length - behindBytes));
  const whole = end.subarray(Math.max(0, end.length - behindBytes - length - beforeBytes));
  return head.subarray(0, magic.length).equals(magic) && whole.equals(headInVoid(head)) ? head : null;
}

/**
 * Puts the last head of a file that was opened into the place of its first, and takes it from its end. Any other file stays as
 * it is.
 */
export async function restoreHead(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const room = Buffer.alloc(Math.min(size, beforeBytes + headBytesMax + behindBytes));
  const { bytesRead } = await file.read(room, 0, room.length, size - room.length);
  const head = headAtEnd(room.subarray(0, bytesRead));
  const rest = size - beforeBytes - (head?.length ?? 0) - behindBytes;
  if (!head || rest < head.length) return;
  await file.write(head, 0, head.length, 0);
  await file.truncate(rest);
}
