import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { drain, inParts, isRefusal } from './archive-fixtures.ts';
import { fileSealers } from './recorder-seal.ts';
import { openSealedArchive } from './sealed-archive.ts';
import { contentKeyBytes, streamHeadBytes, tagBytes } from './sealed-chunks.ts';

const contentKey = randomBytes(contentKeyBytes);
const sealerOf = fileSealers({
  format: 'cloister',
  contentKey: contentKey.toString('base64'),
  header: { sealed: 'by the server' },
});

function sealed(file: number, clear: Buffer): Buffer {
  const sealer = sealerOf(file);
  return Buffer.concat([sealer.write(clear), sealer.end()]);
}

async function opened(bytes: Buffer) {
  let header: unknown;
  const unwrap = async (found: unknown) => {
    header = found;
    return Buffer.from(contentKey);
  };
  const { bytes: clear, error } = await drain(openSealedArchive(inParts(bytes, 1000), unwrap));
  return { clear, error, header };
}

test('each file opens with the key of the archive, and says which it is', async () => {
  for (const file of [0, 1, 999]) {
    const clear = randomBytes(50_000);
    const { clear: found, error, header } = await opened(sealed(file, clear));
    assert.equal(error, null);
    assert.deepEqual(header, { sealed: 'by the server', file });
    assert.deepEqual(found, clear);
  }
});

test('two files of the same bytes have no cipher text in common, and neither opens under the number of the other', async () => {
  const clear = Buffer.alloc(40_000, 'the same');
  const [first, second] = [sealed(1, clear), sealed(2, clear)];
  const blocks = new Set(Array.from({ length: 2000 }, (_, at) => first.toString('hex', 200 + at * 16, 216 + at * 16)));
  for (let at = 200; at + 16 < 32_000; at += 1) assert.equal(blocks.has(second.toString('hex', at, at + 16)), false);
  const renamed = Buffer.from(first);
  renamed.write('2', renamed.indexOf('"file":1') + 7);
  const { clear: found, error } = await opened(renamed);
  assert.equal(found.length, 0);
  isRefusal(error, 'ArchiveChanged');
});

test('a chunk of archiveFileChunkBytes is given out with the byte that follows it', () => {
  const sealer = sealerOf(0);
  const full = limits.archiveFileChunkBytes - streamHeadBytes - tagBytes;
  const head = sealer.write(Buffer.alloc(full));
  assert.ok(head.length < 200, 'the header alone');
  assert.equal(sealer.write(Buffer.alloc(1)).length, limits.archiveFileChunkBytes - streamHeadBytes);
  sealer.discard();
});
