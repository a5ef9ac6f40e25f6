/** How soon an archive's first byte is on the disk, and how soon after its stop it is available, short or long. */
import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { byPlatform, toPlatform } from '../packages/server/src/archive/index.ts';
import { fileSealers } from '../packages/server/src/archive/record/recorder-seal.ts';
import { measured } from '../packages/server/src/archive/recordings.ts';
import { stream } from '../packages/server/src/archive/recordings-fixtures.ts';
import { ArchiveFile } from '../packages/server/src/archive/store/archive-file.ts';
import {
  type KeptIndividual,
  openIndividual,
  settleIndividual,
} from '../packages/server/src/archive/store/individual-archive.ts';
import { IndividualFiles } from '../packages/server/src/archive/store/individual-files.ts';
import { spoolOf } from '../packages/server/src/archive/store/individual-index.ts';
import { type Keeping, keepComposed, keepIndividual } from '../packages/server/src/archive/store/keeping.ts';
import { archiveCalls, customerKey, sealTo } from '../tests/e2e/archives.ts';
import { command, tempFolder } from '../tests/rig/cleanup.ts';
import { eventually } from '../tests/rig/wait.ts';
import { figure, medianOf, quick, type Result, type Row, repeat } from './harness/figure.ts';
import { LoadBrowser, type LoadPage } from './harness/load-browser.ts';
import { Platform } from './harness/platform.ts';

const PICTURE = { width: 640, height: 480, frameRate: 30, bitrate: 1_000_000 };
const RECORDED_MS = quick ? 3000 : 10_000;
const LONG_MB = quick ? 64 : 2048;
const INDIVIDUAL_MB = quick ? 64 : 512;
const INDIVIDUAL_FILES = 4;
const PART_BYTES = 256 * 1024;
const LOOK_EVERY_MS = 5;
const FIRST_BYTE_MS = 2000;
const STOP_MS = 3000;
const INDIVIDUAL_RATE = 200;
const STEP_MS = 60_000;
const MB = 1e6;

/** The kinds of archives, each with the file of its folder that has its first sealed byte. */
const KINDS = {
  composed: { how: { outputMode: 'composed', resolution: '640x480' }, file: 'archive' },
  individual: { how: { outputMode: 'individual' }, file: 'stream-0' },
  opentok: { how: { outputMode: 'composed', resolution: '640x480' }, file: 'archive' },
} as const;
type Kind = keyof typeof KINDS;

/** Resolves when there is a byte in the file. */
async function grows(file: string): Promise<void> {
  const until = performance.now() + STEP_MS;
  while (!statSync(file, { throwIfNoEntry: false })?.size) {
    if (performance.now() > until) throw new Error(`${file} has no byte after ${STEP_MS} ms`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Both in milliseconds, each from the call on. */
interface Times {
  readonly firstByte: number;
  readonly available: number;
}

/** Records a call of one publisher. */
async function record({ server, customer }: Platform, page: LoadPage, kind: Kind): Promise<Times> {
  const { how, file } = KINDS[kind];
  const session = await customer.session();
  const member = await page.join({ kind: 'ours', url: server.url, ...customer.ticket(session) });
  await page.publish(member, PICTURE);
  const calls = archiveCalls(customer);
  const began = performance.now();
  const { id } = await calls.start(session, how);
  await grows(path.join(server.dataDir, 'archives', id, file));
  const firstByte = performance.now() - began;
  await delay(RECORDED_MS);
  const stopped = performance.now();
  await calls.finish(id);
  return { firstByte, available: performance.now() - stopped };
}

async function recordEach(browser: LoadBrowser): Promise<Record<Kind, Times>> {
  const platform = await Platform.start();
  const page = await browser.page();
  const composed = await record(platform, page, 'composed');
  const individual = await record(platform, page, 'individual');
  await sealTo(platform.customer, customerKey().certificate);
  const opentok = await record(platform, page, 'opentok');
  await page.close();
  await platform.stop();
  return { composed, individual, opentok };
}

/**
 * The server's own part of an end, once the recorder has given all. Of a recording that took its time the kernel has written
 * all but the last seconds to the disk by then; here it is told to. → milliseconds
 */
async function finish(keeping: Keeping, folder: string, stored = { bytes: 0, sha256: '' }): Promise<number> {
  command('sync', '--file-system', folder);
  const began = performance.now();
  if (!(await keeping.finish({ clear: { bytes: 0, sha256: '' }, stored })))
    throw new Error('it is not what was sealed');
  return performance.now() - began;
}

/** Of a composed archive of a size. */
async function finishComposed(megabytes: number): Promise<number> {
  const folder = path.join(tempFolder('archive-long'), 'archive');
  const file = await ArchiveFile.create(folder, { projectId: '1', format: 'recipients' }, () => performance.now());
  const keeping = keepComposed(file, null, () => Promise.reject(new Error('a composed archive is read again')));
  const part = randomBytes(PART_BYTES);
  const hash = createHash('sha256');
  while (file.size < megabytes * MB) {
    keeping.told.cipherText(part);
    hash.update(part);
  }
  keeping.told.sealed(1, null);
  await eventually(
    'all of it written',
    async () => file.settled,
    (bytes) => bytes === file.size,
    STEP_MS,
  );
  return finish(keeping, folder, { bytes: file.size, sha256: hash.digest('base64') });
}

/** Of an individual archive of a size, its index not sealed. */
async function finishIndividual(megabytes: number): Promise<number> {
  const folder = path.join(tempFolder('archive-individual'), 'archive');
  const plain = { seal: (clear: string) => clear, open: (sealed: string) => sealed };
  const kept: KeptIndividual = { folder, index: plain, unwrap: byPlatform(plain.open) };
  const about = { archiveId: 'id', projectId: '1', sessionId: 'session', name: '', createdAt: 1000, certificates: [] };
  const files = await IndividualFiles.create(folder, about, plain, () => performance.now());
  files.describe(stream);
  const contentKey = randomBytes(32);
  const header = await toPlatform(plain.seal)(contentKey);
  const sealers = await fileSealers({ format: 'cloister', contentKey: contentKey.toString('base64'), header });
  const part = randomBytes(PART_BYTES);
  for (let file = 0; file < INDIVIDUAL_FILES; file += 1) {
    const sealer = sealers.of(file);
    files.began(file, { streamId: stream.streamId, container: 'webm', startMs: 0 });
    let [bytes, sum, sealedBytes] = [0, 0, 0];
    const give = (cipherText: Buffer) => {
      files.part(file, cipherText);
      sealedBytes += cipherText.length;
    };
    for (; bytes < (megabytes * MB) / INDIVIDUAL_FILES; bytes += part.length) {
      give(sealer.write(part));
      sum = crc32(part, sum);
    }
    give(sealer.end());
    files.ended(file, { bytes, headBytes: 0, crc32: sum, stopMs: 1000 });
    const there = async () => statSync(spoolOf(folder, file), { throwIfNoEntry: false })?.size;
    await eventually('all of it written', there, (size) => size === sealedBytes, STEP_MS);
  }
  const measure = async () => measured(await openIndividual(kept));
  return finish(
    keepIndividual(files, () => settleIndividual(kept), measure),
    folder,
  );
}

function rowsOf(each: readonly Record<Kind, Times>[], long: readonly number[], individual: readonly number[]): Row[] {
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const row = (what: string, value: number, most: number): Row => {
    const target = { text: `at most ${most / 1000} s`, measured: value, most };
    return { what, ours: ms(value), other: null, target };
  };
  const of = (kind: Kind, what: keyof Times) => medianOf(each, (run) => run[kind][what]);
  const longMs = medianOf(long, (value) => value);
  const rate = INDIVIDUAL_MB / (medianOf(individual, (value) => value) / 1000);
  return [
    row('start to the first sealed byte on the disk, composed', of('composed', 'firstByte'), FIRST_BYTE_MS),
    row("the same, to a customer's certificate in OpenTok's format", of('opentok', 'firstByte'), FIRST_BYTE_MS),
    row('the same, individual', of('individual', 'firstByte'), FIRST_BYTE_MS),
    row('stop to `available`, composed', of('composed', 'available'), STOP_MS),
    row('the same, individual', of('individual', 'available'), STOP_MS),
    row(`the server's part of it for ${LONG_MB} MB, composed`, longMs, STOP_MS),
    {
      what: `the same for ${INDIVIDUAL_MB} MB, individual`,
      ours: `${rate.toFixed(0)} MB/s`,
      other: null,
      target: { text: `at least ${INDIVIDUAL_RATE} MB/s`, measured: rate, least: INDIVIDUAL_RATE },
    },
  ];
}

async function measure(): Promise<Result> {
  const browser = await LoadBrowser.start();
  const each = await repeat('archives of calls', () => recordEach(browser));
  await browser.close();
  const long = await repeat('the end of a long composed archive', () => finishComposed(LONG_MB));
  const individual = await repeat('the end of a long individual archive', () => finishIndividual(INDIVIDUAL_MB));
  return {
    rows: rowsOf(each, long, individual),
    notes: [
      `${browser.version} publishes ${PICTURE.width}x${PICTURE.height} of noise at ${PICTURE.bitrate / 1e6} Mbit/s to the whole platform on the same machine; recorded for ${RECORDED_MS / 1000} s after the first byte, started and stopped by the REST API, which is asked again every 100 ms until the status is there.`,
      `A composed archive is not read again at its end, however long it is; what is left is to bring its last bytes to the disk. The server's part is from the recorder's last word on, with a file whose bytes before the last seconds are on the disk, as after a long recording.`,
      `An individual archive is read once at its end, opened and hashed, since its ZIP has sizes and sums in front of each file; of ${INDIVIDUAL_FILES} files.`,
    ],
  };
}

await figure(measure);
