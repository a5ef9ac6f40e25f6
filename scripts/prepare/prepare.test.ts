import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { mesonList } from '../media-worker/build.mjs';
import { cacheFolder, mediasoupFolder, workerLocation } from '../media-worker/location.mjs';
import { PINNED_ARCHIVES } from '../media-worker/pinned.mjs';
import { downloadWorker, prebuiltAddress } from '../media-worker/prebuilt.mjs';
import { missingPackages } from './apt.mjs';
import { inputsHash } from './bundles.mjs';
import { withLock } from './lock.mjs';
import { upToDate } from './packages.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-prepare-'));
after(() => rmSync(folder, { recursive: true }));

const silent = () => {};

test('installed packages are compared with the lock: version, content, too few, too many', () => {
  const entry = { version: '1.0.0', integrity: 'sha512-a' };
  const lock = (packages: Record<string, object>) => ({ packages: { '': {}, ...packages } });
  const wanted = lock({ 'node_modules/a': entry, 'node_modules/mac-only': { ...entry, optional: true } });
  const installed = (packages: Record<string, object>) => ({ packages });
  assert.equal(upToDate(wanted, installed({ 'node_modules/a': entry })), true);
  assert.equal(upToDate(wanted, undefined), false, 'nothing is installed, or an install was interrupted');
  assert.equal(upToDate(wanted, installed({})), false);
  assert.equal(upToDate(wanted, installed({ 'node_modules/a': { ...entry, version: '1.0.1' } })), false);
  assert.equal(upToDate(wanted, installed({ 'node_modules/a': { ...entry, integrity: 'sha512-b' } })), false);
  assert.equal(upToDate(wanted, installed({ 'node_modules/a': entry, 'node_modules/b': entry })), false);
});

test("a meson file's list is read without its comments; a list that is gone is an error", () => {
  const text =
    "project('x')\n\nlist = [\n  'src/a.cpp',\n  # 'src/old.cpp',\n  'src/b.cpp',\n]\nother = [\n  'c.cpp',\n]\n";
  assert.deepEqual(mesonList(text, 'list'), ['src/a.cpp', 'src/b.cpp']);
  assert.deepEqual(mesonList(text.slice(text.indexOf('other')), 'other'), ['c.cpp'], 'a list on the first line');
  assert.throws(() => mesonList(text, 'gone'), /no list called gone/);
});

test('the pinned mediasoup has the lists that the recipe reads', () => {
  const worker = path.join(mediasoupFolder(), 'worker');
  const own = mesonList(readFileSync(path.join(worker, 'meson.build'), 'utf8'), 'common_sources');
  assert.ok(own.includes('src/Worker.cpp'));
  assert.ok(own.every((file) => existsSync(path.join(worker, file))));
});

test('the worker is in the cache, by version and recipe, unless the environment names one', () => {
  assert.equal(cacheFolder({ XDG_CACHE_HOME: '/c' }), '/c/cloister');
  assert.equal(cacheFolder({ HOME: '/h' }), '/h/.cache/cloister');
  const found = workerLocation({ XDG_CACHE_HOME: '/c' });
  assert.match(found.path, /^\/c\/cloister\/mediasoup-worker\/\d+\.\d+\.\d+-[0-9a-f]{12}\/mediasoup-worker$/);
  assert.equal(found.supplied, false);
  assert.deepEqual(workerLocation({ MEDIASOUP_WORKER_BIN: '/opt/w' }), { path: '/opt/w', supplied: true });
});

/** A release page that gives `body`, or never answers. */
async function releasePage(body: Buffer | 404 | 'silence') {
  const server = createServer((_, answer) => {
    if (body === 'silence') return;
    answer.writeHead(body === 404 ? 404 : 200).end(body === 404 ? '' : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/worker.tgz`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { address, [Symbol.dispose]: close };
}

/** An archive as mediasoup publishes it, with a program that answers like a worker or does not. */
function archive(exitCode: number): Buffer {
  const inside = mkdtempSync(path.join(folder, 'archive-'));
  writeFileSync(path.join(inside, 'mediasoup-worker'), `#!/bin/sh\nexit ${exitCode}\n`);
  chmodSync(path.join(inside, 'mediasoup-worker'), 0o755);
  const { stdout, status } = spawnSync('tar', ['-czf', '-', '-C', inside, 'mediasoup-worker']);
  assert.equal(status, 0);
  return stdout;
}

/** What becomes of a download when `pinned` (unless given: what the page sends) is the archive that we know. */
async function download(
  body: Buffer | 404 | 'silence',
  { pinned = Buffer.isBuffer(body) ? body : Buffer.of(), bytesMax }: { pinned?: Buffer; bytesMax?: number } = {},
) {
  using page = await releasePage(body);
  const outFolder = mkdtempSync(path.join(folder, 'out-'));
  const hash = createHash('sha256').update(pinned).digest('hex');
  const options = { address: page.address, outFolder, secondsMax: 0.5, pinned: { 'worker.tgz': hash } };
  const result = await downloadWorker(bytesMax === undefined ? options : { ...options, bytesMax });
  return { ...result, unpacked: readdirSync(outFolder) };
}

test('a prebuilt worker is taken when its hash is pinned and it runs here', async () => {
  const result = await download(archive(41));
  assert.ok('file' in result && existsSync(result.file), JSON.stringify(result));
});

test('an archive that is not the pinned one is not unpacked, and its hash is told', async () => {
  const sent = archive(41);
  const hash = createHash('sha256').update(sent).digest('hex');
  const result = await download(sent, { pinned: archive(0) });
  assert.deepEqual(result, {
    reason: `its SHA-256 ${hash} is not the one that is pinned`,
    unpacked: [],
  });
});

test('an archive of a name that is not pinned is unpacked only if the operator names its hash', async () => {
  const sent = archive(41);
  const hash = createHash('sha256').update(sent).digest('hex');
  using page = await releasePage(sent);
  const outFolder = mkdtempSync(path.join(folder, 'out-'));
  for (const taken of [undefined, '0'.repeat(64)]) {
    const result = await downloadWorker({ address: page.address, outFolder, taken });
    assert.deepEqual(result, {
      reason: `it is not pinned; CLOISTER_WORKER_SHA256=${hash} would take what the release page sends`,
    });
    assert.deepEqual(readdirSync(outFolder), []);
  }
  assert.ok('file' in (await downloadWorker({ address: page.address, outFolder, taken: hash })));
});

test('pinned hashes are of archives of the locked version', () => {
  const { version } = JSON.parse(readFileSync(path.join(mediasoupFolder(), 'package.json'), 'utf8'));
  for (const [name, hash] of Object.entries(PINNED_ARCHIVES)) {
    assert.ok(name.startsWith(`mediasoup-worker-${version}-`), name);
    assert.match(hash, /^[0-9a-f]{64}$/);
  }
});

test('without a usable prebuilt worker the reason is told, within the time limit', async () => {
  const reason = async (...given: Parameters<typeof download>) => {
    const result = await download(...given);
    return 'reason' in result ? result.reason : 'taken';
  };
  assert.match(await reason(404), /answered 404/);
  assert.match(await reason(archive(1)), /does not run/);
  assert.match(await reason(Buffer.from('no archive')), /unpacked/);
  assert.match(await reason('silence'), /no answer within 0.5 s/);
  const worker = archive(41);
  assert.equal(await reason(worker, { bytesMax: worker.length }), 'taken');
  assert.match(await reason(worker, { bytesMax: worker.length - 1 }), /has more than/);
});

test("the address of the prebuilt worker is made of mediasoup's version and this system", () => {
  const address = prebuiltAddress(mediasoupFolder(), 'https://example.org/releases');
  assert.match(
    address,
    /^https:\/\/example\.org\/releases\/(\d+\.\d+\.\d+)\/mediasoup-worker-\1-\w+-\w+(-kernel\d+)?\.tgz$/,
  );
});

test('two processes with the same lock work one after the other', async () => {
  const lock = path.join(folder, 'queue.lock');
  const log = path.join(folder, 'queue.log');
  const program = `
    import { appendFileSync } from 'node:fs';
    import { setTimeout as wait } from 'node:timers/promises';
    import { withLock } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.mjs'))};
    await withLock(${JSON.stringify(lock)}, () => {}, async () => {
      appendFileSync(${JSON.stringify(log)}, 'in ');
      await wait(100);
      appendFileSync(${JSON.stringify(log)}, 'out ');
    });`;
  const children = [1, 2, 3].map(() =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.deepEqual(codes, [0, 0, 0]);
  assert.equal(readFileSync(log, 'utf8'), 'in out in out in out ');
  assert.equal(existsSync(lock), false);
});

test('a lock whose holder was killed is taken over; a failure gives it back', async () => {
  const lock = path.join(folder, 'stale.lock');
  mkdirSync(lock);
  const minuteAgo = new Date(Date.now() - 60_000);
  utimesSync(lock, minuteAgo, minuteAgo);
  assert.equal(await withLock(lock, silent, async () => 'done'), 'done');
  await assert.rejects(
    withLock(lock, silent, async () => {
      throw new Error('broken');
    }),
    /broken/,
  );
  assert.equal(existsSync(lock), false);
});

test('a bundle is stale when a file that goes into it changes, and only then', () => {
  const root = mkdtempSync(path.join(folder, 'root-'));
  mkdirSync(path.join(root, 'packages/client/dist'), { recursive: true });
  const write = (file: string, text: string) => writeFileSync(path.join(root, 'packages/client', file), text);
  const hash = () => inputsHash(root, ['packages/client']);
  write('a.ts', '1');
  const first = hash();
  write('a.test.ts', 'a test');
  write('dist/a.js', 'built');
  assert.equal(hash(), first);
  write('a.ts', '2');
  const second = hash();
  assert.notEqual(second, first);
  write('b.ts', '');
  assert.notEqual(hash(), second);
});

test('dpkg is asked which packages are missing', () => {
  const missing = missingPackages(['dpkg', 'cloister-no-such-package']);
  if (missing) assert.deepEqual(missing, ['cloister-no-such-package']);
});
