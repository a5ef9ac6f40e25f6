/** Archives of real calls that go to a customer's bucket: Swift with its S3 layer, killed and started again on the way. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { tempFolder } from '../rig/cleanup.ts';
import { command } from '../rig/command.ts';
import type { Participant } from '../rig/page.ts';
import { Swift } from '../rig/swift.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { customerKey, publishNoise } from './archives.ts';
import { drawSeconds, run } from './recorded.ts';
import { useStage } from './stage.ts';

interface Archive {
  readonly id: string;
  readonly status: string;
  readonly reason: string;
  readonly sha256sum: string;
  readonly password: string;
  readonly size: number;
  readonly url: string | null;
}

const bucket = 'visits-of-a-clinic';
const UPLOAD_MS = 90_000;

let swift: Swift;
const stage = useStage({
  ready: async () => {
    swift = await Swift.start();
    await swift.createBucket(bucket);
  },
});
after(() => swift?.kill());

const rest = (method: string, path: string, body?: unknown) =>
  stage.customer.rest(method, `/v2/project/${stage.customer.credentials.apiKey}${path}`, 'project', body);
const get = async (id: string) => (await rest('GET', `/archive/${id}`)) as Archive;

/** @param more of the storage; what encrypts is off where it says nothing of it, since it would stay as it was */
function setStorage(more: { config?: object; fallback?: string; certificate?: string } = {}): Promise<unknown> {
  const config = { ...swift.owner, bucket, endpoint: swift.endpoint, sse: 'none', ...more.config };
  return rest('PUT', '/archive/storage', { type: 's3', fallback: 'none', certificate: null, ...more, config });
}

async function noisy(sessionId: string): Promise<Participant> {
  const participant = await stage.open();
  await participant.join(stage.customer.ticket(sessionId));
  await publishNoise(participant);
  return participant;
}

async function start(wish: object = { quantizationParameter: 15 }) {
  const sessionId = await stage.customer.session();
  const participant = await noisy(sessionId);
  const archive = (await rest('POST', '/archive', { sessionId, ...wish })) as Archive;
  await participant.event('session', 'archiveStarted');
  const end = async (): Promise<void> => {
    await rest('POST', `/archive/${archive.id}/stop`);
    await participant.close();
  };
  return { archive, participant, end };
}

/** What the server remembers of an upload. */
function remembered(id: string) {
  const text = readFileSync(path.join(stage.server.dataDir, 'archives', id, 'upload.json'), 'utf8');
  assert.doesNotMatch(text, /owning|test:owner/);
  return JSON.parse(text) as { begun: { parts: unknown[] } | null; result: unknown };
}

const parts = (id: string) => remembered(id).begun?.parts.length ?? 0;
const arrived = (id: string) =>
  eventually(
    'a part of the archive',
    async () => parts(id),
    (count) => count > 0,
    UPLOAD_MS,
  );
/** The recording has ended, and that is remembered. */
async function whole(id: string): Promise<void> {
  await eventually(
    'the recording is whole',
    async () => {
      const { status, reason } = await get(id);
      assert.equal(status, 'stopped', reason);
      return remembered(id).result;
    },
    (result) => result !== null,
    UPLOAD_MS,
  );
}
const uploaded = (id: string) =>
  eventually(
    'the archive is uploaded',
    () => get(id),
    ({ status }) => status === 'uploaded',
    UPLOAD_MS,
  );

async function objectOf({ id, size, sha256sum }: Archive, name: string): Promise<Buffer> {
  const object = await swift.object(bucket, `${stage.customer.credentials.apiKey}/${id}/${name}`);
  assert.equal(object.length, size);
  assert.equal(createHash('sha256').update(object).digest('base64'), sha256sum);
  return object;
}

function probe(file: string): string {
  const shown = ['-show_entries', 'format=format_name:stream=codec_name', '-of', 'csv=p=0'];
  const { stdout, stderr } = spawnSync('ffprobe', ['-v', 'error', ...shown, file], { encoding: 'utf8' });
  return `${stdout}${stderr}`;
}

async function bucketKilled(): Promise<void> {
  await setStorage();
  const { archive, end } = await start();
  await arrived(archive.id);
  assert.equal((await get(archive.id)).status, 'started');
  await swift.kill();
  await end();
  await whole(archive.id);
  assert.equal((await get(archive.id)).status, 'stopped');
  await swift.start();
  const after = await uploaded(archive.id);
  assert.equal(after.url, null);
  const file = path.join(tempFolder('uploaded'), 'archive.mp4');
  writeFileSync(file, await objectOf(after, 'archive.mp4'));
  assert.match(probe(file), /h264[\s\S]*aac[\s\S]*mp4/);
  await eventually(
    'nothing of it stays with us',
    async () => readdirSync(path.join(stage.server.dataDir, 'archives')),
    (left) => !left.some((name) => name.startsWith(archive.id)),
  );
}

async function platformKilled(): Promise<void> {
  const folder = tempFolder('certificate');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name)) as [string, string];
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const made = ['req', '-new', '-x509', '-days', '2', '-key', key, '-subj', '/CN=customer', '-out', cert];
  assert.equal(spawnSync('openssl', made).status, 0);
  await setStorage({ certificate: readFileSync(cert, 'utf8') });
  const { archive, end } = await start();
  await arrived(archive.id);
  await swift.kill();
  await end();
  await whole(archive.id);
  const before = parts(archive.id);
  // Another storage by now: it changes nothing for this archive.
  await setStorage({ config: { bucket: 'another-bucket' } });
  await stage.server.kill();
  await swift.start();
  stage.server = await stage.server.restart();
  const after = await uploaded(archive.id);
  assert.ok(before >= 1 && after.password !== '');
  const sealed = path.join(folder, 'archive.ts');
  writeFileSync(sealed, await objectOf(after, 'archive.ts'));
  const [password, out] = [path.join(folder, 'password'), path.join(folder, 'clear.ts')];
  writeFileSync(password, Buffer.from(after.password, 'base64'));
  const unwrap = ['pkeyutl', '-decrypt', '-pkeyopt', 'rsa_padding_mode:oaep', '-inkey', key, '-in', password];
  const blob = spawnSync('openssl', unwrap).stdout;
  const open = ['enc', '-d', '-aes-256-cbc', '-in', sealed, '-out', out];
  const opened = spawnSync('openssl', [
    ...open,
    '-K',
    blob.toString('hex', 3, 35),
    '-iv',
    blob.toString('hex', 35, 51),
  ]);
  assert.equal(opened.status, 0, String(opened.stderr));
  assert.match(probe(out), /h264[\s\S]*aac[\s\S]*mpegts/);
  // The same from the bucket itself, by who has credentials for it.
  const program = path.resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
  const read = path.join(folder, 'read.ts');
  const source = `s3://${bucket}/${stage.customer.credentials.apiKey}/${after.id}/archive.ts`;
  const words = ['archive', 'open', source, '--key', key, '--password', after.password, '--sha256', after.sha256sum];
  const { accessKey, secretKey } = swift.owner;
  const env = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_ENDPOINT_URL_S3: swift.endpoint };
  await promisify(execFile)(process.execPath, [program, ...words, '--out', read], { env: { ...process.env, ...env } });
  assert.deepEqual(readFileSync(read), readFileSync(out));
}

/** Records an individual archive, and takes what is in the bucket apart. @returns the names of its members, and where they are */
async function zipped(folder: string): Promise<{ zip: string; names: string[]; members: string }> {
  const { archive, participant, end } = await start({ outputMode: 'individual' });
  await participant.page.evaluate(drawSeconds, 4);
  await end();
  const after = await uploaded(archive.id);
  assert.deepEqual([after.url, after.password], [null, '']);
  const [zip, members] = [path.join(folder, `${archive.id}.zip`), path.join(folder, archive.id)];
  writeFileSync(zip, await objectOf(after, 'archive.zip'));
  run('unzip', ['-q', zip, '-d', members]);
  await eventually(
    'nothing of it stays with us',
    async () => readdirSync(path.join(stage.server.dataDir, 'archives')),
    (left) => !left.some((name) => name.startsWith(archive.id)),
  );
  return { zip, names: readdirSync(members).sort(), members };
}

async function individual(): Promise<void> {
  await swift.start();
  await setStorage();
  const { names, members } = await zipped(tempFolder('individual'));
  assert.equal(names.length, 2);
  const [manifest, file] = ['.json', '.webm'].map((ending) => names.find((name) => name.endsWith(ending))) as string[];
  assert.match(
    probe(path.join(members, file as string)),
    /vp8[\s\S]*opus[\s\S]*matroska,webm|opus[\s\S]*vp8[\s\S]*matroska,webm/,
  );
  const { files } = JSON.parse(readFileSync(path.join(members, manifest as string), 'utf8'));
  assert.deepEqual(
    files.map(({ filename, size }: { filename: string; size: number }) => [filename, size]),
    [[file, readFileSync(path.join(members, file as string)).length]],
  );
}

async function individualSealed(): Promise<void> {
  const folder = tempFolder('individual-sealed');
  const { certificate, privateKey } = customerKey();
  const key = path.join(folder, 'key.pem');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const place = `/cloister/v1/projects/${stage.customer.credentials.apiKey}/archive-sealing`;
  await setStorage();
  await stage.customer.rest('PUT', place, 'account', { format: 'cloister', certificates: [certificate] });
  const { zip, names, members } = await zipped(folder);
  await stage.customer.rest('DELETE', place, 'account');
  assert.equal(names.length, 2);
  for (const name of names) {
    assert.match(name, /\.(json|webm)\.cloister$/);
    const bytes = readFileSync(path.join(members, name));
    assert.equal(bytes.toString('latin1', 0, 8), 'CLOISEAL');
    for (const clear of ['V_VP8', 'OpusHead', 'startTimeOffset']) assert.equal(bytes.includes(clear), false, clear);
  }
  const out = path.join(folder, 'opened');
  const { files } = await command<{ files: string[] }>(
    stage.server,
    ...['archive', 'open', zip, '--key', key, '--out', out],
  );
  const file = files.find((name) => name.endsWith('.webm')) as string;
  assert.match(probe(path.join(out, file)), /vp8[\s\S]*opus|opus[\s\S]*vp8/);
}

const uploads = [
  {
    name: 'STO9 parts go up while it is recorded; the bucket is killed on the way and comes back, and the object is whole',
    shown: bucketKilled,
  },
  {
    name: 'STO9 sealed to a certificate: the platform is killed on the way, and after its restart the object is the cipher text',
    shown: platformKilled,
  },
  {
    name: 'STO9 an individual archive: the object is the ZIP of what was sent',
    shown: individual,
  },
  {
    name: 'STO9 SEAL4 an individual archive that is sealed to certificates: the object is the ZIP of sealed files',
    shown: individualSealed,
  },
];
for (const { name, shown } of sample('uploads', uploads, 1)) test(name, shown);

/** Records a moment under a storage that does not take it. */
async function refused(config: object): Promise<Archive> {
  await swift.start();
  await setStorage({ config });
  const { archive, end } = await start();
  await end();
  return eventually(
    'the archive has failed',
    () => get(archive.id),
    ({ status }) => status === 'failed',
    UPLOAD_MS,
  );
}

test('STO10 a bucket that is not there: the archive has failed, says why, and is not lost', async () => {
  const failed = await refused({ bucket: 'somebody-elses' });
  assert.equal(failed.reason, 'the upload failed: there is no such bucket');
  const answer = await fetch(failed.url as string);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(createHash('sha256').update(bytes).digest('base64'), failed.sha256sum);
  assert.doesNotMatch(stage.server.logs(), /owning|somebody-elses/);
});

test('STO11 a bucket that does not confirm its encryption: nothing was sent', async () => {
  const failed = await refused({ sse: 's3' });
  assert.match(failed.reason, /^the upload failed: the storage did not confirm the encryption/);
  const { apiKey } = stage.customer.credentials;
  await assert.rejects(swift.object(bucket, `${apiKey}/${failed.id}/archive.mp4`), { name: 'NoSuchKey' });
  assert.deepEqual(await swift.unfinished(bucket), []);
});
