/** Archives of real calls: started by OpenTok's own SDK, recorded from real browsers, downloaded, opened and looked at. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { useStage } from './stage.ts';

interface Archive {
  readonly id: string;
  readonly status: string;
  readonly url: string | null;
  readonly password: string;
  readonly sha256sum: string;
  readonly size: number;
}

/** The archive calls of the SDK. */
interface ArchiveCalls {
  startArchive(sessionId: string, options: object, done: (error: Error | null, archive: Archive) => void): void;
  stopArchive(id: string, done: (error: Error | null, archive: Archive) => void): void;
  getArchive(id: string, done: (error: Error | null, archive: Archive) => void): void;
  setArchiveLayout(id: string, type: string, sheet: null, share: null, done: (error: Error | null) => void): void;
}

const red = [200, 0, 0] as const;
const blue = [0, 0, 200] as const;

const stage = useStage();
let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-archive-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function calls() {
  const sdk = stage.customer.sdk as unknown as ArchiveCalls;
  return {
    start: promisify(sdk.startArchive.bind(sdk)) as (sessionId: string, options: object) => Promise<Archive>,
    stop: promisify(sdk.stopArchive.bind(sdk)) as (id: string) => Promise<Archive>,
    get: promisify(sdk.getArchive.bind(sdk)) as (id: string) => Promise<Archive>,
    layout: promisify(sdk.setArchiveLayout.bind(sdk)) as (id: string, type: string, a: null, b: null) => Promise<void>,
  };
}

/** Joins and publishes one flat colour and a tone. */
async function publisher(sessionId: string, colour: readonly number[], hertz: number): Promise<Participant> {
  const participant = await stage.open();
  await participant.join(stage.customer.ticket(sessionId));
  await participant.page.evaluate(
    (rgb, tone) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const draw = () => {
        context.fillStyle = `rgb(${rgb.join(' ')})`;
        context.fillRect(0, 0, 640, 480);
        requestAnimationFrame(draw);
      };
      draw();
      const [videoSource] = canvas.captureStream(30).getVideoTracks();
      return window.rig.publish({
        videoSource: videoSource as never,
        audioSource: window.rig.toneTrack(tone) as never,
      });
    },
    colour as number[],
    hertz,
  );
  return participant;
}

function run(program: string, args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { maxBuffer: 2 ** 29 });
  assert.equal(status, 0, `${program}: ${stderr}`);
  return stdout;
}

/** Of each picture, the colour in the middle of its left and right half. */
function halves(file: string): { left: number[]; right: number[] }[] {
  const raw = run('ffmpeg', [
    '-v',
    'error',
    '-i',
    file,
    '-vf',
    'scale=64:48:flags=area',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-',
  ]);
  const at = (index: number, x: number) => [...raw.subarray((index * 48 * 64 + 24 * 64 + x) * 3).subarray(0, 3)];
  return Array.from({ length: raw.length / (64 * 48 * 3) }, (_, index) => ({
    left: at(index, 16),
    right: at(index, 48),
  }));
}

const like = (seen: readonly number[], colour: readonly number[]) =>
  seen.every((value, index) => Math.abs(value - (colour[index] as number)) < 60);

/** The strength of a tone over the whole second from `from` on, between 0 and 1. */
function strength(file: string, hertz: number, from: number): number {
  const raw = run('ffmpeg', [
    '-v',
    'error',
    '-ss',
    String(from),
    '-t',
    '1',
    '-i',
    file,
    '-f',
    'f32le',
    '-ac',
    '1',
    '-ar',
    '48000',
    '-',
  ]);
  const samples = new Float32Array(raw.buffer, raw.byteOffset, raw.length >> 2);
  let [cos, sin] = [0, 0];
  for (const [n, sample] of samples.entries()) {
    const angle = (2 * Math.PI * hertz * n) / 48_000;
    cos += sample * Math.cos(angle);
    sin += sample * Math.sin(angle);
  }
  return (2 * Math.hypot(cos, sin)) / samples.length;
}

/** Records both for some seconds and stops; resolves with the archive once it can be downloaded. */
async function recorded(sessionId: string, people: readonly Participant[], options: object = {}): Promise<Archive> {
  const { start, stop, get } = calls();
  const { id, status } = await start(sessionId, options);
  assert.equal(status, 'started');
  await Promise.all(people.map((each) => each.event('session', 'archiveStarted')));
  // Six seconds of pictures, or more on a machine that draws fewer.
  await people[0]?.page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const draw = (left: number) => (left === 0 ? resolve() : requestAnimationFrame(() => draw(left - 1)));
        draw(360);
      }),
  );
  await stop(id);
  await Promise.all(people.map((each) => each.event('session', 'archiveStopped')));
  return eventually(
    'the archive is available',
    () => get(id),
    (archive) => archive.status === 'available',
  );
}

async function download({ url, size, sha256sum }: Archive, sealed: boolean): Promise<string> {
  const answer = await fetch(url as string);
  assert.equal(answer.status, 200);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(bytes.length, size);
  assert.equal(createHash('sha256').update(bytes).digest('base64'), sha256sum);
  const file = path.join(folder, `${sha256sum.replace(/\W/g, '')}.${sealed ? 'sealed' : 'mp4'}`);
  await writeFile(file, bytes);
  return file;
}

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
  const people = [await publisher(sessionId, red, 500), await publisher(sessionId, blue, 1500)];
  const archive = await recorded(sessionId, people);
  assert.equal(archive.password, '');
  await assertRecorded(await download(archive, false));
  const kept = path.join(stage.server.dataDir, 'archives', archive.id);
  for (const name of await readdir(kept)) {
    const bytes = await readFile(path.join(kept, name));
    for (const clear of ['ftyp', 'moof', 'mdat', 'avc1'])
      assert.equal(bytes.includes(clear), false, `${clear} in ${name}`);
  }
  await Promise.all(people.map((each) => each.close()));
});

test('with a certificate it is what the documented openssl commands open', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  run('openssl', ['req', '-new', '-x509', '-days', '2', '-key', key, '-subj', '/CN=customer', '-out', cert]);
  const storage = `/v2/project/${stage.customer.credentials.apiKey}/archive/storage`;
  await stage.customer.rest('PUT', storage, 'project', {
    type: 's3',
    config: { accessKey: 'a', secretKey: 's', bucket: 'visits-of-a-clinic' },
    fallback: 'opentok',
    certificate: await readFile(cert, 'utf8'),
  });
  const sessionId = await stage.customer.session();
  const people = [await publisher(sessionId, red, 500), await publisher(sessionId, blue, 1500)];
  const archive = await recorded(sessionId, people);
  const sealed = await download(archive, true);
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
  await stage.customer.rest('DELETE', storage, 'project');
  await Promise.all(people.map((each) => each.close()));
});
