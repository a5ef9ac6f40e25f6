import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { seed } from './archive-fixtures.ts';
import { joinedCrc32 } from './crc32.ts';

test('property: the CRC-32 of two sequences is that of both in one', () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const joined = joinedCrc32(crc32(first), crc32(second), second.length);
      assert.equal(joined, crc32(Buffer.concat([first, second])));
    }),
    { seed },
  );
});

test('it holds past 4 GiB, which no integer of 32 bits counts', () => {
  const part = Buffer.alloc(2 ** 26, 'cloister');
  // Doubled six times: 4 GiB. Then the same, byte after byte.
  let [joined, length] = [crc32(part), part.length];
  for (let count = 0; count < 6; count += 1) [joined, length] = [joinedCrc32(joined, joined, length), length * 2];
  joined = joinedCrc32(crc32(Buffer.from('before')), joined, length);
  let rolled = crc32(Buffer.from('before'));
  for (let count = 0; count < 64; count += 1) rolled = crc32(part, rolled);
  assert.equal(length, 2 ** 32);
  assert.equal(joined, rolled);
});
