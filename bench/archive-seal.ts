/** What sealing an archive costs, and how fast both formats are opened, beside `openssl enc` on the same file. */
import { execFile, execFileSync } from 'node:child_process';
import { constants, privateDecrypt } from 'node:crypto';
import { openSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  createArchiveSealer,
  createOpenTokSealer,
  openArchive,
  type Sealer,
  toCertificates,
} from '../packages/server/src/archive/index.ts';
import { makeOwner, packets } from '../packages/server/src/archive/seal/archive-fixtures.ts';
import { readFile } from '../packages/server/src/cli/archive-source.ts';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { figure, medianOf, quick, type Result, type Row, repeat, say } from './harness/figure.ts';

const MEGABYTES = quick ? 64 : 1024;
/** What an encoder hands over at a time: seven packets, as muxers do, and a larger part. */
const WRITES = [1316, 32_712] as const;
const PASS_MB = quick ? 16 : 128;
/** The rate of a usual recording, for the share of a core that sealing it takes. */
const RECORDING_BITS = 1_500_000;
const MB = 1e6;

const folder = tempFolder('archive-seal');
const owner = makeOwner(2048, 'opentok');
const block = packets(32 * 1024);
const run = promisify(execFile);

/** → megabytes a second of one core. */
function rate(bytes: number, cpu: NodeJS.CpuUsage): number {
  return bytes / (cpu.user + cpu.system);
}

/** Seals in memory, in parts of this size. → MB for each second of CPU */
function sealing(sealer: Sealer, writeBytes: number): number {
  const bytes = PASS_MB * MB;
  const before = process.cpuUsage();
  let at = 0;
  for (let done = 0; done < bytes; done += writeBytes) {
    if (at + writeBytes > block.length) at = 0;
    sealer.write(block.subarray(at, at + writeBytes));
    at += writeBytes;
  }
  sealer.end();
  return rate(bytes, process.cpuUsage(before));
}

/** Writes a sealed file of the bench's size. */
function fileOf(name: string, sealer: Sealer): string {
  const file = path.join(folder, name);
  const handle = openSync(file, 'w');
  for (let done = 0; done < MEGABYTES * MB; done += block.length) writeSync(handle, sealer.write(block));
  writeSync(handle, sealer.end());
  return file;
}

/** MB for each second on the clock, and for each second of CPU. */
interface Rates {
  readonly clock: number;
  readonly cpu: number;
}

/** From the file to clear bytes in memory. */
async function opening(file: string, password: string): Promise<Rates> {
  const [began, before] = [performance.now(), process.cpuUsage()];
  const { clear } = await openArchive(readFile(file), { privateKey: owner.privateKey, password });
  let bytes = 0;
  for await (const part of clear) bytes += part.length;
  return { clock: bytes / 1000 / (performance.now() - began), cpu: rate(bytes, process.cpuUsage(before)) };
}

/** The same by a program of its own, its start included, to /dev/null. */
async function timed(file: string, program: string, args: readonly string[]): Promise<Rates> {
  const began = performance.now();
  const { stdout } = await run('sh', ['-c', '"$0" "$@" > /dev/null && times', program, ...args]);
  const bytes = statSync(file).size;
  // The second line is of what the shell started: 0m1.020000s of user and of system time.
  const [user = '', system = ''] = (stdout.trim().split('\n')[1] ?? '').split(' ');
  return {
    clock: bytes / 1000 / (performance.now() - began),
    cpu: rate(bytes, { user: microseconds(user), system: microseconds(system) }),
  };
}

function microseconds(told: string): number {
  const [, minutes, seconds] = /^(\d+)m([\d.]+)s$/.exec(told) ?? [];
  return (Number(minutes) * 60 + Number(seconds)) * 1e6;
}

function secretOf(password: string): { key: string; iv: string } {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const blob = privateDecrypt({ key: owner.privateKey, padding, oaepHash: 'sha1' }, Buffer.from(password, 'base64'));
  return { key: blob.toString('hex', 3, 35), iv: blob.toString('hex', 35) };
}

async function measure(): Promise<Result> {
  const cbc = createOpenTokSealer(owner.certificate);
  const { password } = cbc;
  const { key, iv } = secretOf(password);
  say(`writing two files of ${MEGABYTES} MB`);
  const opentok = fileOf('opentok', cbc);
  const cloister = fileOf('cloister', await createArchiveSealer(toCertificates([owner.certificate])));
  const pem = path.join(folder, 'key.pem');
  const handle = openSync(pem, 'w', 0o600);
  writeSync(handle, owner.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const command = path.resolve(import.meta.dirname, '../packages/server/src/cli/main.ts');
  const taken = await repeat('archive-seal', async () => ({
    openssl: await timed(opentok, 'openssl', ['enc', '-d', '-aes-256-cbc', '-in', opentok, '-K', key, '-iv', iv]),
    opentok: await opening(opentok, password),
    cloister: await opening(cloister, password),
    command: await timed(opentok, process.execPath, [
      command,
      'archive',
      'open',
      opentok,
      '--key',
      pem,
      '--password',
      password,
    ]),
    small: sealing(createOpenTokSealer(owner.certificate), WRITES[0]),
    large: sealing(createOpenTokSealer(owner.certificate), WRITES[1]),
    ownSmall: sealing(await createArchiveSealer(toCertificates([owner.certificate])), WRITES[0]),
    ownLarge: sealing(await createArchiveSealer(toCertificates([owner.certificate])), WRITES[1]),
  }));
  const of = (name: 'small' | 'large' | 'ownSmall' | 'ownLarge') => medianOf(taken, (each) => each[name]);
  const opened = (name: 'openssl' | 'opentok' | 'cloister' | 'command', by: keyof Rates) =>
    medianOf(taken, (each) => each[name][by]);
  const mb = (value: number) => `${value.toFixed(0)} MB/s`;
  const share = (value: number) => `${((RECORDING_BITS / 8 / MB / value) * 100).toFixed(3)} %`;
  const beside = (what: string, name: 'opentok' | 'command', by: keyof Rates, bound: boolean): Row => {
    const [ours, other] = [opened(name, by), opened('openssl', by)];
    const target = bound ? { text: 'at least 0.9 of openssl', measured: ours / other, least: 0.9 } : null;
    return { what, ours: mb(ours), other: mb(other), target };
  };
  return {
    rows: [
      beside("opening OpenTok's format", 'opentok', 'clock', true),
      beside('the same, for each second of CPU', 'opentok', 'cpu', false),
      beside('the same by `cloister archive open`, its start included', 'command', 'clock', false),
      { what: "opening Cloister's own format", ours: mb(opened('cloister', 'clock')), other: null, target: null },
      { what: "sealing in OpenTok's format", ours: mb(of('large')), other: null, target: null },
      { what: "sealing in Cloister's own format", ours: mb(of('ownLarge')), other: null, target: null },
    ],
    notes: [
      `Files of ${MEGABYTES} MB from the page cache; the peer is \`openssl enc -d -aes-256-cbc\` to /dev/null (${execFileSync('openssl', ['version'], { encoding: 'utf8' }).split(' (')[0]}), on the clock. Ours opens in one process, on the clock, to memory, and reads ahead on a thread of its own meanwhile, which its CPU has in it.`,
      'Node allocates and copies what a decipher gives. Pieces that fit a cache, whose memory is given back at once, keep that from costing more than the cipher (`archive/seal/opentok-open.ts`).',
      `Sealing is for each second of CPU, in parts of ${WRITES[1]} bytes. In parts of ${WRITES[0]} bytes: ${mb(of('small'))} and ${mb(of('ownSmall'))}.`,
      `A recording of ${RECORDING_BITS / MB} Mbit/s so takes ${share(of('small'))} of a core in OpenTok's format and ${share(of('ownSmall'))} in our own.`,
    ],
  };
}

await figure(measure);
