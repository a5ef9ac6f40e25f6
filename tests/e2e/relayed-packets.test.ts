/**
 * The packets of relayed sessions as they are inside SRTP: what somebody has of them who breaks or holds the keys of a
 * browser's DTLS, and those of no frame.
 */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRtp } from '../../packages/server/src/lib/index.ts';
import { frameSpy, type SpiedFrame } from '../rig/frame-spy.ts';
import { Participant } from '../rig/page.ts';
import { packetLog } from '../rig/plain-packets.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { assertPicture } from './calls.ts';
import { useStage } from './stage.ts';

/** Bytes in a row that two strings of bytes have in common are one by chance in 2^64. */
const RUN = 8;
/** So much of each call is looked at, of pictures and of sound. */
const FRAMES = { video: 40, audio: 40 } as const;
/** Shorter payloads have no run to be known by. */
const KNOWABLE = 32;
/** An older browser: it has no way to encrypt frames towards other clients. */
const WITHOUT_FRAMES = 'delete window.RTCRtpScriptTransform;';

const log = packetLog();
const stage = useStage({ options: async () => ({ server: { mediaWorkers: 1 }, browser: log }) });

type Codec = 'vp8' | 'vp9' | 'h264';

/** What a publisher's encoders made and the frame layer made of it, and the payloads of all packets that hold it. */
interface Sent {
  readonly frames: readonly SpiedFrame[];
  readonly payloads: readonly Buffer[];
}

/** Somebody publishes in a codec, somebody else watches and sees the picture. */
async function sent(codec: Codec, watchersScript?: string): Promise<Sent> {
  const sessionId = await stage.customer.session({ mediaMode: 'relayed' });
  const [publisher, watching] = (await Promise.all(
    [frameSpy('record'), watchersScript].map((script) => Participant.open(stage.browser, stage.site, script)),
  )) as [Participant, Participant];
  await Promise.all([publisher, watching].map((each) => each.join(stage.customer.ticket(sessionId))));
  const before = log.packets().length;
  const streamId = await publisher.publish({
    resolution: '640x480',
    frameRate: 15,
    preferredVideoCodecs: [codec],
  } as never);
  await watching.subscribed(streamId);
  assertPicture(await watching.look(streamId), 'chromium');
  assert.equal(String((await watching.inbound(streamId, 'video')).mimeType).toLowerCase(), `video/${codec}`);
  await eventually(
    'frames of both kinds',
    () =>
      publisher.page.evaluate(() => {
        const sound = window.frameSpy.filter(({ mimeType }) => mimeType.startsWith('audio')).length;
        return { audio: sound, video: window.frameSpy.length - sound };
      }),
    ({ audio, video }) => audio >= FRAMES.audio && video >= FRAMES.video,
  );
  // In this order: a frame is written down before its packets are.
  const packets = log.packets().slice(before);
  const frames = await publisher.page.evaluate(() => window.frameSpy);
  await Promise.all([publisher, watching].map((each) => each.close()));
  return { frames, payloads: packets.flatMap(({ bytes }) => payloadOf(bytes)) };
}

/** None where it is RTCP (RFC 5761, section 4), or padding alone. */
function payloadOf(packet: Buffer): Buffer[] {
  const type = packet.readUInt8(1);
  if (type >= 192 && type <= 223) return [];
  const read = parseRtp(packet);
  assert.ok(read, 'a packet that is neither RTP nor RTCP');
  return read.payload.length > 0 ? [read.payload] : [];
}

/** What of a frame must not be readable, in the parts in which it stands there (docs/concepts/end-to-end-encryption.md). */
function secretParts({ mimeType, before }: SpiedFrame): Buffer[] {
  const frame = Buffer.from(before, 'base64');
  switch (mimeType.toLowerCase()) {
    case 'video/vp8':
      return [frame.subarray((frame.readUInt8(0) & 1) === 0 ? 10 : 3)];
    case 'video/h264':
      return secretUnits(frame);
    case 'video/vp9':
    case 'audio/opus':
      return [frame];
    default:
      throw new Error(`a frame of ${mimeType}`);
  }
}

/** Of H.264: all but parameter sets, delimiters, and the head of the first slice, which has three bytes where it begins the picture. */
function secretUnits(frame: Buffer): Buffer[] {
  let slices = 0;
  return unitsOf(frame).flatMap((unit) => {
    const type = unit.readUInt8(0) & 31;
    if (type === 7 || type === 8 || type === 9) return [];
    if (type === 1 || type === 5) slices += 1;
    return [slices === 1 ? unit.subarray(3) : unit];
  });
}

/** The NAL units of Annex B of H.264, without start codes. */
function unitsOf(frame: Buffer): Buffer[] {
  const startCode = Buffer.of(0, 0, 1);
  const units: Buffer[] = [];
  for (let at = frame.indexOf(startCode); at >= 0; ) {
    const next = frame.indexOf(startCode, at + 3);
    units.push(frame.subarray(at + 3, next < 0 ? frame.length : next));
    at = next;
  }
  return units;
}

const runsIn = (bytes: Buffer) =>
  Array.from({ length: Math.max(0, bytes.length - RUN + 1) }, (_, at) => bytes.toString('latin1', at, at + RUN));
const runsOf = (parts: readonly Buffer[]) => new Set(parts.flatMap(runsIn));

/** How many runs of secret bytes the payloads have, and how many payloads are of none of the frames as they went out. */
function compare({ frames, payloads }: Sent): { runs: number; strange: number } {
  const secret = runsOf(frames.flatMap(secretParts));
  const out = runsOf(frames.map(({ after }) => Buffer.from(after, 'base64')));
  let [runs, strange] = [0, 0];
  for (const payload of payloads) {
    const found = runsIn(payload);
    runs += found.filter((run) => secret.has(run)).length;
    if (payload.length >= KNOWABLE && !found.some((run) => out.has(run))) strange += 1;
  }
  return { runs, strange };
}

async function sealed(codec: Codec): Promise<void> {
  const call = await sent(codec);
  assert.ok(call.payloads.length > FRAMES.video + FRAMES.audio, `${call.payloads.length} packets`);
  assert.deepEqual(compare(call), { runs: 0, strange: 0 });
}

test('where one of two cannot seal frames, their packets hold what the encoders made', async () => {
  const { runs, strange } = compare(await sent('vp8', WITHOUT_FRAMES));
  assert.ok(runs > 10_000, `${runs} runs of frames`);
  assert.equal(strange, 0);
});

test('sealed frames of VP8 and Opus: no packet has a byte run of a frame beyond what is documented', () =>
  sealed('vp8'));

const others = [
  { name: 'the same of VP9', run: () => sealed('vp9') },
  { name: 'the same of H.264', run: () => sealed('h264') },
];

for (const { name, run } of sample('packets of relayed sessions', others, 1)) test(name, run);
