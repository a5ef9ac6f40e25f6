/** The test vectors of the sealed archive: they are what the code makes, and it opens them as they say. */
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { byPrivateKey, openSealedArchive } from '../packages/server/src/archive/index.ts';
import { drain, inParts } from '../packages/server/src/archive/seal/archive-fixtures.ts';
import { readVectors, remake, spoil, vectorsFile } from './vectors/sealed-archive.ts';

const { vectors, spoilt, privateKeys } = readVectors();
const keys = privateKeys.map((pem) => createPrivateKey(pem));
const codes = { cut: 'ArchiveCut', changed: 'ArchiveChanged', 'wrong key': 'ArchiveKeyWrong' };
const recipients = (header: string): number => JSON.parse(header).recipients?.length ?? 0;

async function open(file: Uint8Array, key: number) {
  const { bytes, error } = await drain(openSealedArchive(inParts(file, 1000), byPrivateKey(keys[key]!)));
  return { bytes: bytes.toString('hex'), code: (error as { code?: string } | null)?.code ?? null };
}

test('made anew from their seeds, the vectors are the same bytes', async () => {
  assert.equal(`${JSON.stringify(await remake(), null, 2)}\n`, readFileSync(vectorsFile, 'utf8'));
});

for (const { name, header, clear, contentKey, file } of vectors.filter((each) => recipients(each.header) > 0)) {
  test(`vector "${name}" opens with the keys of its recipients and no other`, async () => {
    for (let key = 0; key < keys.length; key += 1) {
      const mine = key < recipients(header);
      const wanted = mine ? { bytes: clear, code: null } : { bytes: '', code: 'ArchiveKeyWrong' };
      assert.deepEqual(await open(Buffer.from(file, 'base64'), key), wanted);
      if (mine) assert.equal((await byPrivateKey(keys[key]!)(JSON.parse(header))).toString('hex'), contentKey);
    }
  });
}

for (const { name, clear, contentKey, file } of vectors.filter((each) => recipients(each.header) === 0)) {
  test(`vector "${name}" opens with the content key that the platform keeps`, async () => {
    const key = async () => Buffer.from(contentKey, 'hex');
    const opened = await drain(openSealedArchive(inParts(Buffer.from(file, 'base64')), key));
    assert.deepEqual(opened, { bytes: Buffer.from(clear, 'hex'), error: null });
  });
}

for (const each of spoilt) {
  const { of, cutTo, flipAt, opens, says } = each;
  test(`"${of}", ${cutTo === undefined ? `flipped at ${flipAt}` : `cut to ${cutTo}`}: ${opens} bytes, then ${says}`, async () => {
    const vector = vectors.find(({ name }) => name === of)!;
    const wanted = { bytes: vector.clear.slice(0, opens * 2), code: codes[says] };
    assert.deepEqual(await open(spoil(Buffer.from(vector.file, 'base64'), each), 0), wanted);
  });
}
