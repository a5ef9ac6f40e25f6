import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '@cloister/protocol';
import { restartWaitMs } from './automatic-archives.ts';

it('after a failure the next archive begins at once, after more in a row later and later, up to archiveRestartSecondsMax', () => {
  const seconds = [1, 2, 3, 4, 100].map((count) => restartWaitMs(count) / 1000);
  const first = limits.archiveRestartSeconds;
  assert.deepEqual(seconds, [0, first, first * 2, first * 4, limits.archiveRestartSecondsMax]);
});
