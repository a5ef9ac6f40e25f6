/**
 * A room is recorded, sealed, opened and decoded: at every moment the right picture is in the right place, of the right
 * moment, and every tone is heard in step with its picture. Through joins, leaves, mutes, a shared screen and all five
 * layouts. `npm test` has two publishers, `npm run test:full` nine as well.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { resizeWindow } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import type { Marks } from '../rig/marked-page.ts';
import type { Rectangle } from '../rig/marks.ts';
import { type Participant, pageScript } from '../rig/page.ts';
import { full } from '../sample.ts';
import { type ArchiveCalls, archiveCalls, customerKey, download, sealTo } from './archives.ts';
import { canvas, frameRate, judgeRoom, type Marked, type Place, screenMarks, type Taken } from './marked-room.ts';
import { useStage } from './stage.ts';

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
const sharedTitle = 'Marked screen';
/** Milliseconds around a change in which either is right: an archive is composed of what came half a second ago. */
const settleMs = 1000;

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
interface Person extends Marked {
  readonly participant: Participant;
  streamId: string;
}

interface Step {
  readonly what: string;
  act(): Promise<unknown>;
  places(): Place[];
  /** Those who are heard; the others are not. */
  heard(): Person[];
}

async function join(sessionId: string, who: number): Promise<Person> {
  const participant = await stage.open();
  await participant.page.evaluate(script);
  await participant.join(stage.customer.ticket(sessionId), null);
  const colour = colours[who] as readonly number[];
  const marks: Marks = { who, colour, hertz: 500 + 400 * who, width: 320, height: 240, frameRate };
  return { participant, marks, told: { drawnMs: [], soundMs: [] }, streamId: '' };
}

const pass = ({ participant }: Person, seconds: number) =>
  participant.page.evaluate((count) => window.marked.passFrames(count), seconds * frameRate);

/** Publishes, and gives the first pictures a second to arrive. */
async function publish(person: Person): Promise<void> {
  const { page } = person.participant;
  person.streamId = await page.evaluate((marks) => window.marked.publishMarks(marks), person.marks);
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
    taken.push({ what: step.what, from, until, places: step.places(), heard: step.heard() });
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

/** What was recorded is as the pages tell. */
async function assertRight(t: TestContext, file: string, people: readonly Person[], taken: readonly Taken[]) {
  for (const person of people) {
    person.told = await person.participant.page.evaluate(() => window.marked.tell());
  }
  t.diagnostic(await judgeRoom(file, people, taken));
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
