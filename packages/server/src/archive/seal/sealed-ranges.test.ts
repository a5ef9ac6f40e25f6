import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { inParts, isRefusal, randomFrom, seed } from './archive-fixtures.ts';
import { byPlatform, toPlatform } from './recipients.ts';
import { createArchiveSealer, endMark, prefixBytes } from './sealed-archive.ts';
import { ChunkLayout, streamHeadBytes } from './sealed-chunks.ts';
import { openSealedRanges, type Ranges } from './sealed-ranges.ts';

const CHUNK = limits.sealedChunkBytesMin;
const layout = new ChunkLayout(CHUNK);
const same = (text: string) => text;
const clear = randomFrom('clear')(layout.clearStart(4) + 1700);

async function sealed(bytes: Uint8Array): Promise<Buffer> {
  const sealer = await createArchiveSealer(toPlatform(same), randomFrom('ranges'), CHUNK);
  return Buffer.concat([sealer.write(bytes), sealer.end()]);
}

/** A file of which the first `there` bytes have been written; it counts what is read. */
class GrowingFile implements Ranges {
  readonly bytes: Buffer;
  there: number;
  taken = 0;

  constructor(bytes: Buffer, there = bytes.length) {
    this.bytes = bytes;
    this.there = there;
  }

  async size(): Promise<number> {
    return this.there;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const part = this.bytes.subarray(offset, Math.min(offset + length, this.there));
    this.taken += part.length;
    return part;
  }
}

const open = (file: Ranges) => openSealedRanges(file, byPlatform(same));
const whole = await sealed(clear);
const start = prefixBytes + whole.readUInt32BE(prefixBytes - 4);

test('property: any range of a complete archive is what was sealed there, and little more is read for it', async () => {
  const length = fc.constantFrom(
    0,
    1,
    layout.clearStart(1),
    layout.clearStart(3),
    layout.clearStart(3) + 1,
    clear.length,
  );
  await fc.assert(
    fc.asyncProperty(
      length,
      fc.array(fc.tuple(fc.nat(20_000), fc.nat(9000)), { minLength: 1 }),
      async (bytes, ranges) => {
        const file = new GrowingFile(await sealed(clear.subarray(0, bytes)));
        const reader = await open(file);
        assert.deepEqual(await reader.extent(), { bytes, complete: true });
        for (const [offset, size] of ranges) {
          file.taken = 0;
          const wanted = clear.subarray(0, bytes).subarray(offset, offset + size);
          assert.deepEqual(await reader.read(offset, size), wanted);
          assert.ok(file.taken <= size + 2 * CHUNK);
        }
      },
    ),
    { numRuns: 50, seed },
  );
});

test('property: in parts it is the same, each of them for the one who reads it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(20_000), fc.nat(20_000), async (offset, size) => {
      const file = new GrowingFile(whole);
      const reader = await open(file);
      const before = file.taken;
      const parts: Buffer[] = [];
      for await (const part of reader.parts(offset, size)) {
        parts.push(Buffer.from(part));
        // Whoever has it may overwrite it.
        part.fill(0);
      }
      const wanted = clear.subarray(offset, offset + size);
      assert.deepEqual(Buffer.concat(parts), wanted);
      assert.ok(file.taken - before <= size + 4 * CHUNK);
      assert.deepEqual(await reader.read(offset, size), wanted);
    }),
    { numRuns: 50, seed },
  );
});

test('property: an archive that grows is read as far as its whole chunks go, and is complete at its end only', async () => {
  const steps = fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(steps, async (sizes) => {
      const file = new GrowingFile(whole, start + streamHeadBytes);
      const reader = await open(file);
      for (const size of [...sizes, whole.length]) {
        file.there = Math.min(file.there + size, whole.length);
        const complete = file.there === whole.length;
        const bytes = complete
          ? clear.length
          : layout.clearStart(Math.max(0, Math.floor((file.there - start) / CHUNK)));
        assert.deepEqual(await reader.extent(), { bytes, complete });
        assert.deepEqual(await reader.read(0, clear.length), clear.subarray(0, bytes));
        assert.deepEqual(await reader.read(Math.max(0, bytes - 5), 99), clear.subarray(Math.max(0, bytes - 5), bytes));
      }
    }),
    { numRuns: 50, seed },
  );
});

test('an archive whose last chunk is full is read in whole while its end mark is missing', async () => {
  const full = clear.subarray(0, layout.clearStart(2));
  const bytes = await sealed(full);
  for (let missing = 1; missing <= endMark.length; missing += 1) {
    const reader = await open(new GrowingFile(bytes, bytes.length - missing));
    assert.deepEqual(await reader.extent(), { bytes: full.length, complete: false });
    assert.deepEqual(await reader.read(0, full.length), full);
  }
});

test('property: a flipped bit is found where it is read, and nowhere else', async () => {
  const firstChunk = start + streamHeadBytes;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: firstChunk, max: whole.length - endMark.length - 1 }), async (at) => {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      const reader = await open(new GrowingFile(changed));
      const bad = Math.floor((at - start) / CHUNK);
      if (bad === 4) {
        await assert.rejects(reader.extent(), (error) => isRefusal(error, 'ArchiveChanged', /chunk 4/));
        return;
      }
      for (const index of [0, 1, 2, 3]) {
        const [from, size] = [layout.clearStart(index), layout.clearBytes(index)];
        if (index === bad) {
          await assert.rejects(reader.read(from, size), (error) => isRefusal(error, 'ArchiveChanged'));
        } else assert.deepEqual(await reader.read(from, size), clear.subarray(from, from + size));
      }
    }),
    { numRuns: 200, seed },
  );
});

test('an end mark that was put behind a cut does not make it complete', async () => {
  const cutAt = start + layout.sealedStart(3);
  const reader = await open(new GrowingFile(Buffer.concat([whole.subarray(0, cutAt), endMark])));
  await assert.rejects(reader.extent(), (error) => isRefusal(error, 'ArchiveChanged', /chunk 2/));
  await assert.rejects(reader.read(0, 10), (error) => isRefusal(error, 'ArchiveChanged'));
});

test('a header that is not whole is a cut, and a file that shrinks while it is read as well', async () => {
  for (const there of [0, prefixBytes - 1, prefixBytes, start, start + streamHeadBytes - 1]) {
    await assert.rejects(open(new GrowingFile(whole, there)), (error) => isRefusal(error, 'ArchiveCut', /header/));
  }
  const file = new GrowingFile(whole);
  const reader = await open(file);
  await reader.extent();
  file.there = start + layout.sealedStart(1);
  await assert.rejects(reader.read(layout.clearStart(2), 10), (error) => isRefusal(error, 'ArchiveCut', /shortened/));
});

test('a closed reader opens nothing more', async () => {
  const reader = await open(new GrowingFile(whole));
  assert.equal((await reader.read(0, 10)).length, 10);
  reader.close();
  await assert.rejects(reader.read(0, 10), (error) => isRefusal(error, 'ArchiveChanged'));
});

test('a sealer that is written to while a reader reads gives the same bytes', async () => {
  const sealer = await createArchiveSealer(toPlatform(same), randomFrom('live'), CHUNK);
  const parts = [sealer.write(Buffer.alloc(0))];
  const live: Ranges = {
    size: async () => Buffer.concat(parts).length,
    read: async (offset, length) => Buffer.concat(parts).subarray(offset, offset + length),
  };
  const reader = await open(live);
  for await (const part of inParts(clear, 700)) {
    parts.push(sealer.write(part));
    const { bytes } = await reader.extent();
    assert.deepEqual(await reader.read(0, bytes), clear.subarray(0, bytes));
  }
  parts.push(sealer.end());
  assert.deepEqual(await reader.extent(), { bytes: clear.length, complete: true });
});
