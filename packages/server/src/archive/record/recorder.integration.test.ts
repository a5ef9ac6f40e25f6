/** Real recorders: sealed by them, opened by openssl, read by ffmpeg. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { eventually } from '../../../../../tests/rig/wait.ts';
import { openArchive } from '../open.ts';
import { drain, inParts, isRefusal, makeOwner, type Owner, openssl } from '../seal/archive-fixtures.ts';
import { toCertificates } from '../seal/recipients.ts';
import { options, type Recorded, RecorderRig } from './recorder-rig.ts';
import { SandboxTrial } from './sandbox.ts';

const red = [81, 90, 240] as const;
const green = [145, 54, 34] as const;
const blue = [41, 240, 110] as const;

let owner: Owner;
let folder: string;
before(async () => {
  owner = makeOwner();
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-recorder-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Changes its colour, and beeps or is silent, at every whole second: the two must stay in step. */
const changing = {
  width: 640,
  height: 480,
  frameRate: 30,
  colour: (at: number) => (at % 2000 < 1000 ? red : green),
  tone: (at: number) => (at % 2000 < 1000 ? 440 : 0),
};
const still = { width: 320, height: 240, frameRate: 15, colour: () => blue, tone: () => 1000 };

const sideBySide = [
  { streamId: 'left', x: 0, y: 0, width: 320, height: 480, fit: 'contain' },
  { streamId: 'right', x: 320, y: 0, width: 320, height: 480, fit: 'cover' },
] as const;

async function decrypted({ cipherText, password }: Pick<Recorded, 'cipherText' | 'password'>): Promise<string> {
  const file = path.join(folder, `${cipherText.length}-${Math.floor(performance.now())}.ts`);
  const { clear } = await openArchive(inParts(cipherText, 65_536), { privateKey: owner.privateKey, password });
  const { bytes, error } = await drain(clear);
  assert.equal(error, null);
  await writeFile(file, bytes);
  return file;
}

function ffmpeg(args: readonly string[]): Buffer {
  const { stdout, status, stderr } = spawnSync('ffmpeg', ['-v', 'error', ...args], { maxBuffer: 2 ** 29 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

/** → of each picture the Y, U and V in the middle of its left and right half. */
function colours(file: string): { left: number[]; right: number[] }[] {
  const raw = ffmpeg(['-i', file, '-f', 'rawvideo', '-pix_fmt', 'yuv444p', '-vf', 'scale=64:48:flags=area', '-']);
  const plane = 64 * 48;
  const at = (picture: number, x: number) =>
    [0, 1, 2].map((p) => raw[(picture * 3 + p) * plane + 24 * 64 + x] as number);
  return Array.from({ length: raw.length / (plane * 3) }, (_, index) => ({
    left: at(index, 16),
    right: at(index, 48),
  }));
}

function like(seen: readonly number[], colour: readonly number[]): boolean {
  return seen.every((value, index) => Math.abs(value - (colour[index] as number)) < 24);
}

/** → the strength of a tone in each 10 ms of the sound, between 0 and 1. */
function strengths(file: string, hertz: number): number[] {
  const raw = ffmpeg(['-i', file, '-f', 'f32le', '-ac', '1', '-ar', '48000', '-']);
  const samples = new Float32Array(raw.buffer, raw.byteOffset, raw.length >> 2);
  const window = 480;
  return Array.from({ length: Math.floor(samples.length / window) }, (_, index) => {
    let [cos, sin] = [0, 0];
    for (let n = 0; n < window; n += 1) {
      const angle = (2 * Math.PI * hertz * n) / 48_000;
      const sample = samples[index * window + n] as number;
      cos += sample * Math.cos(angle);
      sin += sample * Math.sin(angle);
    }
    return (2 * Math.hypot(cos, sin)) / window;
  });
}

test('pictures are where they belong, tones are there, and both are in step to within 40 ms', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  rig.place(sideBySide);
  rig.play({ left: changing, right: still }, 6000);
  const recorded = await rig.stop();
  assert.equal(recorded.failure, null);
  const file = await decrypted(recorded);
  const seen = colours(file);
  assert.ok(Math.abs((recorded.durationMs ?? 0) - (seen.length * 1000) / 30) < 40);
  const first = seen.findIndex(({ left }) => like(left, red));
  assert.ok(first > 0 && first < 30, `the first picture of the left stream is number ${first}`);
  assert.ok(seen.slice(first + 15, first + 180).every(({ right }) => like(right, blue)));
  const turns = seen.flatMap(({ left }, index) => {
    const before = seen[index - 1]?.left;
    return before && like(before, red) !== like(left, red) && index > first ? [(index * 1000) / 30] : [];
  });
  const beeps = strengths(file, 440).map((strength) => strength > 0.1);
  const switches = beeps.flatMap((on, index) => (index > 0 && on !== beeps[index - 1] ? [index * 10] : []));
  assert.equal(turns.length >= 5, true, turns.join(' '));
  for (const [index, turn] of turns.slice(0, 5).entries()) {
    const tone = switches[index + 1] as number;
    assert.ok(Math.abs(tone - turn) <= 40, `the picture turned at ${turn} ms, the tone at ${tone} ms`);
  }
  const other = strengths(file, 1000);
  assert.ok(other.slice(100, 500).every((strength) => strength > 0.1));
});

test('inside the sandbox a name is written on the tile of a stream without a picture, whatever the name is', async () => {
  const names = ['Ada Lovelace', 'Ada Lovelave', '', `${'e\u0301'.repeat(60_000)}\u202e\u0000`];
  const places = names.map((_, index) => ({
    streamId: `${index}`,
    ...{ x: (index % 2) * 320, y: (index >> 1) * 240, width: 320, height: 240 },
    fit: 'contain' as const,
  }));
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  rig.place(places);
  for (const [index, name] of names.entries()) {
    rig.recorder.order({ type: 'stream', streamId: `${index}`, name, hasAudio: true, hasVideo: false });
  }
  rig.play({}, 0);
  const recorded = await rig.stop();
  assert.equal(recorded.failure, null);
  const raw = ffmpeg(['-i', await decrypted(recorded), '-an', '-f', 'rawvideo', '-pix_fmt', 'gray', '-']);
  const last = raw.subarray(raw.length - 640 * 480);
  const tiles = places.map(({ x, y, width, height }) =>
    Array.from({ length: width * height }, (_, at) => last[(y + Math.floor(at / width)) * 640 + x + (at % width)] ?? 0),
  );
  const [ada, other, nobody, hostile] = tiles.map((tile) => tile.filter((each) => each > 130).length);
  assert.ok(Math.min(ada ?? 0, other ?? 0, hostile ?? 0) > 200, `${ada}, ${other} and ${hostile} pixels of ink`);
  assert.equal(nobody, 0);
  const [one, two] = tiles as [number[], number[]];
  const apart = one.filter((each, at) => Math.abs(each - (two[at] as number)) > 60).length;
  assert.ok(apart > 20, `${apart} pixels tell the names apart`);
});

test('the documented openssl commands open it, and it is MPEG-TS with H.264 High and AAC', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  rig.place(sideBySide);
  rig.play({ left: changing }, 1500);
  const { cipherText, password } = await rig.stop();
  const [key, sealed, clear] = ['key.pem', 'archive.ts', 'out.ts'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(key, String(owner.privateKey.export({ type: 'pkcs8', format: 'pem' })));
  await writeFile(sealed, cipherText);
  const words = ['pkeyutl', '-decrypt', '-pkeyopt', 'rsa_padding_mode:oaep', '-inkey', key];
  const secret = openssl(words, Buffer.from(password, 'base64'));
  const [k, iv] = [secret.toString('hex', 3, 35), secret.toString('hex', 35, 51)];
  openssl(['enc', '-d', '-aes-256-cbc', '-in', sealed, '-out', clear, '-K', k, '-iv', iv]);
  assert.equal(readFileSync(clear).length % 188, 0);
  const probe = spawnSync('ffprobe', ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', clear]);
  const { streams, format } = JSON.parse(probe.stdout.toString());
  assert.equal(format.format_name, 'mpegts');
  const of = (type: string) => streams.find((each: { codec_type: string }) => each.codec_type === type);
  assert.deepEqual([of('video').codec_name, of('video').profile, of('video').width], ['h264', 'High', 640]);
  assert.deepEqual([of('audio').codec_name, of('audio').sample_rate, of('audio').channels], ['aac', '48000', 2]);
});

test('in the format of our own it is MP4 whose head comes first', async () => {
  const contentKey = Buffer.alloc(32, 7);
  const header = await toCertificates([owner.certificate])(contentKey);
  const rig = new RecorderRig(options({ format: 'cloister', contentKey: contentKey.toString('base64'), header }));
  await rig.opened();
  rig.place(sideBySide);
  rig.play({ left: changing }, 1500);
  const file = await decrypted(await rig.stop());
  const bytes = readFileSync(file);
  assert.equal(bytes.toString('latin1', 4, 8), 'ftyp');
  assert.ok(bytes.indexOf('moov') < bytes.indexOf('moof'));
  assert.ok(colours(file).some(({ left }) => like(left, red)));
});

test('a recorder that is killed leaves what opens: the closing block ends what was given out', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  rig.place(sideBySide);
  rig.play({ left: changing }, 3000);
  await rig.sealed(60_000);
  rig.recorder.kill();
  const { cipherText, password, closing, failure } = await rig.end();
  assert.match(failure ?? '', /SIGKILL|137/);
  assert.ok(closing);
  const whole = Buffer.concat([cipherText.subarray(0, closing.after), closing.block]);
  const file = await decrypted({ cipherText: whole, password });
  assert.ok(colours(file).filter(({ left }) => like(left, red)).length > 20);
});

test('killed while it seals to certificates, a recorder leaves what opens up to its last whole chunk and says cut', async () => {
  const second = makeOwner(3072);
  const rig = new RecorderRig(options({ format: 'recipients', certificates: [owner.pem, second.pem] }));
  await rig.opened();
  rig.place(sideBySide);
  rig.play({ left: changing }, 9000);
  await rig.sealed(limits.sealedChunkBytes);
  rig.recorder.kill();
  const { cipherText, password, closing } = await rig.end();
  assert.deepEqual([password, closing], ['', null]);
  for (const { privateKey } of [owner, second]) {
    const { format, clear } = await openArchive(inParts(cipherText, 65_536), { privateKey });
    const { bytes, error } = await drain(clear);
    assert.equal(format, 'cloister');
    isRefusal(error, 'ArchiveCut');
    assert.ok(bytes.length > limits.sealedChunkBytes - 1000 && bytes[0] === 0x47);
  }
});

test('a picture past archivePicturePixels is told and left out; the recording goes on with the others', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  rig.place(sideBySide);
  const huge = { ...still, width: 4096, height: limits.archivePicturePixels / 4096 + 2, frameRate: 2 };
  rig.play({ left: changing, right: huge }, 1500);
  const recorded = await rig.stop();
  assert.equal(recorded.failure, null);
  assert.deepEqual(rig.tooLarge, ['right']);
  const shown = colours(await decrypted(recorded));
  assert.ok(shown.some(({ left }) => like(left, red)));
  assert.ok(!shown.some(({ right }) => like(right, blue)));
});

test('what waits for a recorder is bounded: past it packets are dropped and a key frame is asked for', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  const { recorder } = rig;
  recorder.order({ type: 'stream', streamId: 'left', name: '', hasAudio: true, hasVideo: true });
  const track = { mimeType: 'video/VP8', clockRate: 90_000, payloadType: 96 };
  recorder.order({ type: 'track', streamId: 'left', kind: 'video', lane: 1, track });
  const packet = Buffer.alloc(1200, 0x80);
  // Its process has not even started: nothing is read from the pipe yet.
  for (let count = 0; count * packet.length < limits.archivePipeBytes + 400_000; count += 1) {
    packet.writeUInt32BE(count * 3000, 4);
    recorder.packet(1, count, packet);
  }
  assert.ok(recorder.dropped > 0);
  assert.ok(recorder.waiting <= limits.archivePipeBytes + 2000, `${recorder.waiting} bytes wait`);
  assert.ok(rig.keyFrames.includes('left'));
  recorder.kill();
  await rig.end();
});

test('a recorder that does not end is killed after archiveEndSeconds', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }));
  await rig.opened();
  process.kill(rig.recorder.pid as number, 'SIGSTOP');
  rig.recorder.stop();
  rig.clock.advance(limits.archiveEndSeconds * 1000 - 1);
  assert.equal(rig.recorder.over, false);
  rig.clock.advance(1);
  const { failure } = await rig.end();
  assert.match(failure ?? '', /did not end within/);
});

test('a certificate that cannot be sealed to is refused by the recorder, with nothing written', async () => {
  const rig = new RecorderRig(options({ format: 'opentok', certificate: 'no certificate' }));
  const { failure, cipherText } = await rig.end();
  assert.match(failure ?? '', /certificate/i);
  assert.equal(cipherText.length, 0);
});

test('it is shut in here', async () => {
  assert.equal(await new SandboxTrial('require', { record() {} }).forRecorder(), 'bubblewrap');
});

/** Sockets of TCP on which a process listens, as the kernel has them. */
function listening(pid: number): string[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)));
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && own.has(`socket:[${inode}]`))
      .map(([, address = '']) => address),
  );
}

/** '' where it has just been closed. */
function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

test('a signal opens no inspector in a recorder, as it does in any other program, and the recording goes on', async () => {
  const words = ['--inspect-port=127.0.0.1:0', '-e', 'process.stdin.resume(); console.log("ready")'];
  const other = spawn(process.execPath, words, { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    await once(other.stdout, 'data');
    other.kill('SIGUSR1');
    await eventually(
      'an inspector that listens',
      async () => listening(other.pid as number),
      (sockets) => sockets.length === 1,
    );
  } finally {
    other.kill('SIGKILL');
  }
  // Outside of its sandbox, where there is a network to listen on.
  const rig = new RecorderRig(options({ format: 'opentok', certificate: owner.pem }), 'none');
  await rig.opened();
  const pid = rig.recorder.pid as number;
  process.kill(pid, 'SIGUSR1');
  rig.place([{ streamId: 'left', x: 0, y: 0, width: 640, height: 480, fit: 'contain' }]);
  rig.play({ left: still }, 2000);
  await rig.sealed(1);
  assert.deepEqual(listening(pid), []);
  assert.doesNotMatch(rig.recorder.complaints, /inspector|debugger/i);
  assert.equal((await rig.stop()).failure, null);
});
