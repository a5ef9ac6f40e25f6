/** Programs that are not ours open what we seal: openssl as OpenTok documents it, the Python reader, our own command. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { tempFolder } from '../../../../../tests/rig/cleanup.ts';
import { readVectors, spoil } from '../../../../../tests/vectors/sealed-archive.ts';
import { readCertificate } from '../../core/index.ts';
import { createArchiveSealer, createOpenTokSealer, toCertificates } from '../index.ts';
import { makeOwner, openssl, packets, randomFrom } from './archive-fixtures.ts';

const folder = tempFolder('archive');
const at = (name: string) => path.join(folder, name);
const write = (name: string, content: string | Buffer) => writeFileSync(at(name), content);
const owner = makeOwner(2048, 'opentok');
const keyPem = owner.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
write('key.pem', keyPem);

/** The commands of OpenTok's guide; the second in its old spelling and the one that openssl now asks for. */
const unwrap = {
  rsautl: 'openssl rsautl -decrypt -oaep -inkey key.pem -in password.enc -out password.bin',
  pkeyutl: 'openssl pkeyutl -decrypt -pkeyopt rsa_padding_mode:oaep -inkey key.pem -in password.enc -out password.bin',
};
function bySsl(file: string, password: string, { way = 'pkeyutl' as keyof typeof unwrap, pad = true } = {}): Buffer {
  const script = [
    'set -e',
    'openssl enc -base64 -d -A <<< "$PASSWORD" -out password.enc',
    unwrap[way],
    `openssl enc -d -aes-256-cbc ${pad ? '' : '-nopad '}-in ${file} -out out.ts -K $(xxd -s 3 -l 32 -c 32 -p password.bin) -iv $(xxd -s 35 -l 16 -c 16 -p password.bin)`,
  ].join('\n');
  const env = { ...process.env, PASSWORD: password };
  const { status, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(at('out.ts'));
}

const clear = packets(5001);

for (const way of ['rsautl', 'pkeyutl'] as const) {
  test(`the three documented openssl commands open an archive, with ${way}, with padding and without`, () => {
    const sealer = createOpenTokSealer(owner.certificate);
    const parts = [sealer.write(clear.subarray(0, 100_000)), sealer.write(clear.subarray(100_000)), sealer.end()];
    write('archive.ts', Buffer.concat(parts));
    assert.deepEqual(bySsl('archive.ts', sealer.password, { way }), clear);
    const unpadded = bySsl('archive.ts', sealer.password, { way, pad: false });
    const padding = unpadded.length - clear.length;
    assert.ok(padding >= 1 && padding <= 16);
    assert.deepEqual(unpadded, Buffer.concat([clear, Buffer.alloc(padding, padding)]));
  });
}

test('after a crash, whatever was acknowledged opens with openssl once its closing block is appended', () => {
  const sealer = createOpenTokSealer(owner.certificate);
  const random = randomFrom('parts');
  const acknowledged: Buffer[] = [];
  for (let from = 0; from < 500_000; ) {
    const size = random(4).readUInt32BE() % 120_000;
    acknowledged.push(sealer.write(clear.subarray(from, from + size)));
    from += size;
    const there = Buffer.concat(acknowledged);
    write('recovered.ts', Buffer.concat([there, sealer.closing()]));
    const opened = bySsl('recovered.ts', sealer.password);
    assert.equal(opened.length, there.length);
    assert.deepEqual(opened, clear.subarray(0, there.length));
  }
  sealer.discard();
});

test('a certificate from the documented openssl command is taken, and its key opens', async () => {
  const words = ['req', '-new', '-x509', '-days', '365', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=customer'];
  openssl([...words, '-out', at('own-cert.pem'), '-keyout', at('own-key.pem')]);
  const base64 = openssl(['enc', '-base64', '-A', '-in', at('own-cert.pem')]).toString();
  assert.match(base64, /^LS0tLS1CRUdJTi/);
  const sealer = createOpenTokSealer(readCertificate(base64, 'opentok', Date.now()));
  write('own.ts', Buffer.concat([sealer.write(clear), sealer.end()]));
  const { status, stdout, stderr } = await cloister(
    'own.ts',
    '--key',
    at('own-key.pem'),
    '--password',
    sealer.password,
  );
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout, clear);
});

const reader = path.resolve(import.meta.dirname, '../../../../../docs/reference/open-sealed-archive.py');
function byPython(file: Buffer, key: string): { bytes: Buffer; says: string } {
  write('archive', file);
  write('python.pem', key);
  // Debian's own Python is the one that python3-cryptography belongs to.
  const { stdout, stderr } = spawnSync('/usr/bin/python3', [reader, at('archive'), at('python.pem')], {
    maxBuffer: 2 ** 28,
  });
  return { bytes: stdout, says: stderr.toString().trim() };
}

test('the Python reader is short, and opens every vector with each key of its recipients', () => {
  assert.ok(readFileSync(reader, 'utf8').split('\n').length <= 62);
  const { vectors, privateKeys } = readVectors();
  for (const { header, clear: hex, file } of vectors) {
    const count = JSON.parse(header).recipients?.length ?? 0;
    for (const [index, key] of privateKeys.entries()) {
      if (count === 0) continue; // Its key is the platform's, and no certificate has it.
      const wanted =
        index < count ? { bytes: Buffer.from(hex, 'hex'), says: '' } : { bytes: Buffer.alloc(0), says: 'wrong key' };
      assert.deepEqual(byPython(Buffer.from(file, 'base64'), key), wanted);
    }
  }
});

test('the Python reader finds each fault of the vectors, after the same bytes', () => {
  const { vectors, privateKeys, spoilt } = readVectors();
  for (const each of spoilt) {
    const vector = vectors.find(({ name }) => name === each.of)!;
    const { bytes, says } = byPython(spoil(Buffer.from(vector.file, 'base64'), each), privateKeys[0]!);
    assert.equal(says, each.says);
    assert.equal(bytes.toString('hex'), vector.clear.slice(0, each.opens * 2));
  }
});

test('the Python reader opens a fresh archive', async () => {
  const sealer = await createArchiveSealer(toCertificates([makeOwner(3072).certificate, owner.certificate]));
  const file = Buffer.concat([sealer.write(clear), sealer.end()]);
  assert.deepEqual(byPython(file, keyPem), { bytes: clear, says: '' });
});

const program = path.resolve(import.meta.dirname, '../../cli/main.ts');
async function cloister(...words: string[]): Promise<{ status: number | null; stdout: Buffer; stderr: string }> {
  const child = spawn(process.execPath, [program, 'archive', 'open', ...words], { cwd: folder });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, status] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
  return { status, stdout, stderr: stderr.toString() };
}

test('the command opens to a pipe and to a file, and ends with 1 and one clear sentence otherwise', async () => {
  const sealer = await createArchiveSealer(toCertificates([owner.certificate]));
  const file = Buffer.concat([sealer.write(clear), sealer.end()]);
  write('sealed', file);
  write('cut', file.subarray(0, 500_000));
  const piped = await cloister('sealed', '--key', 'key.pem');
  assert.deepEqual([piped.status, piped.stderr], [0, '']);
  assert.deepEqual(piped.stdout, clear);
  const digest = createHash('sha256').update(file).digest('hex');
  const filed = await cloister('sealed', '--key', 'key.pem', '--out', 'clear.ts', '--sha256', digest, '--json');
  assert.deepEqual(JSON.parse(filed.stdout.toString()), {
    file: 'clear.ts',
    format: 'cloister',
    bytes: clear.length,
    verified: 'sha256',
  });
  assert.deepEqual(readFileSync(at('clear.ts')), clear);
  const cut = await cloister('cut', '--key', 'key.pem');
  assert.equal(cut.status, 1);
  assert.match(cut.stderr, /^The archive is cut: .*\n {2}Fetch the file again/);
  assert.deepEqual(cut.stdout, clear.subarray(0, cut.stdout.length));
});
