/**
 * What others than the participants have of sealed frames: the media server, looked into from inside its own process, and a
 * receiver whose decryption is switched off. Each is shown to see what is not sealed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { depacketizers } from '../../packages/server/src/archive/capture/depacketize.ts';
import { parseRtp } from '../../packages/server/src/lib/index.ts';
import type { Platform } from '../../packages/server/src/main.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { frameSpy } from '../rig/frame-spy.ts';
import { startInside, tapOf } from '../rig/inside.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { toneFile } from '../rig/tone-file.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { assertPicture } from './calls.ts';

const SECRET = 'what all of us know';
/** So much of each stream is looked at. */
const PACKETS = 200;

let platform: Platform;
let customer: Customer;
let browser: TestBrowser;
let site: Site;

before(async () => {
  platform = await startInside();
  assert.ok(platform.dev);
  customer = new Customer(platform.dev.credentials);
  site = await serveSite(platform.url);
  browser = await launchBrowser('chromium', { audioFile: toneFile() });
});

after(async () => {
  await browser?.close();
  site?.close();
  await platform?.close();
});

interface Published {
  readonly sessionId: string;
  readonly streamId: string;
  readonly publisher: Participant;
  join(script?: string): Promise<Participant>;
}

/** Somebody publishes in a session; others may join. */
async function published(
  e2ee: boolean,
  script?: string,
  mediaMode: 'routed' | 'relayed' = 'routed',
): Promise<Published> {
  const sessionId = await customer.session({ mediaMode, e2ee });
  const join = async (mine?: string) => {
    const each = await Participant.open(browser, site, mine);
    await each.join({ ...customer.ticket(sessionId), ...(e2ee ? { encryptionSecret: SECRET } : {}) });
    return each;
  };
  const publisher = await join(script);
  const streamId = await publisher.publish({ resolution: '640x480' });
  return { sessionId, streamId, publisher, join };
}

/** What the media server has of a stream. */
async function tapped(
  { sessionId, streamId }: Published,
  count = PACKETS,
): Promise<{ video: Buffer[]; audio: Buffer[] }> {
  const packets = { video: [] as Buffer[], audio: [] as Buffer[] };
  const { promise: enough, resolve: done } = Promise.withResolvers<void>();
  const close = await tapOf(platform, [customer.credentials.apiKey, sessionId, streamId], (kind, packet) => {
    packets[kind].push(Buffer.from(packet));
    if (packets.video.length >= count && packets.audio.length >= count / 4) done();
  });
  await enough;
  close();
  return packets;
}

/** The pictures of VP8 packets, as IVF. */
function ivf(packets: readonly Buffer[]): Buffer {
  const pictures = new Map<number, Buffer[]>();
  for (const packet of packets) {
    const read = parseRtp(packet);
    if (!read || read.payload.length === 0) continue;
    pictures.set(read.timestamp, [...(pictures.get(read.timestamp) ?? []), Buffer.from(read.payload)]);
  }
  const head = Buffer.alloc(32);
  head.write('DKIF\0\0\x20\0VP80', 'latin1');
  head.writeUInt16LE(640, 12);
  head.writeUInt16LE(480, 14);
  head.writeUInt32LE(30, 16);
  head.writeUInt32LE(1, 20);
  const frames = [...pictures.values()].flatMap((payloads, index) => {
    const picture = depacketizers['video/vp8']?.(payloads);
    if (!picture) return [];
    const frame = Buffer.alloc(12);
    frame.writeUInt32LE(picture.data.length, 0);
    frame.writeUInt32LE(index, 4);
    return [frame, picture.data];
  });
  return Buffer.concat([head, ...frames]);
}

const COLUMNS = 16;
const ROWS = 12;

/** A picture, seen from afar: how green each cell is, 0 to 255, row by row. */
type Glimpse = readonly number[];

/** Each picture that ffmpeg makes of these packets. */
async function glimpsesOf(packets: readonly Buffer[]): Promise<Glimpse[]> {
  const words = [
    '-v',
    'quiet',
    '-f',
    'ivf',
    '-i',
    '-',
    '-vf',
    `scale=${COLUMNS}:${ROWS}:flags=area`,
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-',
  ];
  const ffmpeg = spawn('ffmpeg', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  ffmpeg.stdin.on('error', () => undefined);
  ffmpeg.stdin.end(ivf(packets));
  const [bytes] = await Promise.all([buffer(ffmpeg.stdout), once(ffmpeg, 'close')]);
  const cells = COLUMNS * ROWS;
  return Array.from({ length: bytes.length / (cells * 3) }, (_, picture) =>
    Array.from({ length: cells }, (_cell, cell) => bytes[(picture * cells + cell) * 3 + 1] ?? 0),
  );
}

const meanOf = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;

/** What pictures have in common, cell by cell. */
const commonOf = (glimpses: readonly Glimpse[]): Glimpse =>
  (glimpses[0] ?? []).map((_, cell) => meanOf(glimpses.map((each) => each[cell] ?? 0)));

/**
 * How alike two pictures are (Pearson's correlation of their cells, -1 to 1). Colours alone would not do: Chromium's pretended
 * camera shows a figure on a green field, and of what it cannot decode ffmpeg makes green pictures as well, without the figure.
 * A flat picture is like no other.
 */
function likeness(one: Glimpse, other: Glimpse): number {
  const [meanOne, meanOther] = [meanOf(one), meanOf(other)];
  const [mine, theirs] = [one.map((each) => each - meanOne), other.map((each) => each - meanOther)];
  const product = (left: Glimpse, right: Glimpse) => meanOf(left.map((each, cell) => each * (right[cell] ?? 0)));
  const scale = Math.sqrt(product(mine, mine) * product(theirs, theirs));
  return scale > 1e-6 ? product(mine, theirs) / scale : 0;
}

/** Pictures of one camera are 0.6 to 0.95 alike (the figure turns), what is none of its 0.2 at the most. */
const LIKE = 0.4;

const isGreen = ([red, green, blue]: readonly [number, number, number]) => green > red + 40 && green > blue + 40;

/** How much of the sound of a stream is the publisher's tone, from 0 to 1: the most of ten short moments. */
function toneShare(at: Participant, streamId: string): Promise<number> {
  return at.page.evaluate(async (id) => {
    const stream = window.rig.mediaOf(id);
    const context = new AudioContext();
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    let most = 0;
    for (let moment = 0; moment < 10; moment += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      analyser.getFloatFrequencyData(bins);
      const power = bins.map((decibel) => 10 ** (decibel / 10));
      const all = power.reduce((sum, each) => sum + each, 0);
      const tone = Math.round((500 / context.sampleRate) * analyser.fftSize);
      const near = power.slice(tone - 4, tone + 5).reduce((sum, each) => sum + each, 0);
      // Silence has no share.
      if (all > 1e-9) most = Math.max(most, near / all);
    }
    await context.close();
    return most;
  }, streamId);
}

test('the media server decodes no picture of the publisher; of a session that is not end-to-end encrypted it does', async () => {
  const [plain, encrypted] = [await published(false), await published(true)];
  const open = await glimpsesOf((await tapped(plain)).video);
  assert.ok(open.length > 10, `${open.length} pictures in clear`);
  const camera = commonOf(open);
  const [red, green, blue] = await plain.publisher.glance('publisher');
  assert.ok(isGreen([red, green, blue]) && meanOf(camera) > 60, `a camera of ${[red, green, blue]} is green`);
  const likes = (glimpses: readonly Glimpse[]) => glimpses.map((each) => Number(likeness(each, camera).toFixed(2)));
  const clear = likes(open);
  assert.ok(clear.filter((like) => like > LIKE).length > clear.length * 0.75, `in clear: ${clear}`);
  const closed = likes(await glimpsesOf((await tapped(encrypted)).video));
  assert.ok(
    closed.every((like) => like < LIKE),
    `sealed: ${closed}`,
  );
  await Promise.all([plain, encrypted].map(({ publisher }) => publisher.close()));
});

test('no packet has a byte run of a frame beyond what is documented', async () => {
  const call = await published(true, frameSpy('record'));
  const watching = await call.join();
  await watching.subscribed(call.streamId);
  const { video, audio } = await tapped(call);
  const frames = await call.publisher.page.evaluate(() => window.frameSpy);
  assert.ok(frames.length > 100, `${frames.length} frames`);
  const clear = new Set<string>();
  const sealed = new Set<string>();
  const bytes = 8;
  for (const { before: raw, after: made } of frames) {
    const frame = Buffer.from(raw, 'base64');
    // VP8's tag stays readable, of a key frame with start code and size; of sound nothing does.
    for (let at = 10; at + bytes <= frame.length; at += 1) clear.add(frame.toString('latin1', at, at + bytes));
    const after = Buffer.from(made, 'base64');
    for (let at = 10; at + bytes <= after.length; at += 1) sealed.add(after.toString('latin1', at, at + bytes));
  }
  const found = { clear: 0, sealed: 0 };
  for (const packet of [...video, ...audio]) {
    for (let at = 0; at + bytes <= packet.length; at += 1) {
      const run = packet.toString('latin1', at, at + bytes);
      if (clear.has(run)) found.clear += 1;
      if (sealed.has(run)) found.sealed += 1;
    }
  }
  // The same look finds the sealed frames, so it would find clear ones.
  assert.ok(found.sealed > 10_000, `${found.sealed} runs of sealed frames`);
  assert.equal(found.clear, 0);
  await Promise.all([call.publisher, watching].map((each) => each.close()));
});

for (const mediaMode of sample('decryption off', ['routed', 'relayed'] as const, 1))
  test(`a receiver whose decryption is off shows nothing of the picture, and no tone: ${mediaMode}`, async () => {
    const call = await published(mediaMode === 'routed', undefined, mediaMode);
    const [seeing, blind] = await Promise.all([call.join(), call.join(frameSpy('blind'))]);
    await Promise.all([seeing, blind].map((each) => each.subscribed(call.streamId)));
    assertPicture(await seeing.look(call.streamId), 'chromium');
    const heard = await toneShare(seeing, call.streamId);
    assert.ok(heard > 0.8, `who decrypts hears the tone: ${heard}`);
    await eventually(
      'packets for who does not decrypt',
      () => blind.inbound(call.streamId, 'video'),
      ({ packetsReceived }) => Number(packetsReceived) > PACKETS,
    );
    const looks = await Promise.all(Array.from({ length: 5 }, () => blind.glance(call.streamId)));
    assert.deepEqual(looks.filter(isGreen), []);
    const share = await toneShare(blind, call.streamId);
    assert.ok(share < 0.2, `who does not decrypt hears the tone: ${share}`);
    await Promise.all([call.publisher, seeing, blind].map((each) => each.close()));
  });
