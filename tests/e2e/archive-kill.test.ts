/**
 * The recorder and the server are killed at random moments, while the publisher's line loses 5 % of its packets and delays
 * the others by up to 80 ms: every sealed byte that had reached the disk is still there and opens, every archive comes to
 * its end, and the call does not notice that a recorder is gone.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { limits } from '@cloister/protocol';
import { alteredBuild } from '../rig/altered.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { enterNetwork, type FarSide, nearAddress, openFarSide } from '../rig/network.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { randomOf, sample, seed, times } from '../sample.ts';
import { picturesIn } from './archives.ts';

enterNetwork(import.meta.filename);

type Victim = 'recorder' | 'server';

/** Each victim, in each format. */
const KILLS: readonly { readonly victim: Victim; readonly withCertificate: boolean }[] = [
  { victim: 'recorder', withCertificate: true },
  { victim: 'recorder', withCertificate: false },
  { victim: 'server', withCertificate: true },
  { victim: 'server', withCertificate: false },
];
const ROUNDS = times(1, 13);
/** A kill comes at most so long after the first byte on the disk that opens. */
const LATEST_MS = 3000;
const LINE = { lossPercent: 5, delayMs: 0, jitterMs: 80, kbps: null, queueMs: 0, seed };

interface Archive {
  readonly id: string;
  readonly status: string;
  readonly reason: string;
  readonly url: string | null;
  readonly password: string;
  readonly sha256sum: string;
  readonly size: number;
  readonly duration: number;
}

const random = randomOf('archive-kill');
const folder = tempFolder('archive-kill');
const files = (name: string) => path.join(folder, name);
/** While it is there, the server goes no step further with an archive once its recording has ended. */
const held = files('held');
const holding = alteredBuild(
  [
    {
      file: 'core/archive-keeping.ts',
      find: 'if (ending) void this.#settle(ending, kept, failure);',
      replace: 'if (ending && !isHeld()) void this.#settle(ending, kept, failure);',
    },
  ],
  `import { existsSync } from 'node:fs';
globalThis.isHeld = () => existsSync(${JSON.stringify(held)});`,
);
let server: Server;
let customer: Customer;
let site: Site;
let far: FarSide;
let browser: TestBrowser;
let publisher: Participant | null = null;
let sessionId: string;

before(async () => {
  server = await startServer({ lan: true, preload: holding });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url, nearAddress);
  far = await openFarSide();
  await far.roughen(LINE);
  const executable = far.launcher('/usr/bin/chromium');
  browser = await launchBrowser('chromium', { secureOrigins: [site.origin], executable });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(files('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const subject = ['-days', '2', '-subj', '/CN=customer'];
  run('openssl', ['req', '-new', '-x509', '-key', files('key.pem'), ...subject, '-out', files('cert.pem')]);
});

after(async () => {
  await browser?.close();
  far?.close();
  site?.close();
  await server?.stop();
});

function run(program: string, args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { maxBuffer: 2 ** 29 });
  assert.equal(status, 0, `${program}: ${stderr}`);
  return stdout;
}

const place = (rest = '') => `/v2/project/${customer.credentials.apiKey}/archive${rest}`;
const read = (id: string) => customer.rest('GET', place(`/${id}`), 'project') as Promise<Archive>;

/** The call, which outlives a recorder; after the server it is begun anew. */
async function inCall(): Promise<void> {
  if (publisher) return;
  sessionId = await customer.session();
  publisher = await Participant.open(browser, site);
  await publisher.join(customer.ticket(sessionId), null);
  await publisher.publish({ resolution: '640x480', frameRate: 15 });
}

async function seal(withCertificate: boolean): Promise<void> {
  if (!withCertificate) {
    await customer.rest('DELETE', place('/storage'), 'project').catch(() => {});
    return;
  }
  await customer.rest('PUT', place('/storage'), 'project', {
    type: 's3',
    config: { accessKey: 'a', secretKey: 's', bucket: 'visits-of-a-clinic', endpoint: 'http://127.0.0.1:9' },
    fallback: 'opentok',
    certificate: readFileSync(files('cert.pem'), 'utf8'),
  });
}

/** What has been sealed and has reached the disk. */
function acknowledged(kept: string): Buffer {
  const file = path.join(kept, 'mark');
  const mark = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  if (mark.length === 0) return Buffer.alloc(0);
  return readFileSync(path.join(kept, 'archive')).subarray(0, Number(mark.readBigUInt64BE(0)));
}

async function kill(victim: Victim): Promise<void> {
  if (victim === 'recorder') {
    const recorders = server.recorders();
    assert.equal(recorders.length, 1);
    process.kill(recorders[0] as number, 'SIGKILL');
    return;
  }
  await server.kill();
  await publisher?.close();
  publisher = null;
  server = await server.restart();
}

/** Opens what a customer downloads, as the documentation says. */
async function openDownloaded({ url, size, password }: Archive): Promise<string> {
  const answer = await fetch(url as string);
  assert.equal(answer.status, 200);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(bytes.length, size);
  const [downloaded, opened] = [files('downloaded'), files('opened')];
  writeFileSync(downloaded, bytes);
  if (password === '') return downloaded;
  writeFileSync(files('password'), Buffer.from(password, 'base64'));
  const unwrap = ['pkeyutl', '-decrypt', '-pkeyopt', 'rsa_padding_mode:oaep', '-inkey', files('key.pem')];
  const blob = run('openssl', [...unwrap, '-in', files('password')]);
  // With its padding checked: a file that does not end as it should is refused.
  const words = ['enc', '-d', '-aes-256-cbc', '-in', downloaded, '-out', opened];
  run('openssl', [...words, '-K', blob.toString('hex', 3, 35), '-iv', blob.toString('hex', 35, 51)]);
  return opened;
}

async function round({ victim, withCertificate }: (typeof KILLS)[number]): Promise<string> {
  await inCall();
  await seal(withCertificate);
  const { id } = (await customer.rest('POST', place(), 'project', { sessionId })) as Archive;
  const kept = path.join(server.dataDir, 'archives', id);
  await eventually(
    'something on the disk that opens',
    async () => acknowledged(kept).length,
    (length) => length > (withCertificate ? 0 : limits.sealedChunkBytes),
  );
  // The moment is any; nothing is awaited here.
  const ms = Math.floor(random() * LATEST_MS);
  await delay(ms);
  const before = acknowledged(kept);
  await kill(victim);
  const archive = await eventually(
    'the archive to come to its end',
    () => read(id),
    ({ status }) => status === 'failed',
  );
  const after = readFileSync(path.join(kept, 'archive'));
  assert.ok(after.subarray(0, before.length).equals(before), 'a byte that was acknowledged is not there any more');
  assert.equal(
    archive.reason,
    victim === 'server' ? 'the server ended before the recording did' : 'the recorder failed',
  );
  const pictures = picturesIn(await openDownloaded(archive));
  assert.ok(pictures > 0, 'no picture is in what was kept');
  return `${victim} after ${ms} ms: ${before.length} bytes acknowledged, ${archive.size} kept, ${pictures} pictures`;
}

const kills = Array.from({ length: ROUNDS }, () => sample('archive kills', KILLS, 2)).flat();
for (const [index, each] of kills.entries()) {
  const format = each.withCertificate ? 'to a certificate' : 'with the key of the project';
  test(`kill ${index + 1}, of the ${each.victim}: what was sealed ${format} is there and opens`, async (t) => {
    const stays = each.victim === 'recorder' && (await inCall().then(() => publisher?.mark()));
    t.diagnostic(await round(each));
    if (typeof stays !== 'number') return;
    const told = (await publisher?.happenings())?.slice(stays) ?? [];
    assert.ok(!told.some(({ type }) => /Destroyed|Disconnected/.test(type)), JSON.stringify(told));
  });
}

test('no archive is stuck after any of these kills', async () => {
  const { items } = (await customer.rest('GET', place('?count=1000'), 'project')) as { items: Archive[] };
  assert.equal(items.length, kills.length);
  assert.deepEqual([...new Set(items.map(({ status }) => status))], ['failed']);
});

async function wholeWhenKilled(): Promise<void> {
  await inCall();
  await seal(false);
  const { id } = (await customer.rest('POST', place(), 'project', { sessionId })) as Archive;
  const kept = path.join(server.dataDir, 'archives', id);
  await eventually(
    'something on the disk that opens',
    async () => acknowledged(kept).length,
    (length) => length > limits.sealedChunkBytes,
  );
  writeFileSync(held, '');
  await customer.rest('POST', place(`/${id}/stop`), 'project');
  await eventually(
    'the end to be noted beside the file',
    async () => JSON.parse(readFileSync(path.join(kept, 'about.json'), 'utf8')) as { ended?: object },
    ({ ended }) => ended !== undefined,
  );
  assert.equal((await read(id)).status, 'stopped');
  await kill('server');
  rmSync(held);
  const archive = await eventually(
    'the archive to come to its end',
    () => read(id),
    ({ status }) => status !== 'stopped',
  );
  assert.deepEqual([archive.status, archive.reason], ['available', 'user initiated']);
  assert.ok(archive.duration > 0);
  const downloaded = await openDownloaded(archive);
  assert.equal(createHash('sha256').update(readFileSync(downloaded)).digest('base64'), archive.sha256sum);
  assert.ok(picturesIn(downloaded) > 0);
}

async function automaticWhenKilled(): Promise<void> {
  await seal(true);
  const create = promisify(customer.sdk.createSession.bind(customer.sdk)) as (
    options: object,
  ) => Promise<{ sessionId: string }>;
  const { sessionId: always } = await create({ mediaMode: 'routed', archiveMode: 'always' });
  const participant = await Participant.open(browser, site);
  await participant.join(customer.ticket(always), null);
  await participant.publish({ resolution: '640x480', frameRate: 15 });
  const kept: Archive[] = [];
  for (const number of [1, 2]) {
    const { items } = await eventually(
      `archive ${number} of the session`,
      () => customer.rest('GET', place(`?sessionId=${always}`), 'project') as Promise<{ items: Archive[] }>,
      (found) => found.items.length === number && found.items[0]?.status === 'started',
    );
    const { id } = items[0] as Archive;
    await eventually(
      'something on the disk that opens',
      async () => acknowledged(path.join(server.dataDir, 'archives', id)).length,
      (length) => length > 0,
    );
    await kill('recorder');
    kept.push(
      await eventually(
        'the archive to come to its end',
        () => read(id),
        ({ status }) => status === 'failed',
      ),
    );
  }
  for (const archive of kept) assert.ok(picturesIn(await openDownloaded(archive)) > 0);
  assert.equal(new Set(kept.map(({ password }) => password)).size, 2);
  const told = await participant.happenings();
  assert.ok(!told.some(({ type }) => /Destroyed|Disconnected/.test(type)), JSON.stringify(told));
  await participant.close();
}

const others = [
  {
    name: 'one that was whole when the server was killed is available after the restart, as if nothing had been',
    shown: wholeWhenKilled,
  },
  {
    name: 'ARC16 a session that archives itself goes on in a new archive, with a new key, when its recorder is killed',
    shown: automaticWhenKilled,
  },
];
for (const { name, shown } of sample('other archive kills', others, 1)) test(name, shown);
