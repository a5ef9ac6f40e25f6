/** A file that Chromium plays as its microphone, over and over: a tone without an end. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from './cleanup.ts';

const SAMPLE_RATE = 48_000;
const HERTZ = 500;
const AMPLITUDE = 12_000;

/** Writes the file; → where it is. It goes with the test process. */
export function toneFile(): string {
  // Whole waves, so that its end joins its beginning without a click.
  const samples = Int16Array.from({ length: SAMPLE_RATE }, (_, index) =>
    Math.round(AMPLITUDE * Math.sin((2 * Math.PI * HERTZ * index) / SAMPLE_RATE)),
  );
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  // PCM, one channel; samples and bytes a second, bytes and bits of a sample.
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SAMPLE_RATE, 24);
  head.writeUInt32LE(SAMPLE_RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  const file = path.join(tempFolder('tone'), 'tone.wav');
  writeFileSync(file, Buffer.concat([head, new Uint8Array(samples.buffer)]));
  return file;
}
