/** Archives of real calls, for the tests that start one: publishers of one colour and one tone, and what was recorded of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Participant } from '../rig/page.ts';
import { type Archive, archiveCalls, download } from './archives.ts';
import type { Stage } from './stage.ts';

/** Joins and publishes one flat colour and a tone. */
export async function publisher(
  stage: Stage,
  sessionId: string,
  colour: readonly number[],
  hertz: number,
): Promise<Participant> {
  const participant = await stage.open();
  await participant.join(stage.customer.ticket(sessionId));
  await participant.page.evaluate(
    (rgb, tone) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const draw = () => {
        context.fillStyle = `rgb(${rgb.join(' ')})`;
        context.fillRect(0, 0, 640, 480);
        requestAnimationFrame(draw);
      };
      draw();
      const [videoSource] = canvas.captureStream(30).getVideoTracks();
      return window.rig.publish({
        videoSource: videoSource as never,
        audioSource: window.rig.toneTrack(tone) as never,
      });
    },
    colour as number[],
    hertz,
  );
  return participant;
}

/** Runs a program to its end, in a folder where one is given. @returns what it wrote. @throws AssertionError with its last words */
export function run(program: string, args: readonly string[], cwd?: string): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, maxBuffer: 2 ** 29 });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Of each picture, the colour in the middle of its left and right half. */
export function halves(file: string): { left: number[]; right: number[] }[] {
  const raw = run('ffmpeg', [
    '-v',
    'error',
    '-i',
    file,
    '-vf',
    'scale=64:48:flags=area',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-',
  ]);
  const at = (index: number, x: number) => [...raw.subarray((index * 48 * 64 + 24 * 64 + x) * 3).subarray(0, 3)];
  return Array.from({ length: raw.length / (64 * 48 * 3) }, (_, index) => ({
    left: at(index, 16),
    right: at(index, 48),
  }));
}

export const like = (seen: readonly number[], colour: readonly number[]) =>
  seen.every((value, index) => Math.abs(value - (colour[index] as number)) < 60);

const toneWindowSamples = 2400;

/**
 * The strength of a tone over the whole second from `from` on, between 0 and 1: the mean of what windows of 50 ms hold, since a
 * recording follows its publisher's clock, and a tone that moves by a millisecond within the second would cancel itself out.
 */
export function strength(file: string, hertz: number, from: number): number {
  const sound = ['-f', 'f32le', '-ac', '1', '-ar', '48000', '-'];
  const raw = run('ffmpeg', ['-v', 'error', '-ss', String(from), '-t', '1', '-i', file, ...sound]);
  const samples = new Float32Array(raw.buffer, raw.byteOffset, raw.length >> 2);
  const windows = Math.floor(samples.length / toneWindowSamples);
  assert.ok(windows > 0, `${file} has no sound from second ${from} on`);
  let sum = 0;
  for (let window = 0; window < windows; window += 1) {
    let [cos, sin] = [0, 0];
    for (let n = window * toneWindowSamples; n < (window + 1) * toneWindowSamples; n += 1) {
      const angle = (2 * Math.PI * hertz * n) / 48_000;
      cos += (samples[n] as number) * Math.cos(angle);
      sin += (samples[n] as number) * Math.sin(angle);
    }
    sum += (2 * Math.hypot(cos, sin)) / toneWindowSamples;
  }
  return sum / windows;
}

/** In a page: resolves after so many seconds of pictures, later on a machine that draws fewer. */
export function drawSeconds(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const draw = (left: number) => (left === 0 ? resolve() : requestAnimationFrame(() => draw(left - 1)));
    draw(seconds * 60);
  });
}

/** Records both for some seconds and stops; resolves with the archive once it can be downloaded. */
export async function recorded(
  stage: Stage,
  sessionId: string,
  people: readonly Participant[],
  options: object = {},
): Promise<Archive> {
  const { start, stop, available } = archiveCalls(stage.customer);
  const { id, status } = await start(sessionId, options);
  assert.equal(status, 'started');
  await Promise.all(people.map((each) => each.event('session', 'archiveStarted')));
  await people[0]?.page.evaluate(drawSeconds, 6);
  await stop(id);
  await Promise.all(people.map((each) => each.event('session', 'archiveStopped')));
  return available(id);
}

/** Downloads an archive into a file. @returns its path */
export async function downloadTo(folder: string, archive: Archive, ending: string): Promise<string> {
  const file = path.join(folder, `${archive.sha256sum.replace(/\W/g, '')}.${ending}`);
  await writeFile(file, await download(archive));
  return file;
}
