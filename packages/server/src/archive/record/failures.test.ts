import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { diskCause, diskWords, failureReasons, isDiskFull, TooSlow } from './failures.ts';

const disk = (code: string) => Object.assign(new Error(`${code}: write '/data/archives/1'`), { code });

test('each way in which keeping fails has its cause, and no path of the disk is in its words', () => {
  assert.deepEqual(
    ['ENOSPC', 'EDQUOT', 'EIO'].map((code) => [diskCause(disk(code)), diskWords(disk(code)), isDiskFull(disk(code))]),
    [
      ['diskFull', 'ENOSPC', true],
      ['diskFull', 'EDQUOT', true],
      ['disk', 'EIO', false],
    ],
  );
  assert.equal(diskCause(new TooSlow('late')), 'slow');
  assert.equal(diskCause(new PlatformError('FrameInvalid', { why: 'a file' })), 'report');
  assert.equal(diskCause(new PlatformError('ArchiveChanged', { why: 'chunk 1' })), 'mismatch');
  assert.deepEqual([diskCause(null), diskWords(null)], ['disk', 'unknown']);
});

test('no two causes have the same reason', () => {
  const reasons = Object.values(failureReasons);
  assert.equal(new Set(reasons).size, reasons.length);
});
