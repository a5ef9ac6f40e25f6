import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Canvas, type Colour } from './canvas.ts';
import { decodeRecording, hertzOf, isColour, loudness } from './codec-fixtures.ts';
import { audioFrame, audioRate, Output, type OutputOptions } from './output.ts';

const colours: readonly Colour[] = [
  [81, 90, 240],
  [145, 54, 34],
  [41, 240, 110],
];
const size = { width: 128, height: 96 };
const whole = { x: 0, y: 0, ...size };

interface Recorded {
  readonly file: Buffer;
  readonly parts: readonly Buffer[];
}

/** Three seconds, if not said otherwise: another colour and another tone in each. */
async function recorded(options: Partial<OutputOptions>, seconds = 3, noise = false, still = false): Promise<Recorded> {
  const parts: Buffer[] = [];
  const video = { ...size, frameRate: 25 };
  const output = await Output.open({
    container: 'mp4',
    video,
    audio: true,
    maxBitrateBps: null,
    quantizationParameter: null,
    write: (bytes) => void parts.push(bytes),
    ...options,
  });
  const canvas = new Canvas(size.width, size.height);
  const samples = new Float32Array(audioFrame);
  let [sounds, state] = [0, 1];
  for (let index = 0; index < seconds * 25; index += 1) {
    const second = Math.floor(index / 25);
    // The canvas is drawn over at once: what was given must be what is encoded.
    canvas.fill(whole, colours[still ? 0 : second % 3] as Colour);
    if (noise) {
      const luma = canvas.frame.data?.[0] as Buffer;
      for (let at = 0; at < luma.length; at += 1) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
        luma[at] = 60 + (state >> 24);
      }
    }
    output.picture(canvas.frame, index);
    canvas.fill(whole, [16, 128, 128]);
    for (; (sounds * audioFrame) / audioRate < (index + 1) / 25; sounds += 1) {
      for (let at = 0; at < audioFrame; at += 1) {
        const position = sounds * audioFrame + at;
        const hertz = 500 * (1 + Math.floor(position / audioRate));
        samples[at] = 0.5 * Math.sin((2 * Math.PI * hertz * position) / audioRate);
      }
      output.sound(samples, samples);
    }
  }
  await output.drained();
  assert.equal(output.failure, null);
  canvas.free();
  await output.close();
  return { file: Buffer.concat(parts), parts };
}

for (const container of ['mp4', 'mpegts'] as const) {
  test(`${container}: pictures and sound come out as they went in, at their times`, async () => {
    const { file } = await recorded({ container });
    const decoded = await decodeRecording(file);
    assert.deepEqual(decoded.tracks, ['h264 128x96', 'aac 48000']);
    assert.deepEqual(
      decoded.pictures.map(({ ms }) => Math.round(ms)),
      Array.from({ length: 75 }, (_, index) => index * 40),
    );
    for (const [index, { at }] of decoded.pictures.entries()) {
      const expected = colours[Math.floor(index / 25)] as Colour;
      assert.ok(isColour(at(64, 48), expected), `picture ${index} is ${at(64, 48)}`);
    }
    for (const second of [0, 1, 2]) {
      const tone = decoded.sound(second * 1000 + 50, second * 1000 + 950);
      assert.ok(Math.abs(hertzOf(tone, audioRate) - 500 * (1 + second)) < 2, `${hertzOf(tone, audioRate)}`);
      assert.ok(Math.abs(loudness(tone) - 0.354) < 0.03, `${loudness(tone)}`);
    }
    assert.ok(Math.abs(decoded.soundEndMs - 3000) < 50, `${decoded.soundEndMs}`);
  });
}

test('a key frame begins the file, and one comes at least every two seconds', async () => {
  const { file } = await recorded({ container: 'mpegts' }, 5, false, true);
  const { pictures } = await decodeRecording(file);
  const keys = pictures.filter(({ key }) => key).map(({ ms }) => Math.round(ms));
  assert.deepEqual(keys, [0, 2000, 4000]);
});

test('a recording may have sound alone, or pictures alone', async () => {
  const sound = await decodeRecording((await recorded({ video: null })).file);
  assert.deepEqual([sound.tracks, sound.pictures.length], [['aac 48000'], 0]);
  assert.ok(Math.abs(hertzOf(sound.sound(1100, 1900), audioRate) - 1000) < 2);
  const pictures = await decodeRecording((await recorded({ audio: false, container: 'mpegts' })).file);
  assert.deepEqual([pictures.tracks, pictures.pictures.length], [['h264 128x96'], 75]);
});

test('what is written grows at its end alone: an MP4 in fragments, whole wherever it is cut', async () => {
  const { file, parts } = await recorded({}, 5);
  assert.ok(parts.length > 2);
  const boxes: string[] = [];
  let cut = 0;
  for (let at = 0; at < file.length; at += file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'moof') cut = at;
    boxes.push(type);
  }
  assert.deepEqual(boxes.slice(0, 4), ['ftyp', 'moov', 'moof', 'mdat']);
  // Without its last fragment and what follows, as a recorder that was killed leaves it.
  const rest = await decodeRecording(file.subarray(0, cut));
  // Five seconds of 25 pictures, of which the last fragment has one at most.
  assert.ok(rest.pictures.length >= 100, `${rest.pictures.length} pictures`);
});

test('a bit rate is kept to, a quantization parameter is used', async () => {
  const [free, bound] = [
    await recorded({ audio: false }, 3, true),
    await recorded({ audio: false, maxBitrateBps: 100_000 }, 3, true),
  ];
  // Three seconds, and a buffer of one.
  assert.ok(bound.file.length < (100_000 / 8) * 4 * 1.1, `${bound.file.length} bytes`);
  assert.ok(free.file.length > 4 * bound.file.length, `${free.file.length} bytes`);
  const [fine, coarse] = [
    await recorded({ audio: false, quantizationParameter: 15 }, 1, true),
    await recorded({ audio: false, quantizationParameter: 45 }, 1, true),
  ];
  assert.ok(fine.file.length > 4 * coarse.file.length, `${fine.file.length} and ${coarse.file.length} bytes`);
});

test('what the library refuses is an error in its own words', async () => {
  await assert.rejects(recorded({ video: { width: 0, height: 0, frameRate: 25 } }), /the H.264 encoder: /);
});
