import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { drain, inParts, isRefusal, makeOwner } from '../seal/archive-fixtures.ts';
import { byPrivateKey, type UnwrapKey } from '../seal/recipients.ts';
import { openSealedArchive } from '../seal/sealed-archive.ts';
import { contentKeyBytes, streamHeadBytes, tagBytes } from '../seal/sealed-chunks.ts';
import { type FileSealers, fileSealers } from './recorder-seal.ts';

const contentKey = randomBytes(contentKeyBytes);
const ofServer = await fileSealers({
  format: 'cloister',
  contentKey: contentKey.toString('base64'),
  header: { sealed: 'by the server' },
});
const owners = [makeOwner(), makeOwner(3072)];
const toOwners = () => fileSealers({ format: 'recipients', certificates: owners.map(({ pem }) => pem) });

function sealed(file: number, clear: Buffer, sealers: FileSealers = ofServer): Buffer {
  const sealer = sealers.of(file);
  return Buffer.concat([sealer.write(clear), sealer.end()]);
}

async function opened(bytes: Buffer, by: UnwrapKey = async () => Buffer.from(contentKey)) {
  let header: unknown;
  const unwrap: UnwrapKey = async (found) => {
    header = found;
    return by(found);
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

test('sealed to certificates, each of their keys opens every file, and no other does', async () => {
  const sealers = await toOwners();
  const clear = randomBytes(50_000);
  for (const file of [0, 7]) {
    const bytes = sealed(file, clear, sealers);
    for (const { privateKey } of owners) {
      const { clear: found, error, header } = await opened(bytes, byPrivateKey(privateKey));
      assert.equal(error, null);
      assert.deepEqual(found, clear);
      assert.equal((header as { file: number }).file, file);
    }
    isRefusal((await opened(bytes, byPrivateKey(makeOwner().privateKey))).error, 'ArchiveKeyWrong');
  }
});

test('every archive has a content key of its own', async () => {
  const keys: Buffer[] = [];
  const owner = byPrivateKey(owners[0]!.privateKey);
  for (let count = 0; count < 2; count += 1) {
    const bytes = sealed(0, randomBytes(10), await toOwners());
    await opened(bytes, async (header) => {
      const key = await owner(header);
      keys.push(Buffer.from(key));
      return key;
    });
  }
  assert.equal(keys[0]?.length, contentKeyBytes);
  assert.notDeepEqual(keys[0], keys[1]);
});

test('once the key is wiped, no other file is sealed; one that was begun ends', async () => {
  const sealers = await toOwners();
  const begun = sealers.of(0);
  sealers.wipe();
  assert.throws(
    () => sealers.of(1),
    (error) => isRefusal(error, 'WrongState'),
  );
  const bytes = Buffer.concat([begun.write(Buffer.from('begun')), begun.end()]);
  const { clear } = await opened(bytes, byPrivateKey(owners[0]!.privateKey));
  assert.equal(clear.toString(), 'begun');
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
  const sealer = ofServer.of(0);
  const full = limits.archiveFileChunkBytes - streamHeadBytes - tagBytes;
  const head = sealer.write(Buffer.alloc(full));
  assert.ok(head.length < 200, 'the header alone');
  assert.equal(sealer.write(Buffer.alloc(1)).length, limits.archiveFileChunkBytes - streamHeadBytes);
  sealer.discard();
});
