/** A publisher whose quartz is off, from its packets to the samples of the recording: the clock of its track and what places its sound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { randomOf, sample, times } from '../../../../../tests/sample.ts';
import { Placer, Ring } from '../compose/voice.ts';
import { PublisherClock } from './publisher-clock.ts';
import { TrackClock } from './track-clock.ts';

const rate = 48_000;
/** Milliseconds and samples of a usual Opus packet. */
const frameMs = 20;
const frame = (rate * frameMs) / 1000;
const block = 1024;
const twoHours = 2 * 3600;
/** How far sound may be from where it belongs (issue 4). */
const inPlace = 0.04 * rate;

const hertz = 400;
/** Whole periods in a frame, so that frames go on from one another. */
const tone = Float32Array.from({ length: frame }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / rate));
const silence = new Float32Array(frame);
/** Once a second, in the midst of it. */
const click = silence.map((_, index) => (index < 4 ? 1 : 0));
const clickEvery = 1000 / frameMs;
/** What the tone has where it is steepest, stretched as far as it may be, and a little for reading between samples. */
const steepest = ((2 * Math.PI * hertz) / rate) * 1.01;

/** The least that a packet is under way. */
const leastMs = 10;

/** Milliseconds that packets are under way: mostly little more than the least, at times much. */
function delays(name: string): () => number {
  const random = randomOf(name);
  return () => leastMs + (random() < 0.05 ? 120 : 15) * random() * random();
}

/** What is heard, sample by sample: the steps of the tone on the left, the clicks on the right. */
class Listener {
  largest = 0;
  /** Samples by which a click was away from where it belongs, at worst. */
  worst = 0;
  clicks = 0;
  readonly #ring: Ring;
  /** The place of the click that belongs closest to a position. */
  readonly #belongs: (position: number) => number;
  #read: number;
  #before: number | null = null;

  constructor(ring: Ring, from: number, belongs: (position: number) => number) {
    this.#ring = ring;
    this.#belongs = belongs;
    this.#read = from;
    ring.mixInto(new Float32Array(), new Float32Array(), from);
  }

  /** @param until a position that nothing is placed before any more */
  hear(until: number): void {
    for (; this.#read + block < until; this.#read += block) {
      const [left, right] = [new Float32Array(block), new Float32Array(block)];
      this.#ring.mixInto(left, right, this.#read);
      for (let index = 0; index < block; index += 1) {
        const value = left[index] as number;
        if (this.#before !== null) this.largest = Math.max(this.largest, Math.abs(value - this.#before));
        this.#before = value;
        if ((right[index] as number) <= 0.9) continue;
        const position = this.#read + index;
        this.worst = Math.max(this.worst, Math.abs(position - this.#belongs(position)));
        this.clicks += 1;
      }
    }
  }
}

interface Case {
  readonly ppm: number;
  readonly withReports: boolean;
}

/** The clock follows two hours; of these so many seconds from `fromSecond` on are placed and heard. */
function drifting({ ppm, withReports }: Case, fromSecond: number, seconds: number): Listener {
  const quartz = 1 + ppm / 1_000_000;
  const clock = new TrackClock(rate, new PublisherClock(), 'audio');
  const delay = delays(`drift ${ppm} ${withReports}`);
  const ring = new Ring();
  const placer = new Placer(ring);
  /** Our milliseconds at which a frame was captured, as it is seen from here. */
  const trueMs = (index: number) => (index * frameMs) / quartz + leastMs;
  const clickAt = (position: number) => {
    const number = Math.round(((position * 1000) / rate - trueMs(0)) / (trueMs(clickEvery) - trueMs(0)) - 0.5);
    return (trueMs(number * clickEvery + clickEvery / 2) * rate) / 1000;
  };
  const listener = new Listener(ring, fromSecond * rate, clickAt);
  const waiting: { readonly unwrapped: number; readonly index: number }[] = [];
  let arrived = 0;
  for (let index = 0; trueMs(index) < (fromSecond + seconds + 1) * 1000; index += 1) {
    // In order, as a jitter buffer has them.
    arrived = Math.max(arrived, trueMs(index) - leastMs + delay());
    const timestamp = (index * frame) % 2 ** 32;
    if (withReports && index % 250 === 0) clock.report(1_700_000_000_000 + index * frameMs, timestamp);
    const unwrapped = clock.packet(timestamp, arrived);
    if (trueMs(index) < fromSecond * 1000) continue;
    waiting.push({ unwrapped, index });
    // What is composed is this old; by then the clock knows more than when a packet came.
    const until = arrived - limits.archiveDelayMs;
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const time = clock.time(next.unwrapped) as number;
      if (time > until) break;
      waiting.shift();
      const sound = next.index % clickEvery === clickEvery / 2 ? click : silence;
      placer.place((time * rate) / 1000, tone, sound);
    }
    listener.hear(((until - 2 * frameMs) * rate) / 1000);
  }
  return listener;
}

const cases: readonly Case[] = [-200, 200].flatMap((ppm) => [false, true].map((withReports) => ({ ppm, withReports })));

test('two hours of a quartz that is off by 200 ppm: no sound is 40 ms from its place, and none steps', () => {
  const seconds = times(60, twoHours);
  const fromSecond = Math.floor(randomOf('drift part')() * (twoHours - seconds + 1));
  for (const each of sample('drift', cases, 2)) {
    const { worst, largest, clicks } = drifting(each, fromSecond, seconds);
    const what = `${JSON.stringify(each)}, ${seconds} s from ${fromSecond} s on`;
    assert.ok(clicks >= 0.95 * (seconds - 1), `${clicks} clicks; ${what}`);
    assert.ok(worst <= inPlace, `${worst} samples off; ${what}`);
    assert.ok(largest < steepest, `a step of ${largest}; ${what}`);
  }
});
