import assert from 'node:assert/strict';
import { constants, publicEncrypt, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { drain, inParts, isRefusal, makeOwner, packets, seed } from './archive-fixtures.ts';
import { openOpenTokArchive } from './opentok-open.ts';
import { createOpenTokSealer } from './opentok-seal.ts';

const owner = makeOwner(2048, 'opentok');
const clear = packets(21);
const sealer = createOpenTokSealer(owner.certificate);
const { password } = sealer;
const sealed = Buffer.concat([sealer.write(clear), sealer.end()]);

const open = (bytes: Uint8Array, { key = owner.privateKey, by = password, sizes = [1000] } = {}) =>
  drain(openOpenTokArchive(inParts(bytes, ...sizes), key, by));

const wrapped = (blob: Buffer) =>
  publicEncrypt(
    { key: owner.certificate.publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    blob,
  ).toString('base64');

test('property: an archive opens, however its bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }), async (sizes) => {
      assert.deepEqual(await open(sealed, { sizes }), { bytes: clear, error: null });
    }),
    { numRuns: 50, seed },
  );
});

test('a wrong key is told before the first byte', async () => {
  const stranger = makeOwner(2048, 'opentok');
  const { bytes, error } = await open(sealed, { key: stranger.privateKey });
  assert.equal(bytes.length, 0);
  isRefusal(error, 'ArchiveKeyWrong', /does not open with it/);
  const longer = await open(sealed, { key: makeOwner(3072).privateKey });
  isRefusal(longer.error, 'ArchiveKeyWrong', /for a key of 2048 bits, and this one has 3072/);
});

test('a password of another archive, or changed, does not open it', async () => {
  const other = createOpenTokSealer(owner.certificate);
  // The key opens that password, and what it holds opens nothing here: seen at the end, by padding and packets.
  isRefusal((await open(sealed, { by: other.password })).error, 'ArchiveCut');
  const changed = Buffer.from(password, 'base64');
  changed[100] = (changed[100] as number) ^ 1;
  isRefusal((await open(sealed, { by: changed.toString('base64') })).error, 'ArchiveKeyWrong');
});

test('a password of another form is told from a wrong key', async () => {
  for (const by of ['not base64!', '=', 'A'.repeat(limits.archivePasswordChars + 1)]) {
    isRefusal((await open(sealed, { by })).error, 'ArchiveUnreadable', /not the base64 text/);
  }
  // archivePasswordChars at its bound is read, and is then no password for this key.
  isRefusal((await open(sealed, { by: 'A'.repeat(limits.archivePasswordChars) })).error, 'ArchiveKeyWrong');
  const key = randomBytes(48);
  for (const blob of [key, Buffer.concat([Buffer.of(2, 1, 1), key]), Buffer.concat([Buffer.of(1, 1, 1), key, key])]) {
    isRefusal((await open(sealed, { by: wrapped(blob) })).error, 'ArchiveUnreadable', /another version/);
  }
});

test('property: an archive that was cut is told so, and what precedes the cut is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), async (length) => {
      const { bytes, error } = await open(sealed.subarray(0, length));
      isRefusal(error, 'ArchiveCut');
      assert.deepEqual(bytes, clear.subarray(0, bytes.length));
      assert.ok(bytes.length >= length - 32, 'all but the last block, which is held back, and a piece of one');
    }),
    { numRuns: 300, seed },
  );
});

test('a changed byte gives changed clear bytes and no error: the format has nothing against it', async () => {
  const changed = Buffer.from(sealed);
  changed[1600] = (changed[1600] as number) ^ 1;
  const { bytes, error } = await open(changed);
  assert.equal(error, null);
  assert.equal(bytes.length, clear.length);
  assert.notDeepEqual(bytes, clear);
});

test('property: no password makes it throw anything but a refusal', async () => {
  const any = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.uint8Array({ minLength: 256, maxLength: 256 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => wrapped(Buffer.from(bytes))),
  );
  await fc.assert(
    fc.asyncProperty(any, async (by) => {
      const { error } = await open(sealed, { by });
      assert.match((error as { code: string }).code, /^Archive(KeyWrong|Unreadable|Cut)$/);
    }),
    { numRuns: 300, seed },
  );
});
