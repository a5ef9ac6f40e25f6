import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { createArchiveSealerWith } from '../seal/sealed-archive.ts';
import { OpenedDigest } from './opened-digest.ts';

const contentKey = randomBytes(32);
const unwrap = async () => Buffer.from(contentKey);

/** An archive of three chunks and a bit. */
function archive(): { clear: Buffer; sealed: Buffer } {
  const clear = randomBytes(limits.sealedChunkBytes * 3 + 100);
  const sealer = createArchiveSealerWith(Buffer.from(contentKey), { test: true });
  return { clear, sealed: Buffer.concat([sealer.write(clear), sealer.end()]) };
}

async function digestOf(sealed: Buffer, partBytes: number) {
  const digest = new OpenedDigest(unwrap);
  for (let from = 0; from < sealed.length; from += partBytes)
    await digest.take(sealed.subarray(from, from + partBytes));
  const facts = await digest.end();
  assert.deepEqual(await digest.end(), facts);
  return facts;
}

test('size and digest are of the clear bytes, whatever the parts', async () => {
  const { clear, sealed } = archive();
  const sha256 = createHash('sha256').update(clear).digest('base64');
  for (const partBytes of [1000, 65_536, sealed.length]) {
    assert.deepEqual(await digestOf(sealed, partBytes), { sizeBytes: clear.length, sha256 });
  }
});

test('what is changed, cut or another key’s is no archive, and nobody waits for it', async () => {
  const { sealed } = archive();
  const other = Buffer.from(sealed);
  other[100_000] = (other[100_000] as number) ^ 1;
  assert.equal(await digestOf(other, 5000), null);
  assert.equal(await digestOf(sealed.subarray(0, -1), 5000), null);
  assert.equal(await digestOf(Buffer.alloc(0), 1), null);
  const refused = new OpenedDigest(() => Promise.reject(new Error('no such key')));
  await refused.take(sealed);
  await refused.take(sealed);
  assert.equal(await refused.end(), null);
});
