/** Memory of the server: for each idle connection, for each forwarded stream, and over ten thousand joins and leaves. */
import type { JoinAs } from '../tests/rig/page.ts';
import { figure, medianOf, quick, type Result, type Row, repeat, say } from './harness/figure.ts';
import { LoadBrowser } from './harness/load-browser.ts';
import type { Picture, Place } from './harness/load-page.ts';
import { Platform } from './harness/platform.ts';
import { clientAddress } from './harness/rest-load.ts';
import { inParallel, Seat } from './harness/seat.ts';

const IDLE = quick ? 300 : 1000;
const PER_SESSION = 10;
const IDLE_KB = 150;
const WIDTH = 16;
const FIRST_JOINS = 100;
const JOINS = quick ? 500 : 10_000;
/** Until Node's heap has taken from the kernel what this load makes it take, once. */
const JOINS_BEFORE = quick ? 500 : 20_000;
/** Less than this for each join and leave is noise of the memory's own management. */
const GROWTH_KB = 0.5;
const STORES = [
  ['embedded store', 'pglite'],
  ['PostgreSQL', 'postgres'],
] as const;
const RECEIVERS = 50;
const PICTURE: Picture = { width: 320, height: 180, frameRate: 15, bitrate: 300_000 };

interface Memory {
  /** What JavaScript holds, in Node. */
  readonly heapKb: number;
  /** What the kernel gave to Node and to the media worker. */
  readonly nodeKb: number;
  readonly workersKb: number;
}

/** Tokens for so many members, so many of them in a session; each token is another. */
async function tickets({ customer }: Platform, count: number, perSession: number): Promise<JoinAs[]> {
  const sessions = await inParallel(Array.from({ length: Math.ceil(count / perSession) }), WIDTH, () =>
    customer.session(),
  );
  return Array.from({ length: count }, (_, index) =>
    customer.ticket(sessions[index % sessions.length] as string, 'publisher', String(index)),
  );
}

async function joinAndLeave(platform: Platform, all: readonly JoinAs[]): Promise<void> {
  await inParallel(all, WIDTH, async (as, index) => {
    const seat = await Seat.join(platform.port, as, clientAddress(index));
    await seat.leave();
  });
}

/** What the server has when it has nothing to do. */
async function settled(platform: Platform): Promise<Memory> {
  await platform.quiet();
  return platform.memory();
}

/** How much more there is for each of `count`: of the heap, of the worker, and of all that the kernel gave. */
function each(before: Memory, after: Memory, count: number): { heap: number; worker: number; resident: number } {
  const heap = (after.heapKb - before.heapKb) / count;
  const worker = (after.workersKb - before.workersKb) / count;
  return { heap, worker, resident: (after.nodeKb - before.nodeKb) / count + worker };
}

/**
 * What counts: Node takes from the kernel what it will need later and gives back late, so resident memory alone may not
 * grow at all where the heap does.
 */
const more = ({ heap, worker, resident }: ReturnType<typeof each>): number => Math.max(resident, heap + worker);

/** For each connection that is there and does nothing. */
async function idle(): Promise<ReturnType<typeof each>> {
  const platform = await Platform.start();
  const all = await tickets(platform, IDLE, PER_SESSION);
  // What the first joins load and compile stays, however many follow.
  await joinAndLeave(platform, all.slice(0, FIRST_JOINS));
  const before = await settled(platform);
  await inParallel(all, WIDTH, (as, index) => Seat.join(platform.port, as, clientAddress(index)));
  const after = await settled(platform);
  // As a crash would: a thousand goodbyes are not measured.
  await platform.server.kill();
  return each(before, after, IDLE);
}

type Grown = ReturnType<typeof each> & { readonly perSecond: number };

async function growth(store: 'pglite' | 'postgres'): Promise<Grown> {
  process.env.CLOISTER_TEST_STORE = store;
  const platform = await Platform.start();
  const sessions = PER_SESSION * 10;
  const [first, rest] = [
    await tickets(platform, JOINS_BEFORE, JOINS_BEFORE / sessions),
    await tickets(platform, JOINS, JOINS / sessions),
  ];
  await joinAndLeave(platform, first);
  const before = await settled(platform);
  const began = performance.now();
  await joinAndLeave(platform, rest);
  const seconds = (performance.now() - began) / 1000;
  const after = await settled(platform);
  await platform.stop();
  return { ...each(before, after, JOINS), perSecond: JOINS / seconds };
}

/** For each subscriber with its transport and the one stream that is forwarded to it. */
async function forwarded(browser: LoadBrowser): Promise<ReturnType<typeof each>> {
  const platform = await Platform.start();
  const session = await platform.customer.session();
  await platform.quiet();
  const place = (): Place => ({ kind: 'ours', url: platform.server.url, ...platform.customer.ticket(session) });
  const [senders, receivers] = [await browser.page(), await browser.page()];
  const stream = await senders.publish(await senders.join(place()), PICTURE);
  await receivers.subscribe(await receivers.join(place()), [stream]);
  const before = await platform.memory();
  await inParallel(Array.from({ length: RECEIVERS }), 5, async () =>
    receivers.subscribe(await receivers.join(place()), [stream]),
  );
  const after = await platform.memory();
  await Promise.all([senders.close(), receivers.close()]);
  await platform.stop();
  return each(before, after, RECEIVERS);
}

async function measure(): Promise<Result> {
  const idles = await repeat('idle connections', idle);
  const browser = await LoadBrowser.start();
  const streams = await repeat('forwarded streams', () => forwarded(browser));
  await browser.close();
  const grown: [string, Grown][] = [];
  for (const [name, store] of STORES) {
    say(`${JOINS} joins and leaves, ${name}`);
    grown.push([name, await growth(store)]);
  }
  const idleKb = medianOf(idles, more);
  const kb = (value: number) => `${value.toFixed(0)} kB`;
  const mb = (value: number) => `${((value * JOINS) / 1024).toFixed(1)} MB`;
  const rows: Row[] = [
    {
      what: 'idle connection',
      ours: `${kb(idleKb)} (resident ${kb(medianOf(idles, ({ resident }) => resident))}, Node's heap ${kb(medianOf(idles, ({ heap }) => heap))})`,
      other: null,
      target: { text: `at most ${IDLE_KB} kB`, measured: idleKb, most: IDLE_KB },
    },
    {
      what: 'forwarded stream, with the subscriber and its transport',
      ours: `${kb(medianOf(streams, ({ worker, heap }) => worker + heap))} (worker ${kb(medianOf(streams, ({ worker }) => worker))}, Node's heap ${kb(medianOf(streams, ({ heap }) => heap))})`,
      other: null,
      target: null,
    },
    ...grown.map(([name, grew]) => ({
      what: `growth over ${JOINS.toLocaleString('en')} joins and leaves, ${name}`,
      ours: `resident ${mb(grew.resident)}, Node's heap ${mb(grew.heap)}`,
      other: null,
      target: { text: `none: below ${GROWTH_KB} kB for each`, measured: more(grew), most: GROWTH_KB },
    })),
  ];
  const notes = [
    "Resident memory of the server's Node process and its media worker, and what JavaScript holds in Node, after a garbage collection; the larger of the two counts, since Node gives memory back late.",
    `Idle: ${IDLE} connections in sessions of ${PER_SESSION}, in a server that was just started. Forwarded: one publisher to ${RECEIVERS} subscribers. Growth: after ${JOINS_BEFORE.toLocaleString('en')} joins and leaves, in which Node takes what this load needs, one run (it repeats itself), ${grown.map(([name, { perSecond }]) => `${Math.round(perSecond)} a second with ${name}`).join(', ')}.`,
    'The embedded store is part of the Node process, and its cache of pages (`shared_buffers`) fills up as it is used; that is in its resident figure.',
  ];
  return { rows, notes };
}

await figure(measure);
