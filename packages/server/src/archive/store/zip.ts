/**
 * A ZIP file that is never made: where each of its bytes comes from, so that any range of it can be read. Its members are
 * stored as they are (method 0), their sizes and CRC-32 stand in front of them, and ZIP64 is used where a size, a place or a
 * count needs it (PKWARE's APPNOTE 6.3.10; the sections are named below).
 */

export interface ZipMember {
  readonly name: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** Bytes of the file that follow each other: these, or those of the member with this number, from its first one on. */
interface Segment {
  readonly start: number;
  readonly bytes: number;
  readonly from: Buffer | number;
}

/** Where bytes come from: as they stand here, or of a member, from `offset` on. */
export type ZipPart =
  | { readonly bytes: Buffer }
  | { readonly member: number; readonly offset: number; readonly length: number };

const field16 = 0xffff;
const field32 = 0xffff_ffff;
const versions = { plain: 20, zip64: 45 };
/** Names are UTF-8 (4.4.4, bit 11). */
const flags = 0x0800;
/** Made on Unix: a file that its owner alone reads and writes. */
const unix = 3;
const mode = 0o100600;

/** Numbers in the order and widths of a header, little-endian. */
function packed(...fields: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Buffer {
  const out = Buffer.alloc(fields.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 8) out.writeBigUInt64LE(BigInt(value), at);
    else out.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return out;
}

/** An extra field (4.5.1). */
function extra(id: number, data: Buffer): Buffer {
  return Buffer.concat([packed([2, id], [2, data.length]), data]);
}

/** The fields of these values that do not fit into 32 bits (4.5.3), in order; empty where all fit. */
function zip64Extra(...values: readonly number[]): Buffer {
  const wide = values.filter((value) => value >= field32);
  return wide.length === 0 ? Buffer.alloc(0) : extra(0x0001, packed(...wide.map((value) => [8, value] as const)));
}

const narrow = (value: number) => Math.min(value, field32);

/** Time and date of MS-DOS (4.4.6), in UTC. @param at milliseconds since 1970 */
function dosTime(at: number): readonly [number, number] {
  const date = new Date(Math.min(Math.max(at, Date.UTC(1980, 0)), Date.UTC(2107, 11, 31)));
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return [time, ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()];
}

export class ZipLayout {
  readonly #segments: Segment[] = [];
  /** Bytes of the whole file. */
  readonly bytes: number;

  /** @param at when the members were made, in milliseconds since 1970; the whole has no other time in it */
  constructor(members: readonly ZipMember[], at: number) {
    let end = 0;
    const add = (bytes: number, from: Buffer | number): void => {
      if (bytes > 0) this.#segments.push({ start: end, bytes, from });
      end += bytes;
    };
    const directory: Buffer[] = [];
    for (const [index, member] of members.entries()) {
      const head = localHead(member, at);
      directory.push(directoryHead(member, at, end));
      add(head.length, head);
      add(member.bytes, index);
    }
    const entries = Buffer.concat(directory);
    const begin = end;
    add(entries.length, entries);
    const tail = endOf(members.length, begin, entries.length);
    add(tail.length, tail);
    this.bytes = end;
  }

  /** Where the bytes from `start` on and before `end` come from, in order. */
  *parts(start: number, end: number): Generator<ZipPart> {
    for (const segment of this.#segments) {
      const from = Math.max(start, segment.start) - segment.start;
      const to = Math.min(end, segment.start + segment.bytes) - segment.start;
      if (from >= to) continue;
      if (typeof segment.from === 'number') yield { member: segment.from, offset: from, length: to - from };
      else yield { bytes: segment.from.subarray(from, to) };
    }
  }
}

/** When a file was made, in whole seconds of UTC: readers take the time of MS-DOS for one of their own zone. */
function timeExtra(at: number): Buffer {
  return extra(0x5455, Buffer.concat([Buffer.of(1), packed([4, Math.floor(at / 1000) % 2 ** 32])]));
}

/** What stands in front of a member (4.3.7). */
function localHead({ name, bytes, crc32 }: ZipMember, at: number): Buffer {
  const [time, date] = dosTime(at);
  const wide = bytes >= field32;
  const encoded = Buffer.from(name);
  const extras = Buffer.concat([wide ? zip64Extra(bytes, bytes) : Buffer.alloc(0), timeExtra(at)]);
  const head = packed(
    [4, 0x04034b50],
    [2, wide ? versions.zip64 : versions.plain],
    [2, flags],
    [2, 0],
    [2, time],
    [2, date],
    [4, crc32],
    [4, narrow(bytes)],
    [4, narrow(bytes)],
    [2, encoded.length],
    [2, extras.length],
  );
  return Buffer.concat([head, encoded, extras]);
}

/** What the directory says of a member (4.3.12). @param place where its head begins */
function directoryHead({ name, bytes, crc32 }: ZipMember, at: number, place: number): Buffer {
  const [time, date] = dosTime(at);
  const wide = zip64Extra(bytes, bytes, place);
  const version = wide.length > 0 ? versions.zip64 : versions.plain;
  const encoded = Buffer.from(name);
  const extras = Buffer.concat([wide, timeExtra(at)]);
  const head = packed(
    [4, 0x02014b50],
    [2, (unix << 8) | version],
    [2, version],
    [2, flags],
    [2, 0],
    [2, time],
    [2, date],
    [4, crc32],
    [4, narrow(bytes)],
    [4, narrow(bytes)],
    [2, encoded.length],
    [2, extras.length],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, mode * 2 ** 16],
    [4, narrow(place)],
  );
  return Buffer.concat([head, encoded, extras]);
}

/** What ends the file (4.3.16), behind its ZIP64 counterpart and the way to that (4.3.14, 4.3.15) where it needs them. */
function endOf(count: number, begin: number, bytes: number): Buffer {
  const plain = packed(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, Math.min(count, field16)],
    [2, Math.min(count, field16)],
    [4, narrow(bytes)],
    [4, narrow(begin)],
    [2, 0],
  );
  if (count < field16 && bytes < field32 && begin < field32) return plain;
  const wide = packed(
    [4, 0x06064b50],
    [8, 44],
    [2, (unix << 8) | versions.zip64],
    [2, versions.zip64],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, bytes],
    [8, begin],
  );
  const locator = packed([4, 0x07064b50], [4, 0], [8, begin + bytes], [4, 1]);
  return Buffer.concat([wide, locator, plain]);
}
