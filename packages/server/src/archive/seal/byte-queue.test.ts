import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seed } from './archive-fixtures.ts';
import { ByteQueue } from './byte-queue.ts';

test('property: bytes come out in the order in which they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 50 }), fc.nat(60))), (steps) => {
      const queue = new ByteQueue();
      const [taken, all]: [Buffer[], Buffer[]] = [[], []];
      for (const [part, wanted] of steps) {
        queue.push(part);
        all.push(Buffer.from(part));
        const bytes = Math.min(wanted, queue.length);
        const before = queue.length;
        taken.push(queue.take(bytes));
        assert.deepEqual([taken.at(-1)?.length, queue.length], [bytes, before - bytes]);
      }
      taken.push(queue.take(queue.length));
      assert.deepEqual(Buffer.concat(taken), Buffer.concat(all));
    }),
    { seed },
  );
});

test('more than there is cannot be taken, and nothing is lost by trying', () => {
  const queue = new ByteQueue();
  queue.push(Buffer.from('abc'));
  assert.throws(() => queue.take(4), RangeError);
  assert.equal(queue.take(3).toString(), 'abc');
});

test('wipe overwrites what was in it', () => {
  const queue = new ByteQueue();
  const part = Buffer.from('secret');
  queue.push(part);
  queue.wipe();
  assert.deepEqual([queue.length, part], [0, Buffer.alloc(6)]);
});

test('own makes what is in it independent of the parts', () => {
  const queue = new ByteQueue();
  const part = Buffer.from('abcdef');
  queue.push(part);
  queue.push(Buffer.from('ghi'));
  queue.take(2);
  queue.own();
  part.fill(0);
  assert.equal(queue.take(7).toString(), 'cdefghi');
});
