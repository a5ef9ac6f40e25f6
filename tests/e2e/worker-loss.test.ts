/**
 * A media worker that is killed, or hangs, with every session on it: all clients build their media again by themselves
 * and hear each other again, in a full run within 3 s in the 99th percentile.
 */
import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { WeakClient } from '../rig/weak-client.ts';
import { full, times } from '../sample.ts';
import { small, startCallOf } from './calls.ts';
import { useStage } from './stage.ts';

const SESSIONS = times(3, 20);
/** A session has one speaker, the others listen. */
const LISTENERS = 3;
/** The promise is 3 s. A sample runs on whatever machine there is, so there it only has to happen, and soon. */
const BACK_MS = full ? 3000 : 12_000;
/**
 * The part of it that is left to the clients. All 82 of them share this machine with the server, so what they take to
 * build their media when nothing is lost is measured first, and what it is above this is the machine's, not ours.
 */
const CLIENTS_MS = 1000;

// One worker, so that everybody is on the one that is lost.
const stage = useStage({
  options: async () => ({ server: { mediaWorkers: 1 } }),
  ready: async () => {
    pages = [await stage.open(), await stage.open()];
    // Small pictures: all 82 clients share this machine with the server, so what they draw and encode is time to come back.
    ({ streams } = await startCallOf(stage.customer, pages, small));
    for (let count = 0; count < SESSIONS; count += 1) await startSession();
  },
});

const clients: WeakClient[] = [];
const listening: { client: WeakClient; streamId: string }[] = [];
let pages: [Participant, Participant];
let streams: readonly string[];
let allowedMs = BACK_MS;

after(() => {
  for (const client of clients) client.close();
});

async function join(sessionId: string): Promise<WeakClient> {
  const client = await WeakClient.join(stage.server.url, stage.customer.ticket(sessionId));
  clients.push(client);
  return client;
}

async function startSession(): Promise<void> {
  const sessionId = await stage.customer.session();
  const streamId = await (await join(sessionId)).publishAllowed();
  for (let count = 0; count < LISTENERS; count += 1) {
    const client = await join(sessionId);
    await client.subscribe(streamId);
    await client.heard.next('the tone', (each) => each.streamId === streamId);
    listening.push({ client, streamId });
  }
}

/** Milliseconds from `lostAt` until each listener heard its speaker again, the longest last. */
async function timesToHear(lostAt: number): Promise<number[]> {
  const all = listening.map(async ({ client, streamId }) => {
    const again = await client.heard.next('the tone again', (each) => each.streamId === streamId && each.at > lostAt);
    return Math.round(again.at - lostAt);
  });
  return (await Promise.all(all)).sort((a, b) => a - b);
}

function p99Of(sorted: readonly number[]): number {
  return sorted[Math.ceil(sorted.length * 0.99) - 1] as number;
}

/** A moment on a page: how much it was told until then, and its clock. */
interface Moment {
  readonly since: number;
  readonly at: number;
}

function momentOf(at: Participant): Promise<Moment> {
  return at.page.evaluate(() => ({ since: window.rig.happenings.length, at: performance.now() }));
}

/** Milliseconds from a moment until the page has lost a picture and sees it again. */
async function timeToSee(at: Participant, streamId: string, { since, at: from }: Moment): Promise<number> {
  await at.event(streamId, 'disconnected', { since });
  await at.event(streamId, 'connected', { since });
  await at.look(streamId, 2);
  return Math.round((await at.page.evaluate(() => performance.now())) - from);
}

async function loseWorker(t: TestContext, signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  // Beside the one that works there is a spare, which is younger.
  const running = stage.server.mediaWorkers();
  const [worker] = running;
  assert.ok(worker, 'there is no media worker');
  const [fromFirst = '', fromSecond = ''] = streams;
  const [first, second] = await Promise.all([momentOf(pages[0]), momentOf(pages[1])]);
  const lostAt = performance.now();
  process.kill(worker, signal);
  const [heard, ...seen] = await Promise.all([
    timesToHear(lostAt),
    timeToSee(pages[0], fromSecond, first),
    timeToSee(pages[1], fromFirst, second),
  ]);
  t.diagnostic(`heard again after ${heard.join(' ')} ms, seen again after ${seen.join(' ')} ms`);
  assert.ok(p99Of(heard) <= allowedMs, `heard again after ${p99Of(heard)} ms, allowed are ${allowedMs} ms`);
  for (const ms of seen) assert.ok(ms <= allowedMs, `a browser saw again after ${ms} ms, allowed are ${allowedMs} ms`);
  await eventually(
    'a new media worker',
    async () => stage.server.mediaWorkers(),
    (pids) => pids.length === running.length && !pids.includes(worker),
  );
}

test('what the clients themselves take to build their media, all at once', async (t) => {
  const from = performance.now();
  const heard = timesToHear(from);
  await Promise.all(clients.map((client) => client.rebuild()));
  const own = p99Of(await heard);
  allowedMs = BACK_MS + Math.max(0, own - CLIENTS_MS);
  t.diagnostic(`${own} ms; back after a loss are allowed ${allowedMs} ms`);
});

test('a worker is killed', (t) => loseWorker(t, 'SIGKILL'));

test('a worker hangs', (t) => loseWorker(t, 'SIGSTOP'));

test('the sessions went on: nobody was told that somebody left', async () => {
  for (const each of pages) {
    const told = (await each.happenings()).map(({ type }) => type);
    assert.ok(!told.includes('streamDestroyed') && !told.includes('sessionDisconnected'), told.join(' '));
  }
  for (const { client } of listening) {
    assert.ok(!client.told.items.some(({ event }) => event === 'streamDestroyed' || event === 'connectionDestroyed'));
  }
});
