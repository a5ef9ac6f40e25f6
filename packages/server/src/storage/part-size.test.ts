import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '@cloister/protocol';
import { isTooFine, partBytesFor, waitAfter } from './part-size.ts';

it('parts have uploadPartBytes, and more where there would be more than uploadParts of them', () => {
  const most = limits.uploadPartBytes * limits.uploadParts;
  assert.equal(partBytesFor(0), limits.uploadPartBytes);
  assert.equal(partBytesFor(most), limits.uploadPartBytes);
  assert.ok(partBytesFor(most + 1) > limits.uploadPartBytes);
  assert.equal(isTooFine(most, limits.uploadPartBytes), false);
  assert.equal(isTooFine(most + 1, limits.uploadPartBytes), true);
  assert.equal(isTooFine(most + 1, partBytesFor(most + 1)), false);
});

it('waits double from uploadFirstWaitSeconds to uploadWaitSecondsMax', () => {
  assert.deepEqual([waitAfter(1), waitAfter(2)], [limits.uploadFirstWaitSeconds, 2 * limits.uploadFirstWaitSeconds]);
  assert.equal(waitAfter(2000), limits.uploadWaitSecondsMax);
});
