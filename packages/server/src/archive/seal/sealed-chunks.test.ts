import assert from 'node:assert/strict';
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { isRefusal, randomFrom, seed } from './archive-fixtures.ts';
import { ChunkCipher, ChunkLayout, nonceOf, streamHeadBytes, streamHeadOf, tagBytes } from './sealed-chunks.ts';

const random = randomFrom('chunks');
const [contentKey, salt, prefix] = [random(32), random(32), random(7)];
const streamHead = streamHeadOf(salt, prefix);
const before = Buffer.from('all that precedes the stream');
const cipher = () => new ChunkCipher(contentKey, streamHead, before, 4096);

test('a nonce is prefix, number and whether it is the last; sealedChunks is where numbers end', () => {
  const last = limits.sealedChunks - 1;
  assert.equal(nonceOf(Buffer.from('prefix!'), 0x01020304, true).toString('hex'), '707265666978210102030401');
  assert.equal(nonceOf(prefix, last, false).subarray(7).toString('hex'), 'ffffffff00');
  assert.throws(
    () => nonceOf(prefix, last + 1, false),
    (error) => isRefusal(error, 'LimitReached', /sealedChunks/),
  );
});

test('property: chunks lie one after the other, in the clear and sealed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 12, max: 20 }), fc.nat(1_000_000), (log, index) => {
      const layout = new ChunkLayout(2 ** log);
      assert.equal(layout.sealedStart(index) + layout.sealedBytes(index), layout.sealedStart(index + 1));
      assert.equal(layout.clearStart(index) + layout.clearBytes(index), layout.clearStart(index + 1));
      assert.equal(layout.indexOf(layout.clearStart(index)), index);
      assert.equal(layout.indexOf(layout.clearStart(index + 1) - 1), index);
    }),
    { seed },
  );
  assert.deepEqual(
    [new ChunkLayout(4096).sealedStart(0), new ChunkLayout(4096).clearBytes(0)],
    [streamHeadBytes, 4096 - streamHeadBytes - tagBytes],
  );
});

/** AES-256-GCM alone, for comparison. */
function sealedBy(key: Buffer, nonce: Buffer, clear: Buffer): Buffer {
  const gcm = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([gcm.update(clear), gcm.final(), gcm.getAuthTag()]);
}

test('the key of a file is HKDF-SHA256 of its content key, its salt and the digest of what precedes', () => {
  const hmac = (key: Buffer, ...parts: Buffer[]) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const info = createHash('sha256').update(before).digest();
  // RFC 5869: extract, then expand to one block.
  const key = hmac(hmac(salt, contentKey), info, Buffer.of(1));
  const made = cipher().seal(0, true, Buffer.from('clear'));
  assert.deepEqual(made, sealedBy(key, nonceOf(prefix, 0, true), Buffer.from('clear')));
});

test('property: a chunk opens as itself, and as no other', () => {
  const place = fc.record({ index: fc.nat(1000), last: fc.boolean() });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), place, place, (bytes, sealedAt, openedAt) => {
      const sealed = cipher().seal(sealedAt.index, sealedAt.last, bytes);
      const clear = cipher().open(openedAt.index, openedAt.last, sealed);
      const same = sealedAt.index === openedAt.index && sealedAt.last === openedAt.last;
      assert.deepEqual(clear, same ? Buffer.from(bytes) : null);
    }),
    { seed },
  );
});

test('a chunk opens under nothing else than its own key, salt, prefix and header', () => {
  const sealed = cipher().seal(3, false, Buffer.from('clear'));
  const other = Buffer.from(contentKey);
  other[31] = (other[31] as number) ^ 1;
  const others = [
    new ChunkCipher(other, streamHead, before, 4096),
    new ChunkCipher(contentKey, streamHeadOf(random(32), prefix), before, 4096),
    new ChunkCipher(contentKey, streamHeadOf(salt, random(7)), before, 4096),
    new ChunkCipher(contentKey, streamHead, Buffer.from('All that precedes the stream'), 4096),
  ];
  assert.ok(cipher().open(3, false, sealed));
  for (const each of others) assert.equal(each.open(3, false, sealed), null);
});

test('what is too short for a tag or longer than a chunk is none', () => {
  const full = cipher().seal(0, true, Buffer.alloc(4096 - streamHeadBytes - tagBytes));
  assert.ok(cipher().open(0, true, full));
  const longer = cipher().seal(0, true, Buffer.alloc(4096 - streamHeadBytes - tagBytes + 1));
  for (const wrong of [longer, Buffer.alloc(0), Buffer.alloc(tagBytes - 1)]) {
    assert.equal(cipher().open(0, true, wrong), null);
  }
});

test('a wiped key opens nothing any more', () => {
  const wiped = cipher();
  const sealed = wiped.seal(0, true, Buffer.from('clear'));
  wiped.wipe();
  assert.equal(wiped.open(0, true, sealed), null);
});
