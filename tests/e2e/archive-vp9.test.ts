/** Archives of a publisher that sends VP9 in spatial layers: its finest lines are there, and nothing but the whole picture. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { archiveCalls } from './archives.ts';
import { downloadTo, drawSeconds, run } from './recorded.ts';
import { useStage } from './stage.ts';

/** Of this Chromium sends two layers; of 960x540, three, where the network seems good enough to it. */
const size = { width: 640, height: 480 };

const stage = useStage();
let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-vp9-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** On the left lines of one pixel, which no layer but the top one has; on the right red and blue in turn, half a second each. */
function publishLines({ width, height }: typeof size, mode: string | null): Promise<string> {
  if (mode !== null) {
    const { addTransceiver } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.addTransceiver = function (track, init = {}) {
      // The SDK tells the platform of the same encodings.
      for (const encoding of init.sendEncodings ?? []) Object.assign(encoding, { scalabilityMode: mode });
      return addTransceiver.call(this, track, init);
    };
  }
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const [videoSource] = canvas.captureStream(10).getVideoTracks();
  setInterval(() => {
    context.fillStyle = 'white';
    // Few, so that they are cheap: on a busy machine Chromium takes the network for a poor one and leaves the top layer out.
    for (let x = 60; x < 340; x += 2) context.fillRect(x, height / 2 - 60, 1, 160);
    context.fillStyle = performance.now() % 1000 < 500 ? 'rgb(200 0 0)' : 'rgb(0 0 200)';
    context.fillRect(width / 2, 0, width / 2, height);
  }, 100);
  return window.rig.publish({
    videoSource: videoSource as never,
    audioSource: null as never,
    preferredVideoCodecs: ['vp9'] as never,
    frameRate: 15,
  });
}

async function sends(person: Participant): Promise<Record<string, unknown> | undefined> {
  return (await person.stats('outbound-rtp')).find(({ kind }) => kind === 'video');
}

interface Seen {
  /** How far neighbouring pixels of the lines are apart, of 255. */
  readonly sharp: number;
  readonly colour: 'red' | 'blue' | 'other';
}

/** What each picture of a file shows. */
function look(file: string): Seen[] {
  const { width, height } = size;
  const decode = (filter: string, format: string) =>
    run('ffmpeg', ['-v', 'error', '-i', file, '-vf', filter, '-f', 'rawvideo', '-pix_fmt', format, '-']);
  const lines = decode(`crop=200:100:100:${height / 2}`, 'gray');
  const colours = decode(`crop=100:100:${width * 0.75}:${height / 2},scale=1:1:flags=area`, 'rgb24');
  return Array.from({ length: lines.length / 20_000 }, (_, index) => {
    const rows = lines.subarray(index * 20_000, (index + 1) * 20_000);
    let apart = 0;
    for (let at = 1; at < rows.length; at += 1) apart += Math.abs((rows[at] as number) - (rows[at - 1] as number));
    const [r, , b] = colours.subarray(index * 3, index * 3 + 3) as unknown as [number, number, number];
    return { sharp: apart / rows.length, colour: r > 120 && b < 80 ? 'red' : b > 120 && r < 80 ? 'blue' : 'other' };
  });
}

/** Of the top layer; half its size makes grey of the lines. */
const isSharp = ({ sharp }: Seen) => sharp > 40;

/** Changes between the two colours, without a picture of anything else. */
function turns(seen: readonly Seen[]): number {
  return seen.filter(({ colour }, index) => index > 0 && colour !== seen[index - 1]?.colour).length;
}

/** Where nothing but the top layer is seen, and the picture goes on: its colours take turns. */
function assertTopLayer(seen: readonly Seen[], story: string): void {
  const sharp = seen.filter(isSharp);
  assert.ok(
    seen.length > 60 && sharp.length > 0.9 * seen.length,
    `${sharp.length} of ${seen.length} are sharp; ${story}`,
  );
  assert.ok(sharp.filter(({ colour }) => colour === 'other').length < 0.05 * sharp.length, story);
  assert.ok(turns(sharp) >= 4, `${turns(sharp)} turns; ${story}`);
}

/** Publishes and records at once; resolves when the whole picture is sent. @param mode null: the client's own choice */
async function recording(mode: string | null, expected: string): Promise<{ person: Participant; id: string }> {
  const person = await stage.open();
  const sessionId = await stage.customer.session();
  await person.join(stage.customer.ticket(sessionId), null);
  await person.page.evaluate(publishLines, size, mode);
  const { id } = await archiveCalls(stage.customer).start(sessionId, { resolution: '640x480', hasAudio: false });
  await eventually(
    `VP9 in ${expected}`,
    () => sends(person),
    (sent) => sent?.scalabilityMode === expected && sent.frameHeight === size.height,
  );
  return { person, id };
}

const pass = (person: Participant, seconds: number) => person.page.evaluate(drawSeconds, seconds);

async function spatialLayers(): Promise<void> {
  const { layout, finish } = archiveCalls(stage.customer);
  const { person, id } = await recording(null, 'L2T3_KEY');
  await pass(person, 5);
  await layout(id, 'custom', { stylesheet: 'stream { width: 20%; height: 20% }' });
  await pass(person, 3);
  await layout(id, 'bestFit');
  await pass(person, 6);
  const seen = look(await downloadTo(folder, await finish(id), 'mp4'));
  const [first, last] = [seen.findIndex(isSharp), seen.findLastIndex(isSharp)];
  const gone = seen.findIndex((each, index) => index > first && each.sharp < 5 && each.colour === 'other');
  const back = seen.findIndex((each, index) => index > gone && isSharp(each));
  const story = `sharp from ${first}, small from ${gone}, sharp again from ${back} to ${last} of ${seen.length}`;
  assert.ok(first >= 0 && gone > first && back > gone + 30, story);
  assertTopLayer(seen.slice(first, gone), story);
  assertTopLayer(seen.slice(back, last), story);
  await person.close();
}

async function temporalLayers(): Promise<void> {
  const { person, id } = await recording('L1T3', 'L1T3');
  await pass(person, 5);
  const seen = look(await downloadTo(folder, await archiveCalls(stage.customer).finish(id), 'mp4'));
  const first = seen.findIndex(isSharp);
  assertTopLayer(seen.slice(Math.max(0, first)), `sharp from ${first} of ${seen.length}`);
  await person.close();
}

const ways = [
  {
    name: 'VP9 with spatial layers: the top layer is recorded while it is shown large, and again after it was small',
    shown: spatialLayers,
  },
  { name: 'VP9 in L1T3: every picture is there', shown: temporalLayers },
];
for (const { name, shown } of sample('VP9 in archives', ways, 1)) test(name, shown);
