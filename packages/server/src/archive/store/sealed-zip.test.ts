import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { limits } from '@cloister/protocol';
import { openAnyArchive, openArchive } from '../open.ts';
import { drain, inParts, isRefusal, makeOwner, randomFrom } from '../seal/archive-fixtures.ts';
import { toCertificates } from '../seal/recipients.ts';
import { createArchiveSealer } from '../seal/sealed-archive.ts';
import { ZipLayout } from './zip.ts';

const owner = makeOwner();
const { privateKey } = owner;

async function sealed(clear: Uint8Array): Promise<Buffer> {
  const sealer = await createArchiveSealer(toCertificates([owner.certificate]));
  return Buffer.concat([sealer.write(clear), sealer.end()]);
}

type Members = Readonly<Record<string, Buffer>> | readonly (readonly [string, Buffer])[];

function zipOf(given: Members): Buffer {
  const members = Array.isArray(given) ? given : Object.entries(given);
  const layout = new ZipLayout(
    members.map(([name, data]) => ({ name, bytes: data.length, crc32: crc32(data) })),
    0,
  );
  const parts = [...layout.parts(0, layout.bytes)].map((part) =>
    'bytes' in part ? part.bytes : (members[part.member]?.[1] as Buffer),
  );
  return Buffer.concat(parts);
}

const clear = { 'a.webm': randomFrom('a')(200_000), 'b.mkv': randomFrom('b')(100_000) };
const [a, b] = [await sealed(clear['a.webm']), await sealed(clear['b.mkv'])];
const hex = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const manifest = (files: object, name = 'id') =>
  sealed(
    Buffer.from(
      JSON.stringify({
        id: name,
        files: Object.entries(files).map(([filename, bytes]) => ({ filename, sealedSha256: hex(bytes as Buffer) })),
      }),
    ),
  );
const listed = await manifest({ 'a.webm': a, 'b.mkv': b });
const whole = { 'id.json.cloister': listed, 'a.webm.cloister': a, 'b.mkv.cloister': b };

/** What comes out, and the first error. @param wanted files that are read */
async function opened(zip: Buffer, wanted: (name: string) => boolean = () => true, more: object = {}) {
  const files: Record<string, Buffer> = {};
  try {
    const archive = await openAnyArchive(inParts(zip, 7000), { privateKey, ...more });
    assert.ok('entries' in archive);
    for await (const { name, clear: bytes } of archive.entries) {
      if (!wanted(name)) continue;
      const found = await drain(bytes);
      files[name] = found.bytes;
      if (found.error) throw found.error;
    }
  } catch (error) {
    return { files, error };
  }
  return { files, error: null };
}

test('each file comes out under its name, the manifest first; what is not wanted is passed over', async () => {
  const { files, error } = await opened(zipOf(whole));
  assert.equal(error, null);
  assert.deepEqual(Object.keys(files), ['id.json', 'a.webm', 'b.mkv']);
  assert.deepEqual([files['a.webm'], files['b.mkv']], [clear['a.webm'], clear['b.mkv']]);
  const one = await opened(zipOf(whole), (name) => name === 'b.mkv');
  assert.deepEqual(one, { files: { 'b.mkv': clear['b.mkv'] }, error: null });
});

test('a file that was exchanged, renamed, left out, added or repeated is a changed archive', async () => {
  const other = await sealed(clear['a.webm']);
  const manifestFirst = (rest: Members) => [
    ['id.json.cloister', listed] as const,
    ...(Array.isArray(rest) ? rest : Object.entries(rest)),
  ];
  const wrong: [Members, RegExp][] = [
    [
      manifestFirst({ 'a.webm.cloister': other, 'b.mkv.cloister': b }),
      /a\.webm is not the file that its manifest names/,
    ],
    [manifestFirst({ 'a.webm.cloister': b, 'b.mkv.cloister': a }), /a\.webm is not the file/],
    [manifestFirst({ 'a.webm.cloister': a }), /b\.mkv is not in it/],
    [manifestFirst({ 'a.webm.cloister': a, 'b.mkv.cloister': b, 'c.webm.cloister': other }), /c\.webm is in it/],
    [
      manifestFirst([
        ['a.webm.cloister', a],
        ['a.webm.cloister', a],
      ]),
      /a\.webm is in it twice/,
    ],
  ];
  for (const [members, why] of wrong) isRefusal((await opened(zipOf(members))).error, 'ArchiveChanged', why);
});

test('a changed byte of a file is found where it is, and one of the manifest before all files', async () => {
  for (const name of ['a.webm.cloister', 'id.json.cloister'] as const) {
    const spoilt = Buffer.from(whole[name]);
    spoilt[spoilt.length - 20] = (spoilt[spoilt.length - 20] as number) ^ 1;
    const { files, error } = await opened(zipOf({ ...whole, [name]: spoilt }));
    isRefusal(error, 'ArchiveChanged', /chunk/);
    assert.equal('b.mkv' in files, false);
    if (name === 'id.json.cloister') assert.deepEqual(files, {});
  }
});

test('a file that is cut says so, and the one behind it opens', async () => {
  const cut = a.subarray(0, 150_000);
  const members = {
    'id.json.cloister': await manifest({ 'a.webm': cut, 'b.mkv': b }),
    'a.webm.cloister': cut,
    'b.mkv.cloister': b,
  };
  const { error, files } = await opened(zipOf(members));
  isRefusal(error, 'ArchiveCut');
  assert.deepEqual(files['a.webm'], clear['a.webm'].subarray(0, files['a.webm']?.length));
  assert.ok((files['a.webm']?.length ?? 0) > 100_000);
  assert.deepEqual((await opened(zipOf(members), (name) => name === 'b.mkv')).files, { 'b.mkv': clear['b.mkv'] });
});

test('without a manifest each file speaks for itself', async () => {
  const { files, error } = await opened(zipOf({ 'a.webm.cloister': a }));
  assert.deepEqual([error, files], [null, { 'a.webm': clear['a.webm'] }]);
});

test('a name that is a path, or of what is not sealed, is refused before anything is opened', async () => {
  for (const name of [
    '../a.webm.cloister',
    '/etc/passwd.cloister',
    'a/b.cloister',
    '.cloister',
    '..cloister',
    'a\\b.cloister',
    'a.webm',
    '',
  ]) {
    isRefusal((await opened(zipOf({ [name]: a }))).error, 'ArchiveUnreadable', /no sealed file/);
  }
});

test('a manifest that is none, or larger than archiveManifestBytes, is refused', async () => {
  for (const [text, why] of [
    ['no JSON', /its manifest is none/],
    ['{"files":[{}]}', /its manifest is none/],
    ['{"files":[]}'.padEnd(limits.archiveManifestBytes + 1), /archiveManifestBytes/],
  ] as const) {
    const zip = zipOf({ 'id.json.cloister': await sealed(Buffer.from(text)) });
    isRefusal((await opened(zip)).error, 'ArchiveUnreadable', why);
  }
  const most = '{"files":[]}'.padEnd(limits.archiveManifestBytes);
  assert.equal((await opened(zipOf({ 'id.json.cloister': await sealed(Buffer.from(most)) }))).error, null);
});

test('with the digest of the ZIP it is another one that was given', async () => {
  const zip = zipOf(whole);
  const expected = {
    sha256: createHash('sha256').update(zip).digest(),
    sizeBytes: zip.length,
    source: 'of the manifest',
  };
  assert.equal((await opened(zip, undefined, { expected })).error, null);
  const other = zipOf({ ...whole, 'a.webm.cloister': a });
  assert.equal((await opened(other, undefined, { expected })).error, null);
  // The time in a head of the ZIP: nothing that is sealed.
  other[10] = (other[10] as number) ^ 1;
  isRefusal(
    (await opened(other, undefined, { expected })).error,
    'ArchiveChanged',
    /SHA-256 is not the one of the manifest/,
  );
  assert.equal((await opened(other)).error, null);
});

test('who wants one file is told that it is several', async () => {
  await assert.rejects(openArchive(inParts(zipOf(whole), 1000), { privateKey }), (error) =>
    isRefusal(error, 'ArchiveUnreadable', /ZIP of several files/),
  );
});
