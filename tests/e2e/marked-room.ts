/**
 * Looks at every picture and listens to every tone in the recording of a room whose pages wrote down what they did: whether
 * the right one was in the right place at the right moment, and each publisher's sound in step with its picture.
 */
import assert from 'node:assert/strict';
import type { Marks, Told } from '../rig/marked-page.ts';
import {
  eachFrame,
  type Frame,
  type Listened,
  listen,
  onsets,
  quantile,
  type Rectangle,
  readColours,
  readMark,
  stepMs,
  whenModulus,
} from '../rig/marks.ts';

export const canvas = { width: 640, height: 480 };
export const frameRate = 15;
/** The shared page has no time of its own. */
export const screenMarks: Marks = { who: 15, colour: [0, 110, 110], hertz: 0, ...canvas, frameRate };

/** Between a publisher's picture and its sound, in milliseconds (issue 4). */
const stepInMs = 40;
/** Between publishers, whose clocks are compared by what their pages say of the time: on a busy machine they say it late. */
const betweenMs = 100;
/** Of the frames of a step, for a machine that is busy with nine encoders may skip one; and of the tones. */
const enough = 0.9;
/** A picture may be seen before its moment, or after that of the next one, by so many milliseconds. */
const lateMs = 150;
/** The pictures that a tone is compared with: those of so many milliseconds around it, and no fewer than these. */
const around = { ms: 1000, pictures: 5 };

/** Somebody who publishes marks, and what the page told of them in the end. */
export interface Marked {
  readonly marks: Marks;
  told: Told;
}

/** What is expected to be seen somewhere. */
export interface Place {
  readonly box: Rectangle;
  readonly shows: Marked | 'screen' | 'tile' | 'black';
}

/** A step as it was: the wall clock between which everything is as it says. */
export interface Taken {
  readonly what: string;
  readonly from: number;
  readonly until: number;
  readonly places: readonly Place[];
  /** Those who are heard; the others are not. */
  readonly heard: readonly Marked[];
}

/** By how many milliseconds something was late in the recording, and when by the wall clock it was there. */
interface Late {
  readonly wallMs: number;
  readonly lateMs: number;
}

/** What was read of one person's pictures. */
class Reading {
  readonly late: Late[] = [];
  #last = -1;

  /** @returns milliseconds by which the picture was seen before its moment (negative) or after that of the next one */
  note({ told: { drawnMs } }: Marked, when: number, wallMs: number): number {
    // `when` comes again after two minutes.
    let frame = -1;
    for (let each = when; each < drawnMs.length; each += whenModulus) {
      const [closest, drawn] = [drawnMs[frame] ?? Number.POSITIVE_INFINITY, drawnMs[each] ?? null];
      if (drawn !== null && Math.abs(drawn - wallMs) < Math.abs(closest - wallMs)) frame = each;
    }
    const drawn = drawnMs[frame] ?? null;
    if (drawn === null) return Number.NaN;
    if (frame !== this.#last) this.late.push({ wallMs, lateMs: wallMs - drawn });
    this.#last = frame;
    const next = drawnMs.slice(frame + 1).find((each) => each !== null) ?? Number.POSITIVE_INFINITY;
    return Math.min(0, wallMs - drawn) + Math.max(0, wallMs - next);
  }
}

const near = (seen: readonly number[], wanted: readonly number[], off: number) =>
  seen.every((value, index) => Math.abs(value - (wanted[index] as number)) <= off);

type Readings = Map<Marked, Reading>;

/** What is not as it should be in this place of a frame; null when all is. */
function wrongWith(frame: Frame, { box, shows }: Place, wallMs: number, readings: Readings): string | null {
  if (shows === 'black' || shows === 'tile') {
    const seen = frame.at(Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2));
    return near(seen, shows === 'black' ? [0, 0, 0] : [39, 43, 46], 12) ? null : `${seen} instead of ${shows}`;
  }
  const marks = shows === 'screen' ? screenMarks : shows.marks;
  const mark = readMark(frame, box);
  if (mark?.who !== marks.who) return `${mark ? `publisher ${mark.who}` : 'nobody'} instead of ${marks.who}`;
  const seen = readColours(frame, box);
  if (!seen.every((each) => near(each, marks.colour, 60))) return `the colours ${seen.join(' and ')}`;
  if (shows === 'screen') return null;
  const reading = readings.get(shows) ?? new Reading();
  readings.set(shows, reading);
  const off = reading.note(shows, mark.when, wallMs);
  return Math.abs(off) <= lateMs ? null : `a picture of another moment, ${Math.round(off)} ms off`;
}

interface Seen {
  readonly readings: Readings;
  /** What is added to times of the file to have the wall clock. */
  readonly offsetMs: number;
  readonly frames: number;
}

/** Looks at every frame of the file, and counts for each place of each step how many were right. */
async function look(file: string, first: Marked, taken: readonly Taken[]): Promise<Seen> {
  const readings: Readings = new Map();
  const right = new Map<Place, number>();
  const counted = new Map<Taken, number>();
  const wrong = new Map<Place, string[]>();
  const offsets: number[] = [];
  let offsetMs = 0;
  const frames = await eachFrame(file, (frame) => {
    if (offsets.length < 30) {
      // In the first step the first person fills the picture.
      const mark = readMark(frame, { x: 0, y: 0, ...canvas });
      const drawn = mark?.who === first.marks.who ? (first.told.drawnMs[mark.when] ?? null) : null;
      if (drawn === null) return;
      offsets.push(drawn - frame.ms);
      offsetMs = quantile(offsets, 0.5);
      return;
    }
    const wallMs = frame.ms + offsetMs;
    const step = taken.find(({ from, until }) => wallMs >= from && wallMs <= until);
    if (!step) return;
    counted.set(step, (counted.get(step) ?? 0) + 1);
    for (const place of step.places) {
      const why = wrongWith(frame, place, wallMs, readings);
      if (why === null) right.set(place, (right.get(place) ?? 0) + 1);
      else wrong.set(place, [...(wrong.get(place) ?? []), `${Math.round(frame.ms)} ms: ${why}`]);
    }
  });
  for (const each of taken) {
    const count = counted.get(each) ?? 0;
    assert.ok(count >= frameRate, `${each.what}: only ${count} frames`);
    for (const [index, place] of each.places.entries()) {
      const share = (right.get(place) ?? 0) / count;
      const what = `${each.what}, place ${index}: ${share} of ${count} frames`;
      assert.ok(share >= enough, `${what}\n${wrong.get(place)?.join('\n')}`);
    }
  }
  return { readings, offsetMs, frames };
}

/** Every tone is there while it should be and only then. @returns how late the tones of this person's steps began */
function hear(sound: Listened, offsetMs: number, person: Marked, taken: readonly Taken[]): Late[] {
  const { marks, told } = person;
  const loudness = sound.loudness(marks.hertz);
  const index = (wall: number) => Math.max(0, Math.round((wall - offsetMs - sound.beginMs) / stepMs));
  for (const { what, from, until, heard } of taken) {
    const loudest = quantile([...loudness.subarray(index(from), index(until))], 0.95);
    const audible = loudest > 0.03;
    assert.ok(audible || loudest < 0.01, `${what}: ${marks.hertz} Hz is faint: ${loudest}`);
    assert.equal(audible, heard.includes(person), `${what}: ${marks.hertz} Hz at ${loudest}`);
  }
  const begins = told.soundMs.flatMap((began, tenth) =>
    began === null || tenth % 10 > 0 ? [] : [began + tenth * 100],
  );
  return onsets(sound, loudness).flatMap((ms) => {
    const wallMs = ms + offsetMs;
    const step = taken.find(({ from, until }) => wallMs >= from && wallMs <= until);
    if (!step?.heard.includes(person)) return [];
    const off = begins.map((began) => wallMs - began);
    const least = Math.min(...off.map(Math.abs));
    return off.filter((each) => Math.abs(each) === least).map((each) => ({ wallMs, lateMs: each }));
  });
}

const middle = (values: readonly number[]) => quantile(values, 0.5);
const lateness = (all: readonly Late[]) => all.map((each) => each.lateMs);

/** By how many milliseconds each tone was later than the pictures around it. */
function apart(pictures: readonly Late[], tones: readonly Late[]): number[] {
  return tones.flatMap(({ wallMs, lateMs: late }) => {
    const close = pictures.filter((each) => Math.abs(each.wallMs - wallMs) <= around.ms);
    return close.length < around.pictures ? [] : [late - middle(lateness(close))];
  });
}

/**
 * Looks at and listens to all of a recording.
 * @param people the first one is alone in the first step
 * @returns a line that says what was measured
 * @throws AssertionError that names the step and what was wrong in it
 */
export async function judgeRoom(file: string, people: readonly Marked[], taken: readonly Taken[]): Promise<string> {
  const { readings, offsetMs, frames } = await look(file, people[0] as Marked, taken);
  const sound = await listen(file);
  const measured = people.map((person) => {
    const pictures = readings.get(person)?.late ?? [];
    const tones = hear(sound, offsetMs, person, taken);
    return { pictures, tones, apart: apart(pictures, tones) };
  });
  const said = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ');
  const all = measured.map((each) => `[${said(each.apart)}]`).join(' ');
  for (const [index, each] of measured.entries()) {
    const share = each.apart.filter((ms) => Math.abs(ms) <= stepInMs).length / each.apart.length;
    assert.ok(share >= enough, `tones of publisher ${index} are away from their pictures by ${said(each.apart)} ms`);
  }
  const pictures = measured.map((each) => middle(lateness(each.pictures)));
  const tones = measured.map((each) => middle(lateness(each.tones)));
  for (const values of [pictures, tones]) {
    const between = Math.max(...values) - Math.min(...values);
    assert.ok(between <= betweenMs, `publishers are ${between} ms apart`);
  }
  return `${frames} frames; pictures at ${said(pictures)} ms, tones at ${said(tones)} ms; tones after pictures by ${all} ms`;
}
