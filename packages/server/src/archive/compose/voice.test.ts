import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { times } from '../../../../../tests/sample.ts';
import { parseRtp } from '../../lib/index.ts';
import { publish } from '../record/recorder-fixtures.ts';
import { seed } from '../seal/archive-fixtures.ts';
import { hertzOf, loudness } from './codec-fixtures.ts';
import { Placer, Ring, Voice } from './voice.ts';

const rate = 48_000;
/** Samples of a usual Opus packet. */
const frame = 960;
/** What is heard at a time. */
const block = 1024;
const seconds = 4;

/** Everything from `from` on, as two channels. */
function heard(ring: Ring, from: number, count: number): [Float32Array, Float32Array] {
  const [left, right] = [new Float32Array(count), new Float32Array(count)];
  ring.mixInto(left, right, from);
  return [left, right];
}

describe('ring', () => {
  const put = (ring: Ring, position: number) => ring.put(position, 0.5, -0.25);

  test('samples are read once, where they were written, and added to what is there', () => {
    const ring = new Ring();
    put(ring, 3);
    const [left, right] = [new Float32Array(8).fill(0.25), new Float32Array(8)];
    ring.mixInto(left, right, 0);
    assert.deepEqual([...left], [0.25, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25, 0.25]);
    assert.deepEqual([...right], [0, 0, 0, -0.25, 0, 0, 0, 0]);
    assert.deepEqual([...heard(ring, rate * seconds, 8)[0]], [0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('what is written behind what was read, or further ahead than there is room, is lost', () => {
    const ring = new Ring();
    heard(ring, 0, block);
    const ahead = block + rate * seconds;
    for (const position of [-1, 0, block - 1, ahead]) put(ring, position);
    for (let from = block; from < ahead; from += block) assert.equal(loudness(heard(ring, from, block)[0]), 0);
    const last = new Ring();
    heard(last, 0, block);
    for (const position of [block, ahead - 1]) put(last, position);
    assert.equal(heard(last, block, 1)[0][0], 0.5);
    assert.equal(heard(last, ahead - 1, 1)[0][0], 0.5);
  });
});

/** Frames of a sine. @param at where a frame belongs, by its number; null where it is lost */
function placed(hertz: number, count: number, at: (index: number) => number | null): Float32Array[] {
  const ring = new Ring();
  const placer = new Placer(ring);
  const blocks: Float32Array[] = [];
  let read = 0;
  for (let index = 0; index < count; index += 1) {
    const samples = Float32Array.from({ length: frame }, (_, sample) =>
      Math.sin((2 * Math.PI * hertz * (index * frame + sample)) / rate),
    );
    const target = at(index);
    if (target === null) continue;
    placer.place(
      target,
      samples,
      samples.map((value) => -value),
    );
    for (; read + block < target - rate / 10; read += block) {
      const [left, right] = heard(ring, read, block);
      assert.ok(left.every((value, index) => value === -(right[index] as number)));
      blocks.push(left);
    }
  }
  return blocks;
}

function* flat(blocks: readonly Float32Array[], from = 0): Generator<number> {
  let position = 0;
  for (const samples of blocks) {
    for (const sample of samples) if (position++ >= from) yield sample;
  }
}

/** The largest step from one sample to the next. */
function largestStep(samples: Iterable<number>): number {
  let [largest, before] = [0, Number.NaN];
  for (const sample of samples) {
    if (Math.abs(sample - before) > largest) largest = Math.abs(sample - before);
    assert.ok(Number.isFinite(sample));
    before = sample;
  }
  return largest;
}

/** What a sine has where it is steepest, stretched as far as it may be, and a little for reading between samples. */
const steepest = (hertz: number) => ((2 * Math.PI * hertz) / rate) * 1.01;

/** A tone on the left, a click in the midst of each second on the right; frames belong where a quartz that is off says. */
function drifting(ppm: number, forSeconds: number) {
  const ring = new Ring();
  const placer = new Placer(ring);
  // Whole periods in a frame.
  const tone = Float32Array.from({ length: frame }, (_, index) => Math.sin((2 * Math.PI * 400 * index) / rate));
  const silence = new Float32Array(frame);
  const click = silence.map((_, index) => (index < 4 ? 1 : 0));
  let [read, largest, before, worst, clicks] = [0, 0, 0, 0, 0];
  for (let index = 0; index * frame < forSeconds * rate; index += 1) {
    placer.place(index * frame * (1 + ppm / 1_000_000), tone, index % 50 === 25 ? click : silence);
    for (; read + block < (index - 20) * frame; read += block) {
      const [left, right] = heard(ring, read, block);
      for (let offset = 0; offset < block; offset += 1) {
        const position = read + offset;
        if ((right[offset] as number) > 0.9) {
          const belongs = (Math.round(position / rate - 0.5) + 0.5) * rate * (1 + ppm / 1_000_000);
          worst = Math.max(worst, Math.abs(position - belongs));
          clicks += 1;
        }
        largest = Math.max(largest, Math.abs((left[offset] as number) - before));
        before = left[offset] as number;
      }
    }
  }
  return { worst, largest, clicks };
}

describe('placing', () => {
  test('a sine goes on from frame to frame', () => {
    for (const start of [0, 5000.4]) {
      const blocks = placed(1000, 200, (index) => start + index * frame);
      const samples = [...flat(blocks, start + 200)];
      assert.ok(samples.length > 100 * frame);
      assert.ok(largestStep(samples) < steepest(1000), `${largestStep(samples)}`);
      assert.equal(Math.round(hertzOf(samples, rate)), 1000);
    }
  });

  test('small differences of where frames belong make no step', () => {
    const blocks = placed(1000, 400, (index) => 1000 + index * frame + 40 * Math.sin(index / 20));
    assert.ok(largestStep(flat(blocks, 1200)) < steepest(1000));
  });

  test('a frame that did not come is silence, and what follows is where it belongs', () => {
    for (const lost of [1, 2, 10]) {
      const blocks = placed(1000, 100, (index) => (index >= 50 && index < 50 + lost ? null : index * frame));
      const samples = [...flat(blocks)];
      const gap = samples.slice(50 * frame + 1, (50 + lost) * frame - 1);
      assert.equal(loudness(gap), 0, `${lost} frames`);
      const after = samples.slice((50 + lost) * frame, (52 + lost) * frame);
      // Faded in, so that it does not click.
      assert.ok(largestStep(after.slice(0, 10)) < steepest(1000) / 2);
      const expected = after.map((_, index) => Math.sin((2 * Math.PI * 1000 * (index - 1)) / rate));
      const worst = Math.max(
        ...after.map((value, index) => (index < 200 ? 0 : Math.abs(value - (expected[index] as number)))),
      );
      assert.ok(worst < steepest(1000), `${worst} after ${lost} frames`);
    }
  });

  test('minutes of a quartz that is off by 200 ppm are in place within 40 ms, without a step', () => {
    for (const ppm of [-200, 200]) {
      const forSeconds = times(100, 1800);
      const { worst, largest, clicks } = drifting(ppm, forSeconds);
      assert.ok(clicks > 0.9 * forSeconds, `${clicks} clicks`);
      assert.ok(worst <= 0.04 * rate, `${worst} samples off`);
      assert.ok(largest < steepest(400), `a step of ${largest}`);
    }
  });

  test('property: wherever a frame belongs, samples are numbers and no louder than what went in', () => {
    const frames = fc.array(
      fc.tuple(fc.double({ min: -2000, max: 200_000, noNaN: true }), fc.integer({ min: 1, max: 300 })),
      {
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(frames, (placements) => {
        const ring = new Ring();
        const placer = new Placer(ring);
        let next = 0;
        for (const [target, count] of placements) {
          const samples = new Float32Array(count).fill(1);
          // Every other one close to the end of the one before, where stretching begins and ends.
          const at = count % 2 === 0 ? target : next + (target % 30);
          placer.place(at, samples, samples);
          next = at + count;
        }
        for (const sample of heard(ring, 0, rate * seconds)[0]) assert.ok(sample >= 0 && sample <= 1);
      }),
      { seed, numRuns: 30 },
    );
  });
});

/** The payloads of the fixture's sound. */
function opusOf(tone: number, ms: number): Buffer[] {
  const still = { width: 64, height: 64, frameRate: 1, colour: () => [16, 128, 128] as const };
  const sent = publish({ ...still, tone: () => tone }, ms);
  return sent.filter(({ kind }) => kind === 'audio').map(({ packet }) => parseRtp(packet)?.payload as Buffer);
}

/** Frames of Opus packets with one frame each in one packet (RFC 6716, 3.2.5, code 3, of various sizes). */
function together(packets: readonly Buffer[]): Buffer {
  const frames = packets.map((packet) => packet.subarray(1));
  const sizes = frames
    .slice(0, -1)
    .flatMap(({ length }) => (length < 252 ? [length] : [252 + (length & 3), (length - 252 - (length & 3)) >> 2]));
  const head = [((packets[0] as Buffer).readUInt8(0) & 0xfc) | 3, 0x80 | frames.length, ...sizes];
  return Buffer.concat([Buffer.from(head), ...frames]);
}

describe('voice', () => {
  test('Opus is decoded to where it belongs', () => {
    const voice = new Voice();
    for (const [index, packet] of opusOf(440, 1000).entries()) voice.hear(packet, 10_000 + index * frame);
    const [left, right] = heard(voice.ring, 0, 2 * rate);
    voice.close();
    assert.equal(loudness(left.subarray(0, 10_000)), 0);
    const tone = left.subarray(15_000, 55_000);
    assert.equal(Math.round(hertzOf(tone, rate) / 2), 220);
    assert.ok(Math.abs(loudness(tone) - 8000 / 32_768 / Math.SQRT2) < 0.02, `${loudness(tone)}`);
    assert.ok(largestStep(tone) < steepest(440) * 0.3);
    assert.ok(left.every((value, index) => Math.abs(value - (right[index] as number)) < 0.001));
    assert.equal(loudness(left.subarray(10_000 + rate + 1)), 0);
  });

  test('what does not decode is silence, and the next packet is heard', () => {
    const voice = new Voice();
    const packets = opusOf(440, 200);
    for (const bad of [Buffer.alloc(0), Buffer.from([0xff]), Buffer.from([0xff, 0xff, 0xff])]) {
      voice.hear(bad, 0);
    }
    assert.equal(loudness(heard(voice.ring, 0, 1000)[0]), 0);
    for (const [index, packet] of packets.entries()) voice.hear(packet, 1000 + index * frame);
    assert.ok(loudness(heard(voice.ring, 1000, 9000)[0]) > 0.1);
    voice.close();
  });

  test('property: whatever a packet holds, samples are numbers', () => {
    const voice = new Voice();
    let position = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        voice.hear(Buffer.from(bytes), position);
        assert.ok(heard(voice.ring, position, 6000)[0].every(Number.isFinite));
        position += 6000;
      }),
      { seed },
    );
    voice.close();
  });

  test('a packet holds archiveAudioFrameSamples and no more', () => {
    const packets = opusOf(440, 300);
    const most = limits.archiveAudioFrameSamples / frame;
    for (const [count, fits] of [
      [most, true],
      [most + 1, false],
    ] as const) {
      const voice = new Voice();
      voice.hear(together(packets.slice(2, 2 + count)), 0);
      const end = heard(voice.ring, 0, count * frame)[0].subarray((count - 1) * frame, count * frame - 200);
      assert.equal(loudness(end) > 0.1, fits, `${count} frames`);
      voice.close();
    }
  });
});
