import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type OpenWith, openArchive } from './open.ts';
import { drain, inParts, isRefusal, makeOwner, packets, seed } from './seal/archive-fixtures.ts';
import { createOpenTokSealer } from './seal/opentok-seal.ts';
import { toCertificates } from './seal/recipients.ts';
import { createArchiveSealer } from './seal/sealed-archive.ts';

const owner = makeOwner(2048, 'opentok');
const { privateKey } = owner;
const clear = packets(1000);

const cbc = createOpenTokSealer(owner.certificate);
const opentok = Buffer.concat([cbc.write(clear), cbc.end()]);
const gcm = await createArchiveSealer(toCertificates([owner.certificate]));
const cloister = Buffer.concat([gcm.write(clear), gcm.end()]);
const expected = (bytes: Uint8Array, sizeBytes: number | null = null) => ({
  sha256: createHash('sha256').update(bytes).digest(),
  sizeBytes,
  source: 'that was given',
});

async function open(bytes: Uint8Array, given: Partial<OpenWith> = {}, ...sizes: number[]) {
  const opened = await openArchive(inParts(bytes, ...sizes, 5000), { privateKey, password: cbc.password, ...given });
  return { format: opened.format, ...(await drain(opened.clear)) };
}

test('property: the format is found whatever the first part is, and every byte is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('opentok', 'cloister'), fc.integer({ min: 1, max: 20 }), async (format, first) => {
      const file = format === 'opentok' ? opentok : cloister;
      assert.deepEqual(await open(file, { expected: expected(file, file.length) }, first), {
        format,
        bytes: clear,
        error: null,
      });
    }),
    { numRuns: 30, seed },
  );
});

test('with the digest of the stored file a changed byte is found in either format', async () => {
  const changed = Buffer.from(opentok);
  changed[5000] = (changed[5000] as number) ^ 1;
  assert.equal((await open(changed)).error, null);
  isRefusal((await open(changed, { expected: expected(opentok) })).error, 'ArchiveChanged', /SHA-256/);
  isRefusal((await open(cloister, { expected: expected(opentok) })).error, 'ArchiveChanged', /SHA-256/);
});

test('a cut file is a cut file, also when its digest is known', async () => {
  for (const file of [opentok, cloister]) {
    isRefusal((await open(file.subarray(0, 9990), { expected: expected(file) })).error, 'ArchiveCut');
  }
});

/** The file, and whether it was closed. */
function watched(file: Uint8Array) {
  const seen = { closed: false };
  async function* source() {
    try {
      yield* inParts(file, 100);
    } finally {
      seen.closed = true;
    }
  }
  return { seen, source: source() };
}

test('without a password the format of OpenTok is refused', async () => {
  const { source } = watched(opentok);
  await assert.rejects(openArchive(source, { privateKey }), (error) =>
    isRefusal(error, 'ArchiveUnreadable', /password/),
  );
  assert.equal((await open(cloister, { password: undefined })).error, null);
});

test('however it ends, the source is closed', async () => {
  const wrong = makeOwner().privateKey;
  const digest = expected(opentok);
  const ways: [Uint8Array, OpenWith][] = [
    [opentok, { privateKey }],
    [opentok, { privateKey: wrong, password: cbc.password }],
    [opentok, { privateKey: wrong, password: cbc.password, expected: digest }],
    [cloister, { privateKey: wrong }],
    [cloister, { privateKey, expected: digest }],
  ];
  for (const [file, given] of ways) {
    const { seen, source } = watched(file);
    await assert.rejects(async () => {
      for await (const _ of (await openArchive(source, given)).clear);
    });
    assert.ok(seen.closed);
  }
  const { seen, source } = watched(cloister);
  for await (const _ of (await openArchive(source, { privateKey })).clear) break;
  assert.ok(seen.closed, 'who reads stops early');
});

test('an empty file is a cut archive of OpenTok, or none', async () => {
  isRefusal((await open(Buffer.alloc(0))).error, 'ArchiveCut', /empty/);
  await assert.rejects(open(Buffer.alloc(0), { password: undefined }), (error) =>
    isRefusal(error, 'ArchiveUnreadable'),
  );
});
