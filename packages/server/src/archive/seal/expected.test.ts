import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal } from './archive-fixtures.ts';
import { expectedBy, requireExpected } from './expected.ts';

test('a file that is shorter is cut, one that is longer or another was changed', () => {
  const expected = expectedBy({ sizeBytes: 3, sha256: 'ab'.repeat(32) } as never);
  const sha256 = Buffer.alloc(32, 0xab);
  requireExpected({ sizeBytes: 3, sha256 }, expected);
  const refused = (sizeBytes: number, digest: Buffer, code: 'ArchiveCut' | 'ArchiveChanged', why: RegExp) =>
    assert.throws(
      () => requireExpected({ sizeBytes, sha256: digest }, expected),
      (error) => isRefusal(error, code, why),
    );
  refused(2, sha256, 'ArchiveCut', /it has 2 of 3 bytes/);
  refused(4, sha256, 'ArchiveChanged', /it has 4 bytes, and 3 were recorded/);
  refused(3, Buffer.alloc(32), 'ArchiveChanged', /not the one of the manifest/);
});
