/**
 * The customer's storage is killed at random moments while an archive goes up, and comes back: Swift with its S3 layer. The
 * publisher's line loses 5 % of its packets and delays the others by up to 80 ms. Every part that the storage had
 * acknowledged is in the object, which is what the archive's manifest says, and opens; no archive is stuck.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@cloister/protocol';
import { verifyManifest } from '../../packages/server/src/keys/index.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { enterNetwork, type FarSide, nearAddress, openFarSide } from '../rig/network.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { Swift } from '../rig/swift.ts';
import { eventually } from '../rig/wait.ts';
import { randomOf, seed, times } from '../sample.ts';
import { type Archive, customerKey, picturesIn, publishNoise } from './archives.ts';

enterNetwork(import.meta.filename);

/** With the project's key and to a certificate, by turns. */
const ARCHIVES = times(1, 26);
/** In the course of one upload. */
const KILLS = 2;
/** From the first part on, the recording is stopped, and the storage killed, within so long; then it is away for so long. */
const LATEST_MS = 4000;
const AWAY_MS = 2000;
const PART_MS = 120_000;
const UPLOAD_MS = 120_000;
const LINE = { lossPercent: 5, delayMs: 0, jitterMs: 80, kbps: null, queueMs: 0, seed };

const bucket = 'visits-of-a-clinic';
const random = randomOf('archive-storage-kill');
const moment = (latestMs: number) => Math.floor(random() * latestMs);
const folder = tempFolder('archive-storage-kill');
const key = customerKey();
let swift: Swift;
let server: Server;
let customer: Customer;
let site: Site;
let far: FarSide;
let browser: TestBrowser;
let sessionId: string;

before(async () => {
  swift = await Swift.start();
  await swift.createBucket(bucket);
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url, nearAddress);
  far = await openFarSide();
  await far.roughen(LINE);
  const executable = far.launcher('/usr/bin/chromium');
  browser = await launchBrowser('chromium', { secureOrigins: [site.origin], executable });
  sessionId = await customer.session();
  const publisher = await Participant.open(browser, site);
  await publisher.join(customer.ticket(sessionId), null);
  await publishNoise(publisher);
});

after(async () => {
  await browser?.close();
  far?.close();
  site?.close();
  await server?.stop();
  await swift?.kill();
});

const place = (rest = '') => `/v2/project/${customer.credentials.apiKey}/archive${rest}`;
const read = (id: string) => customer.rest('GET', place(`/${id}`), 'project') as Promise<Archive>;

interface Part {
  readonly sha256: string;
}

/** Parts that the storage has acknowledged, as the platform remembers them; what there is in bytes of each. */
function acknowledged(kept: string): { partBytes: number; parts: readonly Part[] } {
  const file = path.join(kept, 'upload.json');
  const none = { partBytes: 0, parts: [] };
  if (!existsSync(file)) return none;
  const { begun } = JSON.parse(readFileSync(file, 'utf8')) as { begun: { partBytes: number; parts: Part[] } | null };
  return begun ?? none;
}

/** Kills the storage at random moments and has it come back. @returns what was acknowledged at each kill, and when that was */
async function killStorage(kept: string) {
  const kills: { ms: number; partBytes: number; parts: readonly Part[] }[] = [];
  for (let count = 0; count < KILLS; count += 1) {
    // The moments are any; nothing is awaited here.
    const ms = moment(LATEST_MS);
    await delay(ms);
    await swift.kill();
    kills.push({ ms, ...acknowledged(kept) });
    await delay(moment(AWAY_MS));
    await swift.start();
  }
  return kills;
}

async function stopWithin(id: string): Promise<number> {
  const ms = moment(LATEST_MS);
  await delay(ms);
  await customer.rest('POST', place(`/${id}/stop`), 'project');
  return ms;
}

async function assertVouchedFor(id: string, object: Buffer): Promise<void> {
  const route = `/cloister/v1/projects/${customer.credentials.apiKey}/archives/${id}/manifest`;
  const jws = (await customer.rest('GET', route, 'project')) as string;
  const keys = await (await fetch(`${server.url}/cloister/v1/manifest-keys`)).text();
  const { manifest } = verifyManifest(jws, keys);
  const sha256 = createHash('sha256').update(object).digest('hex');
  assert.deepEqual(
    [manifest.archiveId, manifest.status, manifest.sizeBytes, manifest.sha256],
    [id, 'uploaded', object.length, sha256],
  );
}

async function round(certificate: string | null): Promise<string> {
  await customer.rest('PUT', place('/storage'), 'project', {
    type: 's3',
    config: { ...swift.owner, bucket, endpoint: swift.endpoint },
    fallback: 'none',
    // Left out it would stay as it was.
    certificate,
  });
  const { id } = (await customer.rest('POST', place(), 'project', { sessionId, quantizationParameter: 15 })) as Archive;
  const kept = path.join(server.dataDir, 'archives', id);
  await eventually(
    'a part of the archive on the disk',
    async () => statSync(path.join(kept, 'archive')).size,
    (size) => size > limits.uploadPartBytes,
    PART_MS,
  );
  const [kills, stopMs] = await Promise.all([killStorage(kept), stopWithin(id)]);
  const archive = await eventually(
    'the archive to be uploaded',
    () => read(id),
    ({ status }) => status === 'uploaded' || status === 'failed',
    UPLOAD_MS,
  );
  assert.equal(archive.status, 'uploaded', archive.reason);
  const name = certificate === null ? 'archive.mp4' : 'archive.ts';
  const object = await swift.object(bucket, `${customer.credentials.apiKey}/${id}/${name}`);
  await assertVouchedFor(id, object);
  for (const { partBytes, parts } of kills) {
    for (const [index, { sha256 }] of parts.entries()) {
      const there = object.subarray(index * partBytes, (index + 1) * partBytes);
      assert.equal(createHash('sha256').update(there).digest('base64'), sha256, `part ${index + 1} is another one`);
    }
  }
  const opened = path.join(folder, name);
  writeFileSync(opened, certificate === null ? object : key.open(object, archive.password));
  const pictures = picturesIn(opened);
  assert.ok(pictures > 0, 'no picture is in what was uploaded');
  await eventually(
    'nothing of it stays with us',
    async () => readdirSync(path.join(server.dataDir, 'archives')),
    (left) => !left.some((each) => each.startsWith(id)),
  );
  const when = kills.map(({ ms, parts }) => `after ${ms} ms with ${parts.length} parts`).join(', ');
  return `stopped after ${stopMs} ms; storage killed ${when}; ${object.length} bytes, ${pictures} pictures`;
}

for (let count = 1; count <= ARCHIVES; count += 1) {
  test(`STO9 archive ${count}: whenever the storage is killed, it is uploaded once that is back, whole`, async (t) => {
    t.diagnostic(await round((seed + count) % 2 === 0 ? null : key.certificate));
  });
}

test('STO9 no archive is stuck after any of these kills', async () => {
  const { items } = (await customer.rest('GET', place('?count=1000'), 'project')) as { items: Archive[] };
  assert.equal(items.length, ARCHIVES);
  assert.deepEqual([...new Set(items.map(({ status }) => status))], ['uploaded']);
});
