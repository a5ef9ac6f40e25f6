import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { rangeOf } from './archive-links.ts';

describe('a range of bytes', () => {
  it('is first and last, both included; open at either side (RFC 9110, 14.1.2)', () => {
    assert.deepEqual(rangeOf('bytes=0-0', 10), { start: 0, end: 0 });
    assert.deepEqual(rangeOf('bytes=2-', 10), { start: 2, end: 9 });
    assert.deepEqual(rangeOf('bytes=-3', 10), { start: 7, end: 9 });
    assert.deepEqual(rangeOf('bytes=-30', 10), { start: 0, end: 9 });
    assert.deepEqual(rangeOf('bytes=5-99', 10), { start: 5, end: 9 });
  });

  it('that is none, or several, stands for the whole', () => {
    for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=0-1,3-4', 'bytes=5-2', 'lines=1-2', 'bytes=a-b']) {
      assert.equal(rangeOf(header, 10), null, header);
    }
  });

  it('past the end is refused with the size', () => {
    for (const header of ['bytes=10-', 'bytes=10-12', 'bytes=-0']) {
      assert.throws(() => rangeOf(header, 10), { code: 'RangeInvalid', details: { size: 10 } });
    }
    assert.throws(() => rangeOf('bytes=0-', 0), { code: 'RangeInvalid' });
  });

  it('property: whatever is asked for lies within the file', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
    );
    fc.assert(
      fc.property(header, fc.nat(), (text, size) => {
        try {
          const range = rangeOf(text, size);
          assert.ok(!range || (range.start >= 0 && range.start <= range.end && range.end < size));
        } catch (error) {
          assert.equal((error as { code: string }).code, 'RangeInvalid');
        }
      }),
      { seed, numRuns: times(200, 5000) },
    );
  });
});
