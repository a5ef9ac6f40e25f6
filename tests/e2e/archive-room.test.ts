/**
 * A room is recorded, sealed, opened and decoded: at every moment the right picture is in the right place, of the right
 * moment, and every tone is heard in step with its picture. Through joins, leaves, mutes, a shared screen and all five
 * layouts. `npm test` has two publishers, `npm run test:full` nine as well.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { resizeWindow } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import type { Marks } from '../rig/marked-page.ts';
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
import { type Participant, pageScript } from '../rig/page.ts';
import { full } from '../sample.ts';
import { type ArchiveCalls, archiveCalls, customerKey, download, sealTo } from './archives.ts';
import { useStage } from './stage.ts';

const canvas = { width: 640, height: 480 };
const frameRate = 15;
const colours = [
  [200, 0, 0],
  [0, 0, 200],
  [0, 160, 0],
  [200, 200, 0],
  [200, 0, 200],
  [0, 200, 200],
  [128, 128, 128],
  [230, 120, 20],
  [110, 60, 170],
] as const;
/** The shared page has no time of its own. */
const screenMarks: Marks = { who: 15, colour: [0, 110, 110], hertz: 0, ...canvas, frameRate };
const sharedTitle = 'Marked screen';

/** Milliseconds around a change in which either is right: an archive is composed of what came half a second ago. */
const settleMs = 1000;
const stepInMs = 40;
/** Between publishers, whose clocks are compared by what their pages say of the time: on a busy machine they say it late. */
const betweenMs = 100;
/** Of the frames of a step, for a machine that is busy with nine encoders may skip one. */
const enough = 0.9;
const lateMs = 150;

const script = pageScript('marked-page.ts');
const stage = useStage({
  options: async () => ({ browser: { sharedTab: sharedTitle } }),
  ready: async () => {
    const shared = await stage.browser.newPage();
    await resizeWindow(shared, canvas.width, canvas.height);
    await shared.setContent(`<title>${sharedTitle}</title><body></body>`);
    await shared.evaluate(script);
    await shared.evaluate((marks) => window.marked.showMarks(marks), screenMarks);
  },
});

/** Somebody who publishes marks. */
interface Person {
  readonly participant: Participant;
  readonly marks: Marks;
  streamId: string;
  /** On the wall clock: when the first second of the marks began. */
  beginMs: number;
}

/** What is expected to be seen somewhere. */
interface Place {
  readonly box: Rectangle;
  readonly shows: Person | 'screen' | 'tile' | 'black';
}

interface Step {
  readonly what: string;
  act(): Promise<unknown>;
  places(): Place[];
  /** Those who are heard; the others are not. */
  heard(): Person[];
}

/** A step as it was: the wall clock between which everything is as it says. */
interface Taken {
  readonly step: Step;
  readonly from: number;
  readonly until: number;
  readonly places: readonly Place[];
  readonly heard: readonly Person[];
  /** When the first second of the marks of each began, as it looks now: on a busy machine a page's sound may stand still. */
  readonly beginMs: ReadonlyMap<Person, number>;
}

async function join(sessionId: string, who: number): Promise<Person> {
  const participant = await stage.open();
  await participant.page.evaluate(script);
  await participant.join(stage.customer.ticket(sessionId), null);
  const colour = colours[who] as readonly number[];
  const marks: Marks = { who, colour, hertz: 500 + 400 * who, width: 320, height: 240, frameRate };
  return { participant, marks, streamId: '', beginMs: 0 };
}

const pass = ({ participant }: Person, seconds: number) =>
  participant.page.evaluate((count) => window.marked.passFrames(count), seconds * frameRate);

const beginningOf = ({ participant }: Person) => participant.page.evaluate(() => window.marked.soundBeginning());

/** Publishes, and gives the first pictures a second to arrive. */
async function publish(person: Person): Promise<void> {
  const { page } = person.participant;
  person.streamId = await page.evaluate((marks) => window.marked.publishMarks(marks), person.marks);
  person.beginMs = await beginningOf(person);
  await pass(person, 1);
}

/** Takes one step after the other while the first person's time passes. */
async function take(steps: readonly Step[], first: Person, seconds: number): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (const step of steps) {
    await step.act();
    const from = Date.now() + settleMs;
    await pass(first, seconds);
    const until = Date.now() - settleMs;
    const places = step.places();
    const shown = new Set(places.flatMap(({ shows }) => (typeof shows === 'string' ? [] : [shows])));
    const begins = [...shown].map(async (person) => [person, await beginningOf(person)] as const);
    const beginMs = new Map(await Promise.all(begins));
    taken.push({ step, from, until, places, heard: step.heard(), beginMs });
  }
  return taken;
}

/** In percent of the canvas. */
const percent = (x: number, y: number, width: number, height: number): Rectangle => ({
  x: (x * canvas.width) / 100,
  y: (y * canvas.height) / 100,
  width: (width * canvas.width) / 100,
  height: (height * canvas.height) / 100,
});

/** Where a picture of 4 to 3 is within a box, whole. */
function whole(box: Rectangle): Rectangle {
  const scale = Math.min(box.width / 4, box.height / 3);
  const [width, height] = [4 * scale, 3 * scale];
  return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height };
}

const shown = (box: Rectangle, shows: Place['shows']): Place => ({ box: whole(box), shows });
/** OpenTok's boxes, as its documentation has them. */
const layouts = {
  two: (a: Place['shows'], b: Place['shows']) => [
    shown(percent(0, 0, 50, 100), a),
    shown(percent(50, 0, 50, 100), b),
    shown(percent(0, 0, 100, 20), 'black'),
    shown(percent(0, 80, 100, 20), 'black'),
  ],
  pip: (large: Place['shows'], corner: Place['shows']) => [
    shown(percent(0, 0, 100, 100), large),
    shown(percent(70, 10, 20, 20), corner),
  ],
  vertical: (large: Place['shows'], small: readonly Place['shows'][]) => [
    shown(percent(20, 0, 80, 100), large),
    ...small.map((each, index) => shown(percent(0, index * 20, 20, 20), each)),
  ],
  horizontal: (large: Place['shows'], small: readonly Place['shows'][]) => [
    shown(percent(0, 0, 100, 80), large),
    ...small.map((each, index) => shown(percent(index * 20, 80, 20, 20), each)),
  ],
  grid: (across: number, each: readonly Place['shows'][]) =>
    each.map((shows, index) => {
      const size = 100 / across;
      return shown(percent((index % across) * size, Math.floor(index / across) * size, size, size), shows);
    }),
};

/** When what is seen was drawn, after the beginning of its person's time; `when` alone comes again after two minutes. */
function drawnMs(when: number, aboutMs: number): number {
  const turns = Math.round(((aboutMs * frameRate) / 1000 - when) / whenModulus);
  return ((when + turns * whenModulus) * 1000) / frameRate;
}

/** What was read of one person: the times of the file at which each of its pictures was first seen, less when it was drawn. */
class Reading {
  readonly late: number[] = [];
  #last = -1;

  note(person: Person, when: number, frameMs: number, offsetMs: number): number {
    const drawn = drawnMs(when, frameMs + offsetMs - person.beginMs);
    const late = frameMs - drawn - person.beginMs;
    if (when !== this.#last) this.late.push(late);
    this.#last = when;
    return late + offsetMs;
  }
}

interface Judged {
  readonly readings: ReadonlyMap<Person, Reading>;
  /** What is added to times of the file to have the wall clock. */
  readonly offsetMs: number;
  readonly frames: number;
}

/** Looks at every frame of the file, and counts for each place of each step how many were right. */
async function judge(file: string, first: Person, taken: readonly Taken[]): Promise<Judged> {
  const readings = new Map<Person, Reading>();
  const right = new Map<Place, number>();
  const counted = new Map<Taken, number>();
  const wrong = new Map<Place, string[]>();
  const offsets: number[] = [];
  let offsetMs = 0;
  const frames = await eachFrame(file, (frame) => {
    if (offsets.length < 30) {
      // In the first step the first person fills the picture.
      const mark = readMark(frame, percent(0, 0, 100, 100));
      if (mark?.who !== first.marks.who) return;
      offsets.push(first.beginMs + (mark.when * 1000) / frameRate - frame.ms);
      offsetMs = quantile(offsets, 0.5);
      return;
    }
    const step = taken.find(({ from, until }) => frame.ms + offsetMs >= from && frame.ms + offsetMs <= until);
    if (!step) return;
    counted.set(step, (counted.get(step) ?? 0) + 1);
    for (const place of step.places) {
      const why = wrongWith(frame, place, { offsetMs, readings, beginMs: step.beginMs });
      if (why === null) right.set(place, (right.get(place) ?? 0) + 1);
      else wrong.set(place, [...(wrong.get(place) ?? []), `${Math.round(frame.ms)} ms: ${why}`]);
    }
  });
  for (const each of taken) {
    const count = counted.get(each) ?? 0;
    assert.ok(count >= frameRate, `${each.step.what}: only ${count} frames`);
    for (const [index, place] of each.places.entries()) {
      const share = (right.get(place) ?? 0) / count;
      assert.ok(
        share >= enough,
        `${each.step.what}, place ${index}: ${share} of ${count} frames\n${wrong.get(place)?.join('\n')}`,
      );
    }
  }
  return { readings, offsetMs, frames };
}

const near = (seen: readonly number[], wanted: readonly number[], off: number) =>
  seen.every((value, index) => Math.abs(value - (wanted[index] as number)) <= off);

/** What is not as it should be in this place of a frame; null when all is. */
function wrongWith(
  frame: Frame,
  { box, shows }: Place,
  {
    offsetMs,
    readings,
    beginMs,
  }: { offsetMs: number; readings: Map<Person, Reading>; beginMs: ReadonlyMap<Person, number> },
): string | null {
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
  const late = reading.note(shows, mark.when, frame.ms, offsetMs);
  const since = (beginMs.get(shows) ?? shows.beginMs) - shows.beginMs;
  if (Math.min(Math.abs(late), Math.abs(late - since)) <= lateMs) return null;
  return `a picture of another moment, ${Math.round(late)} ms off; its sound stood still for ${Math.round(since)} ms`;
}

/** Every tone is there while it should be and only then. */
function judgeSound(sound: Listened, offsetMs: number, people: readonly Person[], taken: readonly Taken[]) {
  const late = new Map<Person, number[]>();
  for (const person of people) {
    const loudness = sound.loudness(person.marks.hertz);
    const index = (wall: number) => Math.max(0, Math.round((wall - offsetMs - sound.beginMs) / stepMs));
    for (const { step, from, until, heard } of taken) {
      const loudest = quantile([...loudness.subarray(index(from), index(until))], 0.95);
      const audible = loudest > 0.03;
      assert.ok(audible || loudest < 0.01, `${step.what}: ${person.marks.hertz} Hz is faint: ${loudest}`);
      assert.equal(audible, heard.includes(person), `${step.what}: ${person.marks.hertz} Hz at ${loudest}`);
    }
    late.set(
      person,
      onsets(sound, loudness).map((ms) => {
        const second = Math.round((ms + offsetMs - person.beginMs) / 1000);
        return ms - second * 1000 - person.beginMs;
      }),
    );
  }
  return late;
}

/** Opens what was recorded and judges all of it. */
async function assertRight(t: TestContext, file: string, people: readonly Person[], taken: readonly Taken[]) {
  const { readings, offsetMs, frames } = await judge(file, people[0] as Person, taken);
  const sounds = judgeSound(await listen(file), offsetMs, people, taken);
  const delays = await Promise.all(
    people.map(({ participant }) => participant.page.evaluate(() => window.marked.usualDelay())),
  );
  const pictures = people.map(
    (each, index) => quantile(readings.get(each)?.late ?? [], 0.5) + offsetMs - (delays[index] as number),
  );
  const tones = people.map((each) => quantile(sounds.get(each) ?? [], 0.5) + offsetMs);
  const said = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ');
  t.diagnostic(
    `${frames} frames; pictures at ${said(pictures)} ms, tones at ${said(tones)} ms; drawn ${said(delays)} ms late`,
  );
  for (const [index, picture] of pictures.entries()) {
    const apart = picture - (tones[index] as number);
    assert.ok(Math.abs(apart) <= stepInMs, `picture and sound of publisher ${index} are ${apart} ms apart`);
  }
  for (const all of [pictures, tones]) {
    const apart = Math.max(...all) - Math.min(...all);
    assert.ok(apart <= betweenMs, `publishers are ${apart} ms apart`);
  }
}

/** Starts to record to a certificate, takes the steps, and has the opened archive in a file. */
async function recorded(sessionId: string, run: (running: Running) => Promise<Taken[]>) {
  const key = customerKey();
  await sealTo(stage.customer, key.certificate);
  const calls = archiveCalls(stage.customer);
  const { id } = await calls.start(sessionId, { resolution: '640x480', layout: { type: 'bestFit' } });
  const taken = await run({ ...calls, id, sessionId });
  const archive = await calls.finish(id);
  const file = path.join(tempFolder('room'), 'archive.ts');
  writeFileSync(file, key.open(await download(archive), archive.password));
  return { file, taken };
}

const publishing = (person: Person, what: 'publishAudio' | 'publishVideo', on: boolean) =>
  person.participant.page.evaluate((...[name, value]) => void window.rig.publisher()[name](value), what, on);

const leave = ({ participant }: Person) => participant.page.evaluate(() => window.rig.session().disconnect());

/** What a test does to a recording that runs. */
interface Running extends ArchiveCalls {
  readonly id: string;
  readonly sessionId: string;
}

const stylesheet = `stream { position: absolute; left: 0; top: 0; width: 50%; height: 50% }
stream.guest { left: 50%; top: 50%; object-fit: cover }`;

function stepsOfTwo({ id, sessionId, layout, classes }: Running, ada: Person, bob: Person): Step[] {
  const both = () => [ada, bob];
  return [
    { what: 'alone', act: async () => {}, places: () => [shown(percent(0, 0, 100, 100), ada)], heard: () => [ada] },
    { what: 'two', act: () => publish(bob), places: () => layouts.two(ada, bob), heard: both },
    { what: 'pip', act: () => layout(id, 'pip'), places: () => layouts.pip(ada, bob), heard: both },
    {
      what: 'vertical, the first without sound',
      act: async () => {
        await layout(id, 'verticalPresentation');
        await publishing(ada, 'publishAudio', false);
      },
      places: () => layouts.vertical(ada, [bob]),
      heard: () => [bob],
    },
    {
      what: 'horizontal, the second without picture',
      act: async () => {
        await layout(id, 'horizontalPresentation');
        await publishing(ada, 'publishAudio', true);
        await publishing(bob, 'publishVideo', false);
      },
      places: () => layouts.horizontal(ada, ['tile']),
      heard: both,
    },
    {
      what: 'custom, with a class for the second',
      act: async () => {
        await publishing(bob, 'publishVideo', true);
        await layout(id, 'custom', { stylesheet });
        await classes(sessionId, { [bob.streamId]: ['guest'] });
      },
      places: () => [
        shown(percent(0, 0, 50, 50), ada),
        shown(percent(50, 50, 50, 50), bob),
        shown(percent(50, 0, 50, 50), 'black'),
      ],
      heard: both,
    },
    {
      what: 'a shared screen',
      act: async () => {
        await layout(id, 'bestFit', { screenshareType: 'pip' });
        await ada.participant.publish({ videoSource: 'screen', audioSource: null });
      },
      places: () => layouts.pip('screen', bob),
      heard: both,
    },
    {
      what: 'one has left',
      act: () => leave(ada),
      places: () => [shown(percent(0, 0, 100, 100), bob)],
      heard: () => [bob],
    },
  ];
}

test('two publishers: join, five layouts, mutes, a shared screen, leave', async (t) => {
  const sessionId = await stage.customer.session();
  const [ada, bob] = (await Promise.all([join(sessionId, 0), join(sessionId, 1)])) as [Person, Person];
  await publish(ada);
  const { file, taken } = await recorded(sessionId, (running) => take(stepsOfTwo(running, ada, bob), ada, 3.6));
  await assertRight(t, file, [ada, bob], taken);
  await Promise.all([ada, bob].map(({ participant }) => participant.close()));
});

function stepsOfNine({ id, layout }: Running, people: readonly Person[]): Step[] {
  const [first, second, third] = people as [Person, Person, Person];
  const all = () => [...people];
  const small = people.slice(1, 6);
  const left = () => [first, ...people.slice(3)];
  return [
    {
      what: 'alone',
      act: async () => {},
      places: () => [shown(percent(0, 0, 100, 100), first)],
      heard: () => [first],
    },
    {
      what: 'nine',
      act: async () => {
        for (const person of people.slice(1)) await publish(person);
      },
      places: () => layouts.grid(3, people),
      heard: all,
    },
    {
      what: 'vertical',
      act: () => layout(id, 'verticalPresentation'),
      places: () => layouts.vertical(first, small),
      heard: all,
    },
    {
      what: 'horizontal',
      act: () => layout(id, 'horizontalPresentation'),
      places: () => layouts.horizontal(first, small),
      heard: all,
    },
    { what: 'pip', act: () => layout(id, 'pip'), places: () => layouts.pip(first, second), heard: all },
    {
      what: 'custom',
      act: () => layout(id, 'custom', { stylesheet: 'stream { float: left; width: 25%; height: 25% }' }),
      places: () => layouts.grid(4, people),
      heard: all,
    },
    {
      what: 'one without picture, one without sound',
      act: () => Promise.all([publishing(second, 'publishVideo', false), publishing(third, 'publishAudio', false)]),
      places: () => {
        const shows = people.map((each) => (each === second ? 'tile' : each));
        return layouts.grid(4, shows);
      },
      heard: () => people.filter((each) => each !== third),
    },
    {
      what: 'two have left',
      act: () => Promise.all([layout(id, 'bestFit'), leave(second), leave(third)]),
      places: () => layouts.grid(3, left()),
      heard: left,
    },
  ];
}

if (full) {
  test('nine publishers: joins, five layouts, mutes, leaves', async (t) => {
    const sessionId = await stage.customer.session();
    const people: Person[] = [];
    for (let who = 0; who < 9; who += 1) people.push(await join(sessionId, who));
    const [first] = people as [Person];
    await publish(first);
    const { file, taken } = await recorded(sessionId, (running) => take(stepsOfNine(running, people), first, 5));
    await assertRight(t, file, people, taken);
    await Promise.all(people.map(({ participant }) => participant.close()));
  });
}
