import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { drain, inParts, isRefusal, makeOwner, randomFrom, seed } from './archive-fixtures.ts';
import { byPlatform, byPrivateKey, toCertificates, toPlatform, type WrapKey } from './recipients.ts';
import { createArchiveSealer, endMark, openSealedArchive, prefixBytes } from './sealed-archive.ts';
import { ChunkLayout, streamHeadBytes } from './sealed-chunks.ts';

const CHUNK = limits.sealedChunkBytesMin;
const layout = new ChunkLayout(CHUNK);
const hide = (text: string) => text.split('').reverse().join('');
const wrap = toPlatform(hide);
const unwrap = byPlatform(hide);

async function sealed(clear: Uint8Array, name = 'archive', to: WrapKey = wrap, sizes = [1000]): Promise<Buffer> {
  const sealer = await createArchiveSealer(to, randomFrom(name), CHUNK);
  const parts: Buffer[] = [];
  for await (const part of inParts(clear, ...sizes)) parts.push(sealer.write(part));
  return Buffer.concat([...parts, sealer.end()]);
}

const open = (bytes: Uint8Array, sizes = [1000]) => drain(openSealedArchive(inParts(bytes, ...sizes), unwrap));

/** Clear bytes that fill four chunks and a half, and the file of them taken apart. */
const clear = randomFrom('clear')(layout.clearStart(4) + 1700);
const whole = await sealed(clear);
const streamStart = prefixBytes + whole.readUInt32BE(prefixBytes - 4);
const head = whole.subarray(0, streamStart + streamHeadBytes);
const chunks = [0, 1, 2, 3, 4].map((index) =>
  whole.subarray(
    streamStart + layout.sealedStart(index),
    index === 4 ? whole.length - endMark.length : streamStart + layout.sealedStart(index + 1),
  ),
);
const assembled = (...parts: Buffer[]): Buffer => Buffer.concat([head, ...parts, endMark]);

const sizesOf = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 6 });

test('property: what was sealed opens, of any length, written and read in any parts', async () => {
  const full = [0, 1, 2].map((index) => layout.clearStart(index));
  const length = fc.oneof(
    fc.nat(10_000),
    fc.constantFrom(...full.flatMap((each) => [each, each + 1, Math.max(0, each - 1)])),
  );
  await fc.assert(
    fc.asyncProperty(length, sizesOf, sizesOf, async (bytes, writes, reads) => {
      const part = clear.subarray(0, bytes);
      assert.deepEqual(await open(await sealed(part, 'sizes', wrap, writes), reads), { bytes: part, error: null });
    }),
    { numRuns: 100, seed },
  );
});

test('the header goes out with the first bytes, and whatever was given out opens', async () => {
  const sealer = await createArchiveSealer(wrap, randomFrom('first'), CHUNK);
  const first = sealer.write(Buffer.of());
  assert.deepEqual(first.subarray(0, 8).toString(), 'CLOISEAL');
  const more = sealer.write(clear);
  const { bytes, error } = await open(Buffer.concat([first, more]));
  isRefusal(error, 'ArchiveCut');
  assert.deepEqual(bytes, clear.subarray(0, layout.clearStart(4)));
});

test('sealedChunkBytes is the size where none is named', async () => {
  const sealer = await createArchiveSealer(wrap);
  assert.equal(sealer.write(Buffer.of())[9], Math.log2(limits.sealedChunkBytes));
});

test('chunks are powers of two from sealedChunkBytesMin to sealedChunkBytesMax, in the making and in the reading', async () => {
  const { sealedChunkBytesMin: least, sealedChunkBytesMax: most } = limits;
  for (const size of [least, most]) {
    const sealer = await createArchiveSealer(wrap, randomFrom('size'), size);
    const file = Buffer.concat([sealer.write(clear), sealer.end()]);
    assert.deepEqual(await open(file), { bytes: clear, error: null });
    const other = Buffer.from(file);
    other[9] = Math.log2(size) + (size === least ? -1 : 1);
    isRefusal((await open(other)).error, 'ArchiveUnreadable', /size that is not allowed/);
  }
  for (const size of [least / 2, most * 2, least + 1, 0]) {
    await assert.rejects(createArchiveSealer(wrap, randomFrom('size'), size), (error) =>
      isRefusal(error, 'BadRequest'),
    );
  }
});

test('sealedHeaderBytes is the most that a header may have, in the making and in the reading', async () => {
  const { sealedHeaderBytes: most } = limits;
  const filled =
    (bytes: number): WrapKey =>
    async () => ({ sealed: 'x'.repeat(bytes - '{"sealed":""}'.length) });
  const key = Buffer.alloc(32, 7);
  const file = await sealed(clear, 'header', filled(most));
  const { error } = await drain(openSealedArchive(inParts(file, 5000), async () => Buffer.from(key)));
  isRefusal(error, 'ArchiveChanged', /chunk 0/); // Read to its end; the key is another one.
  await assert.rejects(sealed(clear, 'header', filled(most + 1)), (refusal) => isRefusal(refusal, 'LimitReached'));
  const longer = Buffer.from(file);
  longer.writeUInt32BE(most + 1, prefixBytes - 4);
  isRefusal((await open(longer)).error, 'ArchiveUnreadable', /sealedHeaderBytes/);
});

test('two archives of the same bytes to the same certificate have nothing in common after their first bytes', async () => {
  const made = await Promise.all([0, 1].map(() => createArchiveSealer(wrap)));
  const [one, two] = made.map((sealer) => sealer.write(clear).subarray(0, 200));
  assert.notDeepEqual(one?.subarray(prefixBytes), two?.subarray(prefixBytes));
});

test('a wrong key is told before the first byte', async () => {
  const [owner, stranger] = [makeOwner(), makeOwner()];
  const file = await sealed(clear, 'owner', toCertificates([owner.certificate]));
  const own = await drain(openSealedArchive(inParts(file, 999), byPrivateKey(owner.privateKey)));
  assert.deepEqual(own, { bytes: clear, error: null });
  const other = await drain(openSealedArchive(inParts(file, 999), byPrivateKey(stranger.privateKey)));
  assert.equal(other.bytes.length, 0);
  isRefusal(other.error, 'ArchiveKeyWrong', new RegExp(owner.certificate.fingerprint));
});

test('property: a flipped bit anywhere is found, and what precedes its chunk is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ (1 << bit);
      const { bytes, error } = await open(changed);
      const inMark = at >= whole.length - endMark.length;
      const inChunk = at >= head.length && !inMark;
      if (inChunk) isRefusal(error, 'ArchiveChanged');
      else if (inMark) isRefusal(error, 'ArchiveCut');
      else assert.match((error as { code: string }).code, /^Archive(Changed|Unreadable|KeyWrong|Cut)$/);
      const before = inChunk ? Math.floor((at - streamStart) / CHUNK) : inMark ? 4 : 0;
      assert.deepEqual(bytes, clear.subarray(0, layout.clearStart(before)));
    }),
    { numRuns: 500, seed },
  );
});

test('property: a file that was cut opens up to its last whole chunk and says so', async () => {
  const bounds = [0, 1, 2, 3, 4].map((index) => streamStart + layout.sealedStart(index));
  const near = fc
    .tuple(fc.constantFrom(...bounds, whole.length), fc.integer({ min: -10, max: 10 }))
    .map(([at, by]) => at + by);
  const length = fc.oneof(fc.nat(whole.length - 1), near).filter((each) => each < whole.length);
  await fc.assert(
    fc.asyncProperty(length, sizesOf, async (bytes, sizes) => {
      const opened = await open(whole.subarray(0, bytes), sizes);
      isRefusal(opened.error, 'ArchiveCut');
      const there = Math.max(0, Math.floor((bytes - streamStart) / CHUNK));
      assert.deepEqual(opened.bytes, clear.subarray(0, layout.clearStart(there)));
    }),
    { numRuns: 500, seed },
  );
});

test('property: a file that ends with a full chunk and was cut in its end mark is cut, not changed', async () => {
  const full = clear.subarray(0, layout.clearStart(2));
  const file = await sealed(full);
  for (let missing = 1; missing <= endMark.length; missing += 1) {
    const { bytes, error } = await open(file.subarray(0, file.length - missing));
    isRefusal(error, 'ArchiveCut');
    assert.deepEqual(bytes, full);
  }
});

test('property: chunks in another order, repeated, left out or more of them are found', async () => {
  const order = fc.array(fc.nat(4), { maxLength: 8 }).filter((each) => each.join() !== '0,1,2,3,4');
  await fc.assert(
    fc.asyncProperty(order, async (indexes) => {
      const { bytes, error } = await open(assembled(...indexes.map((index) => chunks[index] as Buffer)));
      isRefusal(error, 'ArchiveChanged');
      const wrong = indexes.findIndex((each, at) => each !== at);
      const inPlace = Math.min(wrong < 0 ? indexes.length : wrong, 4);
      // A chunk in its place that is not the last, and stands last, does not open either.
      const opened = Math.max(0, Math.min(inPlace, indexes.length - 1));
      assert.deepEqual(bytes, clear.subarray(0, layout.clearStart(opened)));
    }),
    { numRuns: 300, seed },
  );
  assert.deepEqual(await open(assembled(...chunks)), { bytes: clear, error: null }, 'it is the order alone');
});

test('property: a chunk of another archive of the same owner is found', async () => {
  const other = await sealed(clear, 'another archive');
  assert.equal(other.length, whole.length);
  await fc.assert(
    fc.asyncProperty(fc.nat(4), async (index) => {
      const at = streamStart + layout.sealedStart(index);
      const spliced = Buffer.from(whole);
      other.copy(spliced, at, at, at + (chunks[index] as Buffer).length);
      const { bytes, error } = await open(spliced);
      isRefusal(error, 'ArchiveChanged', new RegExp(`chunk ${index}`));
      assert.deepEqual(bytes, clear.subarray(0, layout.clearStart(index)));
    }),
    { numRuns: 20, seed },
  );
});

test('a header that says the same in other bytes opens nothing', async () => {
  const json = JSON.parse(whole.subarray(prefixBytes, streamStart).toString());
  const spaced = Buffer.from(JSON.stringify(json, null, 1));
  const prefix = Buffer.from(whole.subarray(0, prefixBytes));
  prefix.writeUInt32BE(spaced.length, prefixBytes - 4);
  const { bytes, error } = await open(Buffer.concat([prefix, spaced, whole.subarray(streamStart)]));
  assert.equal(bytes.length, 0);
  isRefusal(error, 'ArchiveChanged', /chunk 0/);
});

test('a file of another version is told so', async () => {
  const newer = Buffer.from(whole);
  newer[8] = 2;
  isRefusal((await open(newer)).error, 'ArchiveUnreadable', /version 2/);
});

test('property: no bytes make the reader throw anything but a refusal', async () => {
  const start = whole.subarray(0, streamStart + 60);
  const file = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([Buffer.from('CLOISEAL\x01\x0c\0\0\0\x10'), rest])),
    fc
      .tuple(fc.nat(start.length), fc.uint8Array({ maxLength: 90 }))
      .map(([at, rest]) => Buffer.concat([start.subarray(0, at), rest])),
  );
  await fc.assert(
    fc.asyncProperty(file, async (bytes) => {
      const { error } = await open(bytes, [7]);
      assert.match((error as { code: string }).code, /^Archive(Changed|Unreadable|Cut)$/);
    }),
    { numRuns: 500, seed },
  );
});

for (const way of ['end', 'discard'] as const) {
  test(`after ${way}() the content key is overwritten, and nothing more is sealed`, async () => {
    const made: Buffer[] = [];
    const random = randomFrom(way);
    const sealer = await createArchiveSealer(wrap, (bytes) => {
      made.push(random(bytes));
      return made.at(-1) as Buffer;
    });
    assert.deepEqual(made[0], Buffer.alloc(32));
    sealer.write(clear);
    sealer[way]();
    for (const use of [() => sealer.write(clear), () => sealer.end()]) {
      assert.throws(use, (error) => isRefusal(error, 'WrongState'));
    }
  });
}

test('a wrapping that fails leaves no key behind', async () => {
  const keys: Buffer[] = [];
  const failing: WrapKey = async (key) => {
    keys.push(key);
    throw new Error('no key service');
  };
  await assert.rejects(createArchiveSealer(failing), /no key service/);
  assert.deepEqual(keys, [Buffer.alloc(32)]);
});

test('a reader that stops early closes the source', async () => {
  let closed = false;
  async function* source() {
    try {
      yield* inParts(whole, 1000);
    } finally {
      closed = true;
    }
  }
  for await (const part of openSealedArchive(source(), unwrap)) {
    assert.ok(part.length > 0);
    break;
  }
  assert.ok(closed);
});
