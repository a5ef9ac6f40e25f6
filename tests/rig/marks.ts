/** Reads in a recording what `marked-page.ts` wrote: who is where, of which moment, and when each tone is heard. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { command, ownChild } from './cleanup.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One picture of the recording, which is valid until the next is asked for. */
export interface Frame {
  /** In the file, in milliseconds. */
  readonly ms: number;
  /** Red, green and blue, 0 to 255. */
  at(x: number, y: number): readonly [number, number, number];
}

export interface Mark {
  readonly who: number;
  /** In frames of the publisher, modulo `whenModulus`. */
  readonly when: number;
}

const ROWS = 2;
const COLUMNS = 8;
const WHEN_BITS = 11;
export const whenModulus = 2 ** WHEN_BITS;

/** What the squares in a picture at this place say; null where they are none. */
export function readMark(frame: Frame, { x, y, width, height }: Rectangle): Mark | null {
  let value = 0;
  let parity = 1;
  for (let index = 0; index < 16; index += 1) {
    const across = x + ((index % COLUMNS) + 0.5) * (width / COLUMNS);
    const down = y + (1 + Math.floor(index / COLUMNS) + 0.5) * (height / (ROWS * 2));
    const brightness = Math.max(...frame.at(Math.round(across), Math.round(down)));
    if (brightness > 80 && brightness < 176) return null;
    const bit = brightness >= 176 ? 1 : 0;
    if (index === 15) return bit === parity ? { who: value >> WHEN_BITS, when: value % whenModulus } : null;
    value = value * 2 + bit;
    parity ^= bit;
  }
  return null;
}

/** The colour of a marked picture at this place: of the rows above and below the squares, at its left. */
export function readColours(frame: Frame, { x, y, width, height }: Rectangle): (readonly [number, number, number])[] {
  return [0.5, 3.5].map((row) => frame.at(Math.round(x + width / 4), Math.round(y + (row * height) / (ROWS * 2))));
}

/** Decodes the pictures of a file with ffmpeg, one after the other. @returns how many there were */
export async function eachFrame(file: string, look: (frame: Frame) => void): Promise<number> {
  const [width, height] = dimensionsOf(file);
  const times = probe(file, 'v', 'packet=pts_time')
    .map((line) => Number(line) * 1000)
    .sort((a, b) => a - b);
  const words = ['-v', 'error', '-i', file, '-map', '0:v', '-fps_mode', 'passthrough'];
  const child = spawn('ffmpeg', [...words, '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ownChild(child);
  const exited = once(child, 'close');
  const picture = Buffer.alloc((width * height * 3) / 2);
  let [held, index] = [0, 0];
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    for (let from = 0; from < chunk.length; ) {
      const taken = chunk.copy(picture, held, from);
      from += taken;
      held += taken;
      if (held < picture.length) continue;
      held = 0;
      look({ ms: times[index] ?? Number.NaN, at: (x, y) => colourOf(picture, width, height, x, y) });
      index += 1;
    }
  }
  const [code] = await exited;
  if (code !== 0 || index !== times.length)
    throw new Error(`${index} of ${times.length} pictures were decoded (${code})`);
  return index;
}

function probe(file: string, stream: 'v' | 'a', entries: string, ...words: string[]): string[] {
  const output = command(
    'ffprobe',
    ...['-v', 'error', '-select_streams', stream, ...words, '-show_entries', entries, '-of', 'csv=p=0', file],
  );
  return output.split('\n').flatMap((line) => line.split(',')[0]?.trim() || []);
}

function dimensionsOf(file: string): [number, number] {
  const [size] = command(
    'ffprobe',
    ...['-v', 'error', '-select_streams', 'v', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', file],
  ).split('\n');
  const [width = 0, height = 0] = (size as string).split(',').map(Number);
  return [width, height];
}

/** BT.601 with limited range, as browsers send and recorders write. */
function colourOf(picture: Buffer, width: number, height: number, x: number, y: number): [number, number, number] {
  const chroma = width * height + (y >> 1) * (width >> 1) + (x >> 1);
  const luma = 1.164 * ((picture[y * width + x] as number) - 16);
  const blue = (picture[chroma] as number) - 128;
  const red = (picture[chroma + (width * height) / 4] as number) - 128;
  return [luma + 1.596 * red, luma - 0.813 * red - 0.391 * blue, luma + 2.018 * blue];
}

/** The sound of a file as one channel, and where in the file it begins, in milliseconds. */
export interface Listened {
  /** How loud a tone is around each moment, as an amplitude: one value every `stepMs`. */
  loudness(hertz: number): Float32Array;
  readonly beginMs: number;
}

const RATE = 48_000;
const SPAN = (RATE * 20) / 1000;
export const stepMs = 2;

export async function listen(file: string): Promise<Listened> {
  const [begin] = probe(file, 'a', 'frame=pts_time', '-read_intervals', '%+#1');
  const words = ['-v', 'error', '-i', file, '-map', '0:a', '-ac', '1', '-ar', String(RATE), '-f', 'f32le', '-'];
  const child = spawn('ffmpeg', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  ownChild(child);
  const exited = once(child, 'close');
  const raw = Buffer.concat(await child.stdout.toArray());
  await exited;
  const samples = new Float32Array(new Uint8Array(raw).buffer);
  return { beginMs: Number(begin) * 1000, loudness: (hertz) => loudnessOf(samples, hertz) };
}

/** Under a window that falls off at both ends, so that other tones are not heard. */
function loudnessOf(samples: Float32Array, hertz: number): Float32Array {
  const hann = Float32Array.from({ length: SPAN }, (_, n) => 1 - Math.cos((2 * Math.PI * (n + 0.5)) / SPAN));
  const cos = hann.map((weight, n) => weight * Math.cos((2 * Math.PI * hertz * n) / RATE));
  const sin = hann.map((weight, n) => weight * Math.sin((2 * Math.PI * hertz * n) / RATE));
  const step = (RATE * stepMs) / 1000;
  return Float32Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
    const from = index * step - SPAN / 2;
    let [a, b] = [0, 0];
    for (let n = Math.max(0, -from); n < SPAN && from + n < samples.length; n += 1) {
      a += (samples[from + n] as number) * (cos[n] as number);
      b += (samples[from + n] as number) * (sin[n] as number);
    }
    return (2 * Math.hypot(a, b)) / SPAN;
  });
}

/** A tone that is not there for less was interrupted. */
const silenceMs = 200;

/** When a tone begins, in milliseconds of the file: where it rises through half of what it reaches, after a silence. */
export function onsets({ beginMs }: Listened, loudness: Float32Array): number[] {
  const half = quantile([...loudness], 0.98) / 2;
  const found: number[] = [];
  let heardMs = Number.NEGATIVE_INFINITY;
  for (let index = 1; index < loudness.length; index += 1) {
    const [before, now] = [loudness[index - 1] as number, loudness[index] as number];
    if (now < half) continue;
    const ms = beginMs + (index - 1 + (half - before) / (now - before)) * stepMs;
    if (before < half && ms - heardMs >= silenceMs) found.push(ms);
    heardMs = beginMs + index * stepMs;
  }
  return found;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}
