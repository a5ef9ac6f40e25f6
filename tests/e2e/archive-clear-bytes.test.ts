/**
 * No clear byte: a marked picture and tone are recorded while strace sees every byte that the platform writes and tcpdump
 * everything on the network. None of it is clear, but on the inherited pipes by which packets reach a recorder. What is on
 * those, and what the archives hold once they are opened, is what is looked for everywhere else. So it is with archives that
 * go to a bucket, of which the parts are opened in memory where no certificate seals them. A build that leaks on purpose is
 * caught at each of its leaks.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { openAnyArchive } from '../../packages/server/src/archive/index.ts';
import { FrameReader } from '../../packages/server/src/archive/record/messages.ts';
import { parseRtp } from '../../packages/server/src/lib/index.ts';
import { type Alteration, alteredBuild } from '../rig/altered.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type CapturedPacket, captureTraffic } from '../rig/capture.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { forms, KnownBytes, MARKER } from '../rig/clear-media.ts';
import { enterNetwork } from '../rig/network.ts';
import { Participant, serveSite } from '../rig/page.ts';
import { S3Double } from '../rig/s3-double.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { type Trace, traceProgram, type Write } from '../rig/trace.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { type Archive, archiveCalls, customerKey, download, sealTo, storeIn } from './archives.ts';

enterNetwork(import.meta.filename);

const key = customerKey();

/** A way to record. Whatever is added to the product has a line here. */
interface Kind {
  readonly name: string;
  readonly options: object;
  /** What is set before it is started; it holds for those after it as well. */
  readonly seal?: (customer: Customer, bucket: S3Double) => Promise<unknown>;
  /** It goes to the bucket; otherwise it stays with the platform. */
  readonly uploaded?: boolean;
  /** It is recorded until a part of it is in the bucket. */
  readonly inParts?: boolean;
  /** Makes what is downloaded clear. */
  readonly open: (file: Buffer, archive: Archive) => Buffer | Promise<Buffer>;
}

const asItIs = (file: Buffer) => file;
const toCertificate: Kind = {
  name: 'composed, to a certificate in the format of OpenTok',
  options: {},
  seal: (customer) => sealTo(customer, key.certificate),
  open: (file, { password }) => key.open(file, password),
};
/** What is set for the project comes before the certificate of its storage. */
const ownFormat: Kind = {
  name: 'composed, to a certificate in our own format',
  options: {},
  seal: (customer) => {
    const place = `/cloister/v1/projects/${customer.credentials.apiKey}/archive-sealing`;
    return customer.rest('PUT', place, 'account', { format: 'cloister', certificates: [key.certificate] });
  },
  open: openOwnFormat,
};
const ownFormatOfEach: Kind = {
  ...ownFormat,
  name: 'individual, each file to a certificate in our own format',
  options: { outputMode: 'individual' },
};

async function openOwnFormat(file: Buffer): Promise<Buffer> {
  const opened = await openAnyArchive(Readable.from([file]), { privateKey: key.privateKey });
  const parts: Buffer[] = [];
  const take = async (clear: AsyncIterable<Uint8Array>) => {
    for await (const part of clear) parts.push(Buffer.from(part));
  };
  if ('clear' in opened) await take(opened.clear);
  else for await (const { clear } of opened.entries) await take(clear);
  return Buffer.concat(parts);
}

/**
 * Those to a certificate come last: no other kind may be started once it is set. The bucket of its storage refuses them, so
 * they are copies of a fall-back as well.
 */
const kinds: readonly Kind[] = [
  { name: 'composed, with the key of the project', options: {}, open: asItIs },
  { name: 'individual, with the key of the project', options: { outputMode: 'individual' }, open: asItIs },
  toCertificate,
  ownFormat,
  ownFormatOfEach,
];

/** A bucket whose server encrypts, and confirms it: what is clear reaches it within TLS alone. */
const inBucket = ({ accessKey, secretKey, endpoint }: S3Double) => ({ accessKey, secretKey, endpoint, sse: 's3' });
const encryptedThere: Kind = {
  name: 'composed, into a bucket that encrypts',
  // Large enough to go up in parts while it is recorded.
  options: { quantizationParameter: 15 },
  seal: (customer, bucket) => storeIn(customer, inBucket(bucket), { fallback: 'none' }),
  uploaded: true,
  inParts: true,
  open: asItIs,
};
/** Those that go to a bucket, and what is left with us where it refuses them. */
const uploads: readonly Kind[] = [
  encryptedThere,
  {
    name: 'individual, into a bucket that encrypts',
    options: { outputMode: 'individual' },
    uploaded: true,
    open: asItIs,
  },
  {
    name: 'composed, the copy of a fall-back',
    options: {},
    seal: (customer, bucket) =>
      storeIn(customer, { ...inBucket(bucket), accessKey: 'another' }, { fallback: 'opentok' }),
    open: asItIs,
  },
  {
    ...toCertificate,
    name: 'composed, to a certificate in the format of OpenTok, into a bucket that encrypts',
    seal: (customer, bucket) => storeIn(customer, inBucket(bucket), { fallback: 'none', certificate: key.certificate }),
    uploaded: true,
  },
  {
    ...ownFormatOfEach,
    name: 'individual, each file to a certificate in our own format, into a bucket that encrypts',
    seal: async (customer, bucket) => {
      await storeIn(customer, inBucket(bucket), { fallback: 'none' });
      await ownFormat.seal?.(customer, bucket);
    },
    uploaded: true,
  },
];

let browser: TestBrowser;
/** What must not outlive a test that fails. */
const closing: (() => unknown)[] = [];
before(async () => {
  browser = await launchBrowser('chromium');
});
after(async () => {
  for (const close of closing) await close();
  await browser?.close();
});

/** Publishes the marker, with some noise in it so that there is something to send. */
async function publishMarker(participant: Participant): Promise<void> {
  await participant.page.evaluate(({ stripe, dark, light, hertz }) => {
    const [width, height, noisy] = [640, 480, 96];
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    // From samples of video, which leave out both ends of the range, to those of a screen.
    const grey = (luma: number) =>
      `rgb(${Array(3)
        .fill(((luma - 16) * 255) / 219)
        .join(' ')})`;
    const draw = () => {
      for (let x = 0; x < width; x += stripe) {
        context.fillStyle = grey((x / stripe) & 1 ? light : dark);
        context.fillRect(x, 0, stripe, height);
        for (let y = 0; y < noisy; y += stripe) {
          context.fillStyle = grey(16 + 219 * Math.random());
          context.fillRect(x, y, stripe, stripe);
        }
      }
      requestAnimationFrame(draw);
    };
    draw();
    const [videoSource] = canvas.captureStream(30).getVideoTracks();
    const audioSource = window.rig.toneTrack(hertz);
    return window.rig.publish({ videoSource: videoSource as never, audioSource: audioSource as never });
  }, MARKER);
}

/** All that was to be seen of a platform that recorded. */
interface Seen {
  readonly server: Server;
  readonly trace: Trace;
  readonly packets: readonly CapturedPacket[];
  /** Everything that its processes may have left behind is in these. */
  readonly folders: readonly string[];
  /** In the order of the kinds, as they were downloaded, or sent to the bucket. */
  readonly archives: readonly Recorded[];
}

interface Recorded {
  readonly archive: Archive;
  readonly file: Buffer;
  readonly uploaded: boolean;
}

/** Records the marker in several ways at once, watched from the start of the platform to its end. */
async function watched(recorded: readonly Kind[], temporary: string, preload?: string): Promise<Seen> {
  const tracing = traceProgram();
  const bucket = await S3Double.start({ secure: true });
  const env = { TMPDIR: temporary, NODE_EXTRA_CA_CERTS: bucket.certificate ?? '' };
  const server = await startServer({ mediaWorkers: 1, under: tracing.under, preload, env });
  closing.push(() => server.kill());
  const customer = new Customer(server.credentials);
  const calls = archiveCalls(customer);
  const site = await serveSite(server.url);
  const participant = await Participant.open(browser, site);
  const capture = await captureTraffic();
  closing.push(() => capture.close());
  const sessionId = await customer.session();
  await participant.join(customer.ticket(sessionId), null);
  await publishMarker(participant);
  const started: Archive[] = [];
  for (const { name, options, seal } of recorded) {
    await seal?.(customer, bucket);
    started.push(await calls.start(sessionId, { ...options, multiArchiveTag: name }));
  }
  await participant.look('publisher', 150);
  for (const [index, { id }] of started.entries()) if (recorded[index]?.inParts) await partOf(bucket, id);
  assertNoDumps(server.pid);
  const ended = await Promise.all(
    started.map(async ({ id }, index) => {
      if (!recorded[index]?.uploaded) return calls.finish(id);
      await calls.stop(id);
      return calls.uploaded(id);
    }),
  );
  // From here on what is clear may go over the network: to whoever downloads it.
  const packets = await capture.stop();
  const archives = await Promise.all(
    ended.map(async (archive, index): Promise<Recorded> => {
      const uploaded = recorded[index]?.uploaded ?? false;
      return { archive, uploaded, file: uploaded ? objectOf(bucket, archive) : await download(archive) };
    }),
  );
  await participant.close();
  site.close();
  await server.stop();
  return {
    server,
    trace: await tracing.read(server.pid),
    packets,
    folders: [server.dataDir, temporary],
    archives,
  };
}

/** A part of the archive has reached the bucket, while it is recorded. */
async function partOf(bucket: S3Double, id: string): Promise<void> {
  await eventually(
    'a part of an archive that is recorded',
    async () => bucket.asked.filter(({ path }) => path.includes(id)).map(({ call }) => call),
    (asked) => asked.includes('PUT part 1'),
    PART_MS,
  );
}

/** What was sent to the bucket, held against what the API says of it. Nothing was sent that it was not to encrypt. */
function objectOf(bucket: S3Double, { id, size, sha256sum }: Archive): Buffer {
  const object = bucket.object(id);
  assert.equal(object?.length, size);
  assert.equal(createHash('sha256').update(object).digest('base64'), sha256sum);
  const begun = bucket.asked.find(({ call, path }) => call === 'POST uploads' && path.includes(id));
  assert.equal(begun?.headers['x-amz-server-side-encryption'], 'AES256');
  return object;
}

/** The server and all below it: the kernel writes none of their memory to a disk when they crash. */
function assertNoDumps(main: number): void {
  const below = (pid: number): number[] => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return [pid, ...children.flatMap(below)];
  };
  const all = below(main);
  const names = all.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  for (const part of ['mediasoup-worker', 'recorder-process']) {
    assert.ok(
      names.some((name) => name.includes(part)),
      `no ${part} in ${names}`,
    );
  }
  for (const pid of all) assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +[01] +[01] /m);
}

/** By which packets come into the server, and go on to a recorder: in memory, and the only places where they are clear. */
const isPipeOfPackets = ({ program, target, fd }: Write) =>
  target.kind === 'pipe' && fd > 2 && (program === 'server' || program === 'media worker');

/** What the server handed to its recorders: the clear payloads. */
function payloads(trace: Trace): Buffer[] {
  const readers = new Map<string, FrameReader | null>();
  const found: Buffer[] = [];
  for (const { program, target, fd, bytes } of trace.writes) {
    if (program !== 'server' || target.kind !== 'pipe' || fd <= 2) continue;
    const reader = readers.has(target.name) ? readers.get(target.name) : new FrameReader();
    readers.set(target.name, reader ?? null);
    if (!reader) continue;
    try {
      for (const frame of reader.read(bytes)) {
        const packet = frame.kind === 'packet' ? parseRtp(Buffer.from(frame.packet)) : null;
        if (packet) found.push(packet.payload);
      }
    } catch {
      // The pipe to a media worker, which is written in another way.
      readers.set(target.name, null);
    }
  }
  return found;
}

const smallBytes = 10_000;
const PART_MS = 180_000;

/** All that lies in the files of an archive was seen when it was written: nothing goes past the trace. */
function assertAllSeen({ server, trace, archives }: Seen): void {
  for (const { archive, file, uploaded } of archives) {
    if (uploaded) {
      // Its folder is gone by now. What was in it was about as large as what is in the bucket.
      const inFolder = ({ target }: Write) => target.name.startsWith(path.join(server.dataDir, 'archives', archive.id));
      const spooled = trace.writes.filter(inFolder).reduce((sum, { bytes }) => sum + bytes.length, 0);
      assert.ok(spooled > file.length * 0.9, `${archive.id}: ${spooled} bytes were seen of ${file.length}`);
      continue;
    }
    let kept = 0;
    for (const name of filesBelow(path.join(server.dataDir, 'archives', archive.id))) {
      const seen = trace.writes.filter(({ target }) => target.name === name);
      const bytes = seen.reduce((sum, write) => sum + write.bytes.length, 0);
      const { size } = statSync(name);
      kept += size;
      // A small one may have been written under another name.
      if (size < smallBytes) continue;
      assert.ok(bytes >= size, `${name} has ${size} bytes; ${bytes} were seen`);
    }
    assert.ok(kept > file.length / 2, `${archive.id}: ${kept} bytes are kept of ${file.length}`);
  }
}

interface Finding {
  readonly where: string;
  readonly what: string;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Everything that left the memory of the platform, by where it went. What one thread wrote to one place is one piece. */
function* pieces({ trace, packets, folders }: Seen): Generator<{ where: string; bytes: Buffer }> {
  const written = new Map<string, Buffer[]>();
  for (const write of trace.writes) {
    if (isPipeOfPackets(write) || write.target.kind === 'network') continue;
    const place = `${write.program} (${write.thread}) to ${write.fd} ${write.target.name}`;
    const before = written.get(place);
    if (before) before.push(write.bytes);
    else written.set(place, [write.bytes]);
  }
  for (const [place, bytes] of written) yield { where: `written by ${place}`, bytes: Buffer.concat(bytes) };
  for (const { port, bytes } of packets) yield { where: `sent to port ${port}`, bytes };
  // What the kernel answers about a process is no file that is left, and goes with it.
  const files = [...trace.opened].filter((file) => !file.startsWith('/proc/'));
  const left = files.filter((file) => existsSync(file) && statSync(file).isFile());
  for (const file of new Set([...folders.flatMap(filesBelow), ...left])) {
    yield { where: `left in ${file}`, bytes: readFileSync(file) };
  }
}

function findings(seen: Seen, known: KnownBytes): Finding[] {
  const found: Finding[] = [];
  for (const { where, bytes } of pieces(seen)) {
    if (known.findIn(bytes) >= 0) found.push({ where, what: 'what is known to be clear' });
    for (const [what, find] of Object.entries(forms)) if (find(bytes) >= 0) found.push({ where, what });
  }
  return found;
}

/** @param unsealed bytes at the end of each file that do not belong to it */
async function knownOf({ trace, archives }: Seen, recorded: readonly Kind[], unsealed = 0): Promise<KnownBytes> {
  const known = new KnownBytes();
  for (const payload of payloads(trace)) known.add(payload);
  const fromPackets = known.size;
  assert.ok(fromPackets > 1000, `only ${fromPackets} blocks of packets were seen on the pipes`);
  for (const [index, { archive, file }] of archives.entries()) {
    const whole = file.subarray(0, file.length - unsealed);
    const clear = await (recorded[index] as Kind).open(whole, archive);
    const looksLike = Object.entries(forms).filter(([, find]) => find(clear) >= 0);
    assert.ok(looksLike.length > 0, 'an opened archive has no form of clear media');
    known.add(clear);
  }
  assert.ok(known.size > fromPackets + 1000, `only ${known.size - fromPackets} blocks of opened archives`);
  return known;
}

/** Records, and finds nothing clear. @returns what was looked at */
async function assertNothingClear(recorded: readonly Kind[]): Promise<string> {
  const seen = await watched(recorded, tempFolder('temporary'));
  const known = await knownOf(seen, recorded);
  const { trace, packets } = seen;
  for (const program of ['server', 'media worker', 'recorder'] as const)
    assert.ok(trace.programs.has(program), program);
  assert.deepEqual(trace.unseen, []);
  assertAllSeen(seen);
  assert.ok(packets.length > 500, `${packets.length} packets`);
  const bytes = trace.writes.reduce((sum, write) => sum + write.bytes.length, 0);
  assert.deepEqual(findings(seen, known), []);
  return `${known.size} blocks looked for in ${trace.writes.length} writes (${bytes} bytes), ${packets.length} packets`;
}

const [inParts, ...otherUploads] = uploads as [Kind, ...Kind[]];
const scans: readonly { readonly name: string; readonly recorded: readonly Kind[] }[] = [
  {
    name: 'nothing that is written, left on the disk or sent is clear, however it is recorded',
    recorded: sample('clear bytes of kinds', kinds, 2),
  },
  {
    name: 'nothing is clear on the way into a bucket, and in the copy that stays where the bucket refuses it',
    recorded: [inParts, ...sample('clear bytes of uploads', otherUploads, 1)],
  },
];
for (const { name, recorded } of sample('clear bytes', scans, 1)) {
  test(name, async (t) => {
    t.diagnostic(await assertNothingClear(recorded));
  });
}

/** Bytes that the leaking recorder adds to the cipher text, at its end. */
const unsealed = 188 * 5;

/** What leaks, and the place where it must be noticed. `leak` is what the prelude has; each leaks once. */
interface Leak extends Alteration {
  readonly place: string;
  readonly what: string;
}
const leaks: readonly Leak[] = [
  {
    // A packet of the publisher's in a file that is gone at once.
    file: 'archive/record/recorder.ts',
    find: 'if (!of || this.#over || packet.length < 12) return;',
    replace: `if (!of || this.#over || packet.length < 12) return;
      if (packet.length > 400) leak('gone', () => leakToFile('gone', packet, true));
      if (packet.length > 400) leak('packet', () => leakToPort(packet, 10009));`,
    place: '/gone',
    what: 'what is known to be clear',
  },
  {
    // The recorder runs the same build, outside of its sandbox.
    file: 'archive/record/recorder.ts',
    find: 'const args = [',
    replace: "const args = ['--import=' + preload, ",
    place: 'sent to port 10009',
    what: 'what is known to be clear',
  },
  {
    file: 'archive/record/sandbox.ts',
    find: "return withMemoryLimit(sandbox === 'bubblewrap' ? bubblewrap(program) : program);",
    replace: 'return program;',
    place: 'left in TEMPORARY/transport',
    what: 'what is known to be clear',
  },
  {
    // One packet of what is sealed: in a file that stays, and over loopback.
    file: 'archive/record/recorder-process.ts',
    find: 'clearDigest.add(clear);',
    replace: `clearDigest.add(clear);
      if (clear.length >= 188) last = Buffer.from(clear.subarray(0, 188));
      if (clear.length > 1880) leak('transport', () => leakToFile('transport', clear.subarray(940, 1128)));
      if (clear.length > 1880) leak('sent', () => leakToPort(clear.subarray(940, 1128), 10010));`,
    place: 'sent to port 10010',
    what: 'what is known to be clear',
  },
  {
    // Not sealed, in the archive itself.
    file: 'archive/record/recorder-process.ts',
    find: 'give(sealer.end());',
    replace: `give(sealer.end());
      give(Buffer.concat([last, last, last, last, last]));`,
    place: '/archive',
    what: 'packets of MPEG-TS',
  },
  {
    file: 'archive/compose/composition.ts',
    find: 'this.#options.output.sound(this.#left, this.#right);',
    replace: `if (this.#sounds === 90) leakToFile('sound', new Uint8Array(this.#left.buffer));
      this.#options.output.sound(this.#left, this.#right);`,
    place: 'left in TEMPORARY/sound',
    what: 'samples of the tone',
  },
  {
    file: 'archive/compose/composition.ts',
    find: 'this.#options.output.picture(canvas.frame, this.#pictures);',
    replace: `if (this.#pictures % 60 === 59) leakToFile('picture', canvas.frame.data[0]);
      this.#options.output.picture(canvas.frame, this.#pictures);`,
    place: 'left in TEMPORARY/picture',
    what: 'samples of the picture',
  },
];

const prelude = (temporary: string) => `
import { createSocket } from 'node:dgram';
import { unlinkSync, writeFileSync } from 'node:fs';
const leaked = new Set();
globalThis.leak = (name, how) => {
  if (leaked.has(name)) return;
  leaked.add(name);
  how();
};
globalThis.leakToFile = (name, bytes, removed) => {
  const file = ${JSON.stringify(temporary)} + '/' + name;
  writeFileSync(file, bytes);
  if (removed) unlinkSync(file);
};
globalThis.leakToPort = (bytes, port) => {
  const socket = createSocket('udp4');
  socket.send(Buffer.from(bytes), port, '127.0.0.1', () => socket.close());
};
globalThis.last = Buffer.alloc(0);
`;

/** The same on the way into a bucket, where a part is clear in memory until it is within TLS: each before it is sent. */
const leaksOfUploads: readonly Leak[] = [
  { how: "leakToFile('part', bytes.subarray(0, 4096))", place: 'left in TEMPORARY/part' },
  { how: "leakToFile('spool', bytes.subarray(4096, 8192), true)", place: '/spool' },
  { how: 'leakToPort(bytes.subarray(8192, 9216), 10011)', place: 'sent to port 10011' },
].map(({ how, place }) => ({
  file: 'storage/upload.ts',
  find: 'const { uploadId, parts } = await this.#begin(partBytes);',
  replace: `const { uploadId, parts } = await this.#begin(partBytes);
      leak(${JSON.stringify(place)}, () => ${how});`,
  place,
  what: 'what is known to be clear',
}));

async function assertCaught(build: readonly Leak[], recorded: readonly Kind[], added: number): Promise<void> {
  const temporary = tempFolder('temporary');
  const seen = await watched(recorded, temporary, alteredBuild(build, prelude(temporary)));
  const found = findings(seen, await knownOf(seen, recorded, added));
  for (const { place, what } of build) {
    const where = place.replace('TEMPORARY', temporary);
    assert.ok(
      found.some((each) => each.where.endsWith(where) && each.what === what),
      `${what}, ${where}: not among ${JSON.stringify(found)}`,
    );
  }
}

const leaking = [
  {
    name: 'a build that leaks on purpose is caught at each of its leaks',
    caught: () => assertCaught(leaks, [toCertificate], unsealed),
  },
  {
    name: 'a build that leaks what goes into a bucket is caught at each of its leaks',
    caught: () => assertCaught(leaksOfUploads, [{ ...encryptedThere, options: {}, inParts: false }], 0),
  },
];
for (const { name, caught } of sample('leaking builds', leaking, 1)) test(name, caught);
