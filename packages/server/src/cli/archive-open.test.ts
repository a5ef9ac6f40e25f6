import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after, beforeEach, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { createArchiveSealer, createOpenTokSealer, toCertificates } from '../archive/index.ts';
import { isRefusal, makeOwner, packets } from '../archive/seal/archive-fixtures.ts';
import { ManualClock, systemIds } from '../lib/index.ts';
import { type OpenDeps, type OpenWords, openArchiveCommand } from './archive-open.ts';

const root = mkdtempSync(path.join(tmpdir(), 'cloister-archive-open-'));
after(() => rmSync(root, { recursive: true }));

const owner = makeOwner(2048, 'opentok');
const clear = packets(20_000);
const cbc = createOpenTokSealer(owner.certificate);
const opentok = Buffer.concat([cbc.write(clear), cbc.end()]);
const gcm = await createArchiveSealer(toCertificates([owner.certificate]));
const cloister = Buffer.concat([gcm.write(clear), gcm.end()]);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

/** A folder of its own for each test: what a failed opening leaves is seen in it. */
let folder: string;
let turn = 0;
beforeEach(() => {
  folder = path.join(root, String(turn));
  turn += 1;
  mkdirSync(folder);
  writeFiles({ 'key.pem': owner.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() });
});

function writeFiles(files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
}

/** Collects what is written. */
class Sink extends Writable {
  readonly parts: Buffer[] = [];
  isTTY = false;
  override _write(part: Buffer, _: string, done: () => void): void {
    this.parts.push(Buffer.from(part));
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function rig(stdin: Uint8Array = Buffer.alloc(0), ask: typeof fetch = fetch) {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const clock = new ManualClock();
  const deps: OpenDeps = {
    stdin: Readable.from([stdin.subarray(0, 70_000), stdin.subarray(70_000)]),
    stdout,
    stderr,
    fetch: ask,
    clock,
    ids: systemIds,
  };
  const run = (source: string, words: Partial<OpenWords> = {}) => {
    const all = { key: path.join(folder, 'key.pem'), out: undefined, password: cbc.password, ...words };
    const none = {
      sha256: undefined,
      manifest: undefined,
      platformKeys: undefined,
      passphraseFile: undefined,
      entry: undefined,
    };
    return openArchiveCommand({ ...none, source, ...all }, deps);
  };
  return { run, stdout, stderr, clock };
}

const at = (name: string) => path.join(folder, name);
const left = () => readdirSync(folder).sort();

test('a file of either format becomes a clear file that only its owner reads', async () => {
  writeFiles({ opentok, cloister });
  for (const [format, file] of Object.entries({ opentok, cloister })) {
    const out = at(`${format}.ts`);
    const { run, stdout } = rig();
    const done = await run(at(format), { out, sha256: sha256(file) });
    assert.deepEqual(done, { file: out, format, bytes: clear.length, verified: 'sha256' });
    assert.deepEqual(readFileSync(out), clear);
    assert.equal(statSync(out).mode & 0o777, 0o600);
    assert.equal(stdout.bytes.length, 0);
  }
});

test('what stands against a changed byte is said: the format, the digest, or nothing', async () => {
  writeFiles({ opentok, cloister });
  const own = rig();
  assert.equal((await own.run(at('cloister'), { out: at('a.ts') }))?.verified, 'format');
  assert.equal(own.stderr.bytes.toString(), '');
  const other = rig();
  assert.equal((await other.run(at('opentok'), { out: at('b.ts') }))?.verified, 'no');
  assert.match(other.stderr.bytes.toString(), /not yet verified: .*--sha256/);
});

test('to a player through standard output, with a warning where a changed byte would go unseen', async () => {
  writeFiles({ opentok, cloister });
  const cases = [
    [at('cloister'), undefined, /^$/, undefined],
    [at('opentok'), undefined, /not yet verified: .*--sha256/, undefined],
    [at('opentok'), sha256(opentok), /^$/, undefined],
    ['-', sha256(opentok), /not yet verified: .*at its end/, opentok],
    [
      '-',
      sha256(cloister),
      /^not yet verified: whether this is the file whose SHA-256 was given is not known; .*at its end/,
      cloister,
    ],
    ['-', undefined, /^$/, cloister],
  ] as const;
  for (const [source, digest, said, piped] of cases) {
    const { run, stdout, stderr } = rig(piped);
    assert.equal(await run(source, { sha256: digest }), undefined);
    assert.deepEqual(stdout.bytes, clear);
    assert.match(stderr.bytes.toString(), said);
  }
});

test('a file whose digest is another one never reaches the player', async () => {
  writeFiles({ opentok });
  const { run, stdout } = rig();
  await assert.rejects(run(at('opentok'), { sha256: sha256(cloister) }), (error) => isRefusal(error, 'ArchiveChanged'));
  assert.equal(stdout.bytes.length, 0);
  const hex = createHash('sha256').update(opentok).digest('hex');
  assert.equal(await run(at('opentok'), { sha256: hex }), undefined);
});

test('wrong key, cut file, changed byte: three errors, and nothing that looks whole', async () => {
  const changed = Buffer.from(cloister);
  changed[200_000] = (changed[200_000] as number) ^ 1;
  const stranger = makeOwner().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFiles({ 'other.pem': stranger, changed, opentok, cloister, cut: cloister.subarray(0, 300_000) });
  writeFiles({ short: opentok.subarray(0, 300_001), other: opentok });
  const before = left();
  const out = at('out.ts');
  for (const source of ['opentok', 'cloister']) {
    const opening = rig().run(at(source), { out, key: at('other.pem') });
    await assert.rejects(opening, (error) => isRefusal(error, 'ArchiveKeyWrong'));
  }
  await assert.rejects(rig().run(at('changed'), { out }), (error) => isRefusal(error, 'ArchiveChanged', /chunk 3/));
  const digest = sha256(cloister);
  await assert.rejects(rig().run(at('opentok'), { out, sha256: digest }), (error) =>
    isRefusal(error, 'ArchiveChanged'),
  );
  assert.deepEqual(left(), before);
  for (const source of ['cut', 'short']) {
    await assert.rejects(rig().run(at(source), { out }), (error) => isRefusal(error, 'ArchiveCut', /out\.ts\.cut/));
    const kept = readFileSync(`${out}.cut`);
    assert.ok(kept.length > 200_000);
    assert.deepEqual(kept, clear.subarray(0, kept.length));
    rmSync(`${out}.cut`);
    assert.deepEqual(left(), before);
  }
});

test('a file that is there is not replaced, and words that cannot be followed are told', async () => {
  const file = 'something of mine';
  writeFiles({ cloister, 'mine.ts': file, 'public.pem': owner.pem });
  const wrong: [string, Partial<OpenWords>, RegExp][] = [
    [at('cloister'), { out: at('mine.ts') }, /mine\.ts is there already/],
    [at('cloister'), { out: at('no/such/folder.ts') }, /ENOENT/],
    [at('cloister'), { key: undefined }, /--key FILE is needed/],
    [at('cloister'), { key: at('nothing.pem') }, /--key: .*nothing\.pem: ENOENT/],
    [at('cloister'), { key: folder }, /--key: .*EISDIR/],
    [at('cloister'), { key: at('public.pem') }, /holds no private key/],
    [at('cloister'), { sha256: 'abc' }, /--sha256/],
    [at('cloister'), { entry: 'a.webm', out: at('a.webm') }, /--entry NAME is for an individual archive/],
  ];
  for (const [source, words, message] of wrong) {
    await assert.rejects(rig().run(source, words), (error) => isRefusal(error, 'BadRequest', message));
  }
  assert.equal(readFileSync(at('mine.ts'), 'utf8'), file);
  assert.deepEqual(left(), ['cloister', 'key.pem', 'mine.ts', 'public.pem']);
});

test('archiveKeyFileBytes is the most that is read of a key', async () => {
  const pem = readFileSync(at('key.pem'), 'utf8');
  const most = pem.padEnd(limits.archiveKeyFileBytes, '\n');
  writeFiles({ cloister, 'most.pem': most, 'more.pem': `${most}\n` });
  assert.equal(await rig().run(at('cloister'), { key: at('most.pem') }), undefined);
  const opening = rig().run(at('cloister'), { key: at('more.pem') });
  await assert.rejects(opening, (error) => isRefusal(error, 'BadRequest', /archiveKeyFileBytes/));
});

test('a locked key opens with its passphrase, and says so without', async () => {
  const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' } as const;
  writeFiles({ cloister, 'locked.pem': owner.privateKey.export(cipher).toString() });
  writeFiles({ right: 'open sesame\n', wrong: 'open barley' });
  const key = at('locked.pem');
  const { run, stdout } = rig();
  assert.equal(await run(at('cloister'), { key, passphraseFile: at('right') }), undefined);
  assert.deepEqual(stdout.bytes, clear);
  const refused = (words: Partial<OpenWords>, message: RegExp) =>
    assert.rejects(rig().run(at('cloister'), { key, ...words }), (error) => isRefusal(error, 'BadRequest', message));
  await refused({}, /locked; give --passphrase-file/);
  await refused({ passphraseFile: at('wrong') }, /with this passphrase/);
});

test('nothing is written to a terminal, and progress to nothing else', async () => {
  writeFiles({ cloister });
  const shown = rig();
  shown.stdout.isTTY = true;
  await assert.rejects(shown.run(at('cloister')), (error) => isRefusal(error, 'BadRequest', /--out FILE/));
  shown.stderr.isTTY = true;
  await shown.run(at('cloister'), { out: at('shown.ts') });
  assert.match(shown.stderr.bytes.toString(), /\r\[#{30}\] 100 % of 3\.8 MB {2}\n$/);
  const hidden = rig();
  await hidden.run(at('cloister'), { out: at('hidden.ts') });
  assert.equal(hidden.stderr.bytes.toString(), '');
});

test('a source that is not there, or a folder, is told', async () => {
  await assert.rejects(rig().run(at('nothing')), (error) => isRefusal(error, 'ArchiveUnreadable', /nothing: ENOENT/));
  await assert.rejects(rig().run(folder), (error) => isRefusal(error, 'ArchiveUnreadable', /is a folder/));
});

const platform = generateKeyPairSync('ed25519');
const platformKeys = JSON.stringify({ keys: [{ kid: 'k', ...platform.publicKey.export({ format: 'jwk' }) }] });

/** What the platform would sign of this file. */
function manifestOf(file: Buffer, key = platform.privateKey, facts: object = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    ...{ type: 'cloister-archive-manifest', version: 1, archiveId: 'the archive', projectId: '1', sessionId: 's' },
    ...{ status: 'available', reason: '', outputMode: 'composed', format: 'opentok', fileName: 'archive.ts' },
    ...{ sizeBytes: file.length, sha256: createHash('sha256').update(file).digest('hex'), certificateSha256: [] },
    ...{ startedAt: 0, stoppedAt: 60_000, durationMs: 60_000, signedAt: 60_000 },
    ...facts,
  };
  const input = `${part({ alg: 'EdDSA', kid: 'k' })}.${part(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}\n`;
}

test('with a manifest a file is verified before a byte of it is given out, a pipe at its end', async () => {
  writeFiles({ opentok, 'opentok.jws': manifestOf(opentok), 'keys.json': platformKeys });
  const words = { manifest: at('opentok.jws'), platformKeys: at('keys.json') };
  const said = /^verified: archive the archive of session s, recorded from 1970-01-01T00:00:00.000Z to .*as key k of/;
  const toFile = rig();
  const done = await toFile.run(at('opentok'), { ...words, out: at('out.ts') });
  assert.deepEqual(done, { file: at('out.ts'), format: 'opentok', bytes: clear.length, verified: 'manifest' });
  assert.match(toFile.stderr.bytes.toString(), said);
  const toPlayer = rig();
  await toPlayer.run(at('opentok'), words);
  assert.deepEqual(toPlayer.stdout.bytes, clear);
  assert.match(toPlayer.stderr.bytes.toString(), said);
  const piped = rig(opentok);
  await piped.run('-', words);
  assert.deepEqual(piped.stdout.bytes, clear);
  assert.match(
    piped.stderr.bytes.toString(),
    /^not yet verified: .*compared at its end\nverified: archive the archive/,
  );
});

test('our own format too is not known to be the archive of the manifest before its end, where it is read once', async () => {
  const words = { manifest: at('cloister.jws'), platformKeys: at('keys.json') };
  writeFiles({
    cloister,
    'cloister.jws': manifestOf(cloister, undefined, { format: 'cloister' }),
    'keys.json': platformKeys,
  });
  const url = await listening(createServer((_, answer) => answer.end(cloister)));
  for (const source of [url, '-']) {
    const { run, stdout, stderr } = rig(cloister);
    await run(source, words);
    assert.deepEqual(stdout.bytes, clear);
    assert.match(
      stderr.bytes.toString(),
      /^not yet verified: whether this is the archive of the manifest is not known; .*at its end\nverified: archive the archive/,
    );
  }
  const another = await createArchiveSealer(toCertificates([owner.certificate]));
  const exchanged = Buffer.concat([another.write(clear), another.end()]);
  const { run, stderr } = rig(exchanged);
  await assert.rejects(run('-', words), (error) => isRefusal(error, 'ArchiveChanged', /of the manifest/));
  assert.match(stderr.bytes.toString(), /^not yet verified: .*\n$/);
  const certain = rig();
  await certain.run(at('cloister'), words);
  assert.match(certain.stderr.bytes.toString(), /^verified: [^\n]*\n$/);
});

test('a manifest of an archive that failed is said to be one', async () => {
  const facts = { status: 'failed', reason: 'the recorder failed', stoppedAt: null };
  writeFiles({ opentok, 'opentok.jws': manifestOf(opentok, undefined, facts), 'keys.json': platformKeys });
  const { run, stderr } = rig();
  await run(at('opentok'), { manifest: at('opentok.jws'), platformKeys: at('keys.json') });
  assert.match(
    stderr.bytes.toString(),
    /^verified: archive .* to a crash of the server, .*\nthis archive failed \(the recorder failed\): .*not be all/,
  );
});

test('with a manifest: a changed byte, a cut file, another signature and another key are four errors', async () => {
  const changed = Buffer.from(opentok);
  changed[5000] = (changed[5000] as number) ^ 1;
  const stranger = makeOwner().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const other = generateKeyPairSync('ed25519');
  writeFiles({ opentok, cloister, changed, cut: opentok.subarray(0, 300_000), 'other.pem': stranger });
  writeFiles({ 'cut.cloister': cloister.subarray(0, 300_000), 'keys.json': platformKeys });
  writeFiles({ 'opentok.jws': manifestOf(opentok), 'cloister.jws': manifestOf(cloister) });
  writeFiles({ 'forged.jws': manifestOf(changed, other.privateKey) });
  writeFiles({ 'others.json': JSON.stringify({ keys: [{ kid: 'o', ...other.publicKey.export({ format: 'jwk' }) }] }) });
  const before = left();
  const manifest = at('opentok.jws');
  const cases: [string, Partial<OpenWords>, Parameters<typeof isRefusal>[1], RegExp][] = [
    ['changed', { manifest }, 'ArchiveChanged', /SHA-256 is not the one of the manifest/],
    ['cut', { manifest }, 'ArchiveCut', /it has 300000 of 3760016 bytes/],
    ['cut.cloister', { manifest: at('cloister.jws') }, 'ArchiveCut', /it has 300000 of/],
    ['opentok', { manifest: at('cloister.jws') }, 'ArchiveCut', /it has 3760016 of/],
    ['changed', { manifest: at('forged.jws') }, 'ManifestRefused', /signed by somebody else/],
    ['opentok', { manifest, platformKeys: at('others.json') }, 'ManifestKeyUnknown', /: k$/],
    ['opentok', { manifest, key: at('other.pem') }, 'ArchiveKeyWrong', /./],
  ];
  for (const [source, words, code, why] of cases) {
    for (const out of [at('out.ts'), undefined]) {
      const { run, stdout, stderr } = rig();
      const opening = run(at(source), { platformKeys: at('keys.json'), out, ...words });
      await assert.rejects(opening, (error) => isRefusal(error, code, why));
      assert.equal(stdout.bytes.length, 0);
      if (code !== 'ArchiveKeyWrong') assert.equal(stderr.bytes.toString(), '');
    }
  }
  assert.deepEqual(left(), before);
  const piped = rig(changed).run('-', { manifest, platformKeys: at('keys.json'), out: at('out.ts') });
  await assert.rejects(piped, (error) => isRefusal(error, 'ArchiveChanged', /of the manifest/));
  assert.deepEqual(left(), before);
});

test('the keys of the platform are read from where it publishes them, and words that do not go together are told', async () => {
  const url = await listening(
    createServer(({ url: asked }, answer) => {
      if (asked === '/keys') answer.end(platformKeys);
      else answer.writeHead(404).end();
    }),
  );
  writeFiles({ cloister, 'cloister.jws': manifestOf(cloister), 'keys.json': platformKeys });
  const manifest = at('cloister.jws');
  const out = at('out.ts');
  const opened = await rig().run(at('cloister'), { manifest, platformKeys: `${url}/keys`, out });
  assert.equal(opened?.verified, 'manifest');
  const wrong: [Partial<OpenWords>, RegExp][] = [
    [{ manifest }, /--manifest needs --platform-keys/],
    [{ platformKeys: at('keys.json') }, /--platform-keys goes with --manifest/],
    [{ manifest, platformKeys: at('keys.json'), sha256: sha256(cloister) }, /--sha256 or --manifest/],
    [{ manifest, platformKeys: `${url}/nothing` }, /--platform-keys: .*answered 404/],
    [{ manifest, platformKeys: 'http://192.0.2.1/keys' }, /--platform-keys: .*not https/],
    [{ manifest, platformKeys: at('nothing') }, /--platform-keys: .*ENOENT/],
    [{ manifest: at('nothing'), platformKeys: at('keys.json') }, /--manifest: .*ENOENT/],
  ];
  for (const [words, why] of wrong) {
    await assert.rejects(rig().run(at('cloister'), words), (error) => isRefusal(error, 'BadRequest', why));
  }
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a URL is read as it comes; what goes wrong on the way says so and shows no secret of the URL', async () => {
  const url = await listening(
    createServer(({ url: asked = '' }, answer) => {
      if (asked.startsWith('/whole')) answer.end(cloister);
      else if (asked.startsWith('/moved')) answer.writeHead(302, { location: '/whole' }).end();
      else if (asked.startsWith('/broken')) {
        answer.writeHead(200, { 'content-length': cloister.length });
        answer.write(cloister.subarray(0, 200_000), () => answer.destroy());
      } else answer.writeHead(403).end();
    }),
  );
  const { run, stdout } = rig();
  assert.equal(await run(`${url}/whole?signature=secret`), undefined);
  assert.deepEqual(stdout.bytes, clear);
  const wrong = { moved: /sends elsewhere/, broken: /broke off/, denied: /answered 403/ };
  for (const [place, message] of Object.entries(wrong)) {
    await assert.rejects(rig().run(`${url}/${place}?signature=secret`, { out: at('out.ts') }), (error) => {
      assert.doesNotMatch((error as Error).message, /secret/);
      return isRefusal(error, 'ArchiveUnreadable', message);
    });
  }
  assert.deepEqual(left(), ['key.pem']);
});

test('a URL that others could read along is not asked', async () => {
  for (const url of ['http://192.0.2.1/a', 'http://archive.example/a', 'ftp://127.0.0.1/a', 'https://']) {
    const { run } = rig(undefined, () => assert.fail('it was asked'));
    await assert.rejects(run(url), (error) => isRefusal(error, 'ArchiveUnreadable', /https|cannot be read/));
  }
});
