import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { drain, inParts, isRefusal, randomFrom, seed } from '../seal/archive-fixtures.ts';
import { ZipLayout } from './zip.ts';
import { isZip, readZip } from './zip-reader.ts';

interface Member {
  readonly name: string;
  readonly data: Buffer;
}

function zipOf(members: readonly Member[]): Buffer {
  const layout = new ZipLayout(
    members.map(({ name, data }) => ({ name, bytes: data.length, crc32: crc32(data) })),
    Date.UTC(2026, 10, 28),
  );
  const parts = [...layout.parts(0, layout.bytes)].map((part) =>
    'bytes' in part ? part.bytes : (members[part.member] as Member).data,
  );
  return Buffer.concat(parts);
}

/** All members, or those before the error. @param wanted whether one is read */
async function read(
  zip: Uint8Array,
  sizes: readonly number[] = [1000],
  wanted: (index: number) => boolean = () => true,
) {
  const members: Member[] = [];
  let index = 0;
  try {
    for await (const { name, data } of readZip(inParts(zip, ...sizes))) {
      const { bytes, error } = wanted(index) ? await drain(data) : { bytes: Buffer.alloc(0), error: null };
      if (error) throw error;
      members.push({ name, data: bytes });
      index += 1;
    }
  } catch (error) {
    return { members, error };
  }
  return { members, error: null };
}

const given: readonly Member[] = [
  { name: '7d1c.json', data: Buffer.from('{"files":[]}') },
  { name: 'stream-ü.webm', data: randomFrom('zip')(300_000) },
  { name: 'empty.mkv', data: Buffer.alloc(0) },
];

test('property: members come out as they were put in, in parts of any size; one that is not read is passed over', async () => {
  const data = fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes));
  const members = fc.array(fc.record({ name: fc.uuid(), data }), { maxLength: 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(members, sizes, fc.nat(7), async (put, parts, skipped) => {
      const found = await read(zipOf(put), parts, (index) => index !== skipped);
      const expected = put.map(({ name, data }, index) => ({ name, data: index === skipped ? Buffer.alloc(0) : data }));
      assert.deepEqual(found, { members: expected, error: null });
    }),
    { numRuns: 100, seed },
  );
});

test('a ZIP is told by its first bytes', () => {
  assert.ok(isZip(zipOf(given)) && isZip(zipOf([])));
  for (const other of ['', 'PK', 'CLOISEAL', 'PK\x07\x08']) assert.equal(isZip(Buffer.from(other)), false);
});

test('a ZIP that is cut anywhere is a cut one, after the members that precede the cut', async () => {
  const zip = zipOf(given);
  for (const [bytes, whole] of [
    [3, 0],
    [20, 0],
    [100, 1],
    [200_000, 1],
    [zip.length - 200, 3],
    [zip.length - 1, 3],
  ] as const) {
    const { members, error } = await read(zip.subarray(0, bytes));
    isRefusal(error, 'ArchiveCut');
    assert.deepEqual(members, given.slice(0, whole), `${bytes}`);
  }
  const within = await read(zip.subarray(0, 200_000), [1000], () => false);
  isRefusal(within.error, 'ArchiveCut', /within a member/);
});

test('what is compressed, of unknown size, encrypted, or no ZIP behind a member is refused', async () => {
  const at = (offset: number, value: number) => {
    const zip = zipOf(given);
    zip[offset] = value;
    return zip;
  };
  const second = zipOf(given.slice(0, 1)).indexOf('PK\x01\x02', 'latin1');
  const wrong: [Buffer, RegExp][] = [
    [at(8, 8), /did not make/],
    [at(6, 8), /did not make/],
    [at(6, 1), /did not make/],
    [at(18, 99), /did not make/],
    [at(second, 0x51), /what follows a member/],
  ];
  for (const [zip, why] of wrong) isRefusal((await read(zip)).error, 'ArchiveUnreadable', why);
  const counted = zipOf(given);
  counted[counted.length - 12] = 2;
  isRefusal((await read(counted)).error, 'ArchiveUnreadable', /other members/);
});

test('a size of more than 32 bits stands where ZIP64 has it', async () => {
  const bytes = 2 ** 32 + 5;
  const layout = new ZipLayout([{ name: 'large.webm', bytes, crc32: 0 }], 0);
  async function* source(): AsyncGenerator<Uint8Array> {
    const zeros = Buffer.alloc(2 ** 26);
    for (const part of layout.parts(0, layout.bytes)) {
      if ('bytes' in part) yield part.bytes;
      else for (let left = part.length; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
    }
  }
  let found = 0;
  for await (const { data } of readZip(source())) for await (const part of data) found += part.length;
  assert.equal(found, bytes);
});

test('archiveFiles and a manifest have room, and not one more', async () => {
  const members = Array.from({ length: limits.archiveFiles + 2 }, (_, index) => ({
    name: `${index}`,
    data: Buffer.alloc(0),
  }));
  assert.equal((await read(zipOf(members.slice(1)))).error, null);
  isRefusal((await read(zipOf(members))).error, 'ArchiveUnreadable', /archiveFiles/);
});

test('however it ends, the source is closed', async () => {
  for (const zip of [zipOf(given), zipOf(given).subarray(0, 100)]) {
    let closed = false;
    async function* source() {
      try {
        yield* inParts(zip, 100);
      } finally {
        closed = true;
      }
    }
    await (async () => {
      for await (const _ of readZip(source())) break;
    })();
    assert.ok(closed);
  }
});
