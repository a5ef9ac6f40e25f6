/** Archives of real calls: started by OpenTok's own SDK, recorded from real browsers, downloaded, opened and looked at. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { sealTo } from './archives.ts';
import { downloadTo, halves, like, publisher, recorded, run, strength } from './recorded.ts';
import { useStage } from './stage.ts';

const red = [200, 0, 0] as const;
const blue = [0, 0, 200] as const;

const stage = useStage();
let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-archive-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Two colours side by side, two tones, nothing but cipher text on the disk. */
async function assertRecorded(file: string): Promise<void> {
  const pictures = halves(file);
  const both = pictures.filter(({ left, right }) => like(left, red) && like(right, blue));
  assert.ok(pictures.length > 120, `${pictures.length} pictures`);
  assert.ok(
    both.length > 90,
    `${both.length} of ${pictures.length} pictures show both; the last: ${JSON.stringify(pictures.at(-1))}`,
  );
  for (const hertz of [500, 1500])
    assert.ok(strength(file, hertz, 3) > 0.02, `${hertz} Hz: ${strength(file, hertz, 3)}`);
  assert.ok(strength(file, 3300, 3) < 0.01);
}

test('a composed archive has every picture in its place and every tone, and lies on the disk as cipher text', async () => {
  const sessionId = await stage.customer.session();
  const people = [await publisher(stage, sessionId, red, 500), await publisher(stage, sessionId, blue, 1500)];
  const archive = await recorded(stage, sessionId, people);
  assert.equal(archive.password, '');
  const file = await downloadTo(folder, archive, 'mp4');
  await assertRecorded(file);
  // Long enough that no cipher text has them by chance, as it has four letters now and then.
  const boxes = ['moof\0\0\0\x10mfhd', 'stsd\0\0\0\0\0\0\0\x01'];
  const opened = await readFile(file);
  for (const clear of boxes) assert.ok(opened.includes(clear), `no ${clear} in ${file}`);
  const kept = path.join(stage.server.dataDir, 'archives', archive.id);
  for (const name of await readdir(kept)) {
    const bytes = await readFile(path.join(kept, name));
    for (const clear of boxes) assert.equal(bytes.includes(clear), false, `${clear} in ${name}`);
  }
  await Promise.all(people.map((each) => each.close()));
});

test('with a certificate it is what the documented openssl commands open', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  run('openssl', ['req', '-new', '-x509', '-days', '2', '-key', key, '-subj', '/CN=customer', '-out', cert]);
  await sealTo(stage.customer, await readFile(cert, 'utf8'));
  const sessionId = await stage.customer.session();
  const people = [await publisher(stage, sessionId, red, 500), await publisher(stage, sessionId, blue, 1500)];
  const archive = await recorded(stage, sessionId, people);
  const sealed = await downloadTo(folder, archive, 'sealed');
  const secret = path.join(folder, 'password.enc');
  await writeFile(secret, Buffer.from(archive.password, 'base64'));
  const blob = run('openssl', [
    'pkeyutl',
    '-decrypt',
    '-pkeyopt',
    'rsa_padding_mode:oaep',
    '-inkey',
    key,
    '-in',
    secret,
  ]);
  const out = path.join(folder, 'out.ts');
  const words = ['enc', '-d', '-aes-256-cbc', '-nopad', '-in', sealed, '-out', out];
  run('openssl', [...words, '-K', blob.toString('hex', 3, 35), '-iv', blob.toString('hex', 35, 51)]);
  await assertRecorded(out);
  await stage.customer.rest('DELETE', `/v2/project/${stage.customer.credentials.apiKey}/archive/storage`, 'project');
  await Promise.all(people.map((each) => each.close()));
});
