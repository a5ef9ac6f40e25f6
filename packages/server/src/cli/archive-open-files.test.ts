/** Individual archives opened by the command: into a folder, one file of them, to a player. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after, beforeEach, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { createArchiveSealer, toCertificates } from '../archive/index.ts';
import { isRefusal, makeOwner, randomFrom } from '../archive/seal/archive-fixtures.ts';
import { headInVoid } from '../archive/separate/matroska-head.ts';
import { ZipLayout } from '../archive/store/zip.ts';
import { ManualClock, systemIds } from '../lib/index.ts';
import { type OpenWords, openArchiveCommand } from './archive-open.ts';

const root = mkdtempSync(path.join(tmpdir(), 'cloister-archive-open-files-'));
after(() => rmSync(root, { recursive: true }));

const owner = makeOwner();
async function sealed(clear: Uint8Array): Promise<Buffer> {
  const sealer = await createArchiveSealer(toCertificates([owner.certificate]));
  return Buffer.concat([sealer.write(clear), sealer.end()]);
}

const ebml = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);
const [first, last] = ['first', 'last'].map((name) => Buffer.concat([ebml, randomFrom(name)(300)])) as [Buffer, Buffer];
const body = randomFrom('body')(1_300_000);
const asRecorded = Buffer.concat([first, body, headInVoid(last)]);
const asOpened = Buffer.concat([last, body]);
const other = randomFrom('other')(90_000);
const hex = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const [a, b] = [await sealed(asRecorded), await sealed(other)];
const manifestOf = (files: Readonly<Record<string, Buffer>>) =>
  Buffer.from(
    JSON.stringify({
      files: Object.entries(files).map(([filename, bytes]) => ({ filename, sealedSha256: hex(bytes) })),
    }),
  );
const manifest = manifestOf({ 'a.webm': a, 'b.mkv': b });
const listed = await sealed(manifest);

function zipOf(given: Readonly<Record<string, Buffer>>): Buffer {
  const members = Object.entries(given);
  const layout = new ZipLayout(
    members.map(([name, data]) => ({ name, bytes: data.length, crc32: crc32(data) })),
    0,
  );
  const parts = [...layout.parts(0, layout.bytes)].map((part) =>
    'bytes' in part ? part.bytes : (members[part.member]?.[1] as Buffer),
  );
  return Buffer.concat(parts);
}

const zip = zipOf({ 'id.json.cloister': listed, 'a.webm.cloister': a, 'b.mkv.cloister': b });

let folder: string;
let turn = 0;
beforeEach(() => {
  folder = path.join(root, String(turn));
  turn += 1;
  mkdirSync(folder);
  writeFileSync(at('key.pem'), owner.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(at('archive.zip'), zip);
});

const at = (name: string) => path.join(folder, name);
const left = (below = '.') => readdirSync(at(below)).sort();

class Sink extends Writable {
  readonly parts: Buffer[] = [];
  override _write(part: Buffer, _: string, done: () => void): void {
    this.parts.push(Buffer.from(part));
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

async function run(source: string, words: Partial<OpenWords> = {}, stdin: Buffer = zip) {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const none = { password: undefined, sha256: undefined, manifest: undefined, platformKeys: undefined };
  const all = { ...none, passphraseFile: undefined, entry: undefined, out: undefined, key: at('key.pem'), ...words };
  const deps = { stdout, stderr, fetch, clock: new ManualClock(), ids: systemIds };
  const done = await openArchiveCommand(
    { source, ...all },
    { ...deps, stdin: Readable.from([stdin.subarray(0, 70_000), stdin.subarray(70_000)]) },
  );
  return { done, stdout: stdout.bytes };
}

test('all of it becomes a folder that only its owner reads, each file with its last head in front', async () => {
  const sha256 = hex(zip);
  for (const [source, out, words, verified] of [
    [at('archive.zip'), at('visit'), {}, 'format'],
    [at('archive.zip'), `${at('again')}/`, { sha256 }, 'sha256'],
    ['-', at('piped'), { sha256 }, 'sha256'],
  ] as const) {
    const { done, stdout } = await run(source, { out, ...words });
    const files = ['id.json', 'a.webm', 'b.mkv'];
    const bytes = manifest.length + asRecorded.length + other.length;
    assert.deepEqual(done, { file: out, format: 'cloister', bytes, verified, files });
    assert.equal(stdout.length, 0);
    assert.equal(statSync(out).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(out).sort(), [...files].sort());
    assert.deepEqual(readFileSync(path.join(out, 'id.json')), manifest);
    assert.deepEqual(readFileSync(path.join(out, 'a.webm')), asOpened);
    assert.deepEqual(readFileSync(path.join(out, 'b.mkv')), other);
    assert.equal(statSync(path.join(out, 'a.webm')).mode & 0o777, 0o600);
  }
  assert.deepEqual(left(), ['again', 'archive.zip', 'key.pem', 'piped', 'visit']);
});

test('one file of it, by either name, to a file and to a player', async () => {
  for (const entry of ['a.webm', 'a.webm.cloister']) {
    const out = at(`${entry}.out`);
    const { done } = await run(at('archive.zip'), { entry, out });
    assert.deepEqual(done?.files, ['a.webm']);
    assert.deepEqual(readFileSync(out), asOpened);
    const played = await run('-', { entry, sha256: hex(zip) });
    assert.deepEqual([played.done, played.stdout], [undefined, asRecorded]);
  }
  await assert.rejects(run(at('archive.zip'), { entry: 'c.webm', out: at('c.webm') }), (error) =>
    isRefusal(error, 'BadRequest', /there is no c\.webm in it, but id\.json, a\.webm, b\.mkv/),
  );
});

test('what cannot be followed is told, and nothing is left', async () => {
  const before = left();
  const wrong: [Partial<OpenWords>, Parameters<typeof isRefusal>[1], RegExp][] = [
    [{}, 'BadRequest', /archive of several files; give --out FOLDER, or --entry NAME/],
    [{ out: folder }, 'BadRequest', /is there already/],
    [{ out: at('no/such/folder') }, 'BadRequest', /ENOENT/],
    [{ out: at('visit'), sha256: hex(a) }, 'ArchiveChanged', /SHA-256/],
    [{ out: at('a.webm'), entry: 'a.webm', sha256: hex(a) }, 'ArchiveChanged', /SHA-256/],
  ];
  for (const [words, code, why] of wrong) {
    await assert.rejects(run(at('archive.zip'), words), (error) => isRefusal(error, code, why));
    await assert.rejects(run('-', words), (error) => isRefusal(error, code, why));
  }
  const stranger = makeOwner().privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(at('other.pem'), stranger);
  const opening = run(at('archive.zip'), { out: at('visit'), key: at('other.pem') });
  await assert.rejects(opening, (error) => isRefusal(error, 'ArchiveKeyWrong'));
  assert.deepEqual(left(), [...before, 'other.pem'].sort());
});

test('a changed byte of one file leaves nothing; the others open one by one', async () => {
  const spoilt = Buffer.from(zip);
  const place = spoilt.indexOf(b) + b.length - 20;
  spoilt[place] = (spoilt[place] as number) ^ 1;
  writeFileSync(at('spoilt.zip'), spoilt);
  const before = left();
  await assert.rejects(run(at('spoilt.zip'), { out: at('visit') }), (error) => isRefusal(error, 'ArchiveChanged'));
  assert.deepEqual(left(), before);
  await run(at('spoilt.zip'), { out: at('a.webm'), entry: 'a.webm' });
  assert.deepEqual(readFileSync(at('a.webm')), asOpened);
});

test('files that are cut are kept under names that say so, and those that are whole beside them', async () => {
  const cut = a.subarray(0, 700_000);
  const members = {
    'id.json.cloister': await sealed(manifestOf({ 'a.webm': cut, 'b.mkv': b })),
    'a.webm.cloister': cut,
    'b.mkv.cloister': b,
  };
  writeFileSync(at('cut.zip'), zipOf(members));
  const out = at('visit');
  await assert.rejects(run(at('cut.zip'), { out }), (error) =>
    isRefusal(error, 'ArchiveCut', /a\.webm lacks the end; what there is of the archive is in .*visit\.cut/),
  );
  assert.deepEqual(left('visit.cut'), ['a.webm.cut', 'b.mkv', 'id.json']);
  const kept = readFileSync(at('visit.cut/a.webm.cut'));
  assert.ok(kept.length > 600_000);
  assert.deepEqual(kept, asRecorded.subarray(0, kept.length));
  assert.deepEqual(readFileSync(at('visit.cut/b.mkv')), other);
  // One that was kept before is not replaced.
  await assert.rejects(run(at('cut.zip'), { out }), (error) =>
    isRefusal(error, 'ArchiveCut', /visit\.[0-9a-f]+\.part/),
  );
});

test('a ZIP that is cut keeps what precedes the cut', async () => {
  for (const bytes of [zip.indexOf(b) + 1000, zip.length - 10]) {
    writeFileSync(at('short.zip'), zip.subarray(0, bytes));
    await assert.rejects(run(at('short.zip'), { out: at('visit') }), (error) =>
      isRefusal(error, 'ArchiveCut', /the ZIP.*visit\.cut/),
    );
    assert.deepEqual(readFileSync(at('visit.cut/a.webm')), asOpened);
    rmSync(at('visit.cut'), { recursive: true });
  }
});
