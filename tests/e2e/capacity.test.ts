/** A full node: who comes past its capacity is refused by name, and the calls that run lose nothing over it. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { type Refused, WeakClient } from '../rig/weak-client.ts';
import { small, startCallOf } from './calls.ts';
import { useStage } from './stage.ts';

/** Streams that the node forwards at most. */
const CAPACITY = 20;
/** Two pages in a call, each with the other's sound and picture. */
const BROWSERS = 4;
/** Those that make it 120 %. */
const PAST = CAPACITY * 0.2;
/** Of the packets of any running subscriber. */
const LOSS = 0.01;
/** How often the refused ones come again while the loss is measured. */
const ROUNDS = 5;

const stage = useStage({
  options: async () => ({ server: { mediaWorkers: 1, env: { CLOISTER_MEDIA_CAPACITY: String(CAPACITY) } } }),
  ready: async () => {
    pages = [await stage.open(), await stage.open()];
    ({ streams } = await startCallOf(stage.customer, pages, small));
    sessionId = await stage.customer.session();
    speaker = await join();
    // They are in before the node is full.
    for (let count = 0; count < PAST; count += 1) waiting.push(await join());
    streamId = await speaker.publishAllowed();
    for (let count = BROWSERS; count < CAPACITY; count += 1) listeners.push(await listen(await join()));
  },
});

const clients: WeakClient[] = [];
const listeners: WeakClient[] = [];
const waiting: WeakClient[] = [];
let pages: Participant[] = [];
let streams: readonly string[] = [];
let speaker: WeakClient;
let sessionId: string;
let streamId: string;

after(() => {
  for (const client of clients) client.close();
});

async function join(): Promise<WeakClient> {
  const client = await WeakClient.join(stage.server.url, stage.customer.ticket(sessionId));
  clients.push(client);
  return client;
}

async function listen(client: WeakClient): Promise<WeakClient> {
  await client.subscribe(streamId);
  await client.heard.next('the tone', (each) => each.streamId === streamId);
  return client;
}

/** The code with which something was refused. */
function refusal(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'nothing was refused',
    (error: Refused) => error.code ?? error.message,
  );
}

interface Heard {
  readonly who: string;
  readonly received: number;
  readonly lost: number;
}

/** What each running subscriber received and missed so far, by its own RTP statistics. */
async function received(): Promise<Heard[]> {
  const browsers = pages.flatMap((page, index) =>
    (['audio', 'video'] as const).map(async (kind) => {
      // Before the first packet a browser has no statistics of a stream.
      const { packetsReceived = 0, packetsLost = 0 } = await page.inbound(streams[1 - index] as string, kind);
      return { who: `${kind} of page ${index}`, received: Number(packetsReceived), lost: Number(packetsLost) };
    }),
  );
  const weak = listeners.map(async (client, index) => ({ who: `listener ${index}`, ...(await client.packets()) }));
  return Promise.all([...browsers, ...weak]);
}

test('at 120 % of the capacity those past it are refused by name, and nobody loses more than 1 % of its packets', async (t) => {
  const before = await received();
  const codes: string[] = [];
  const pageErrors: string[] = [];
  const late = await stage.open();
  for (let round = 0; round < ROUNDS; round += 1) {
    const subscribes = waiting.map((client) => refusal(client.subscribe(streamId)));
    const joins = waiting.map(() => refusal(join()));
    codes.push(...(await Promise.all([...subscribes, ...joins])));
    const outcome = late.join(stage.customer.ticket(sessionId)).then(
      () => 'the page joined',
      (error: Error) => error.message,
    );
    pageErrors.push(await outcome);
    // What runs goes on meanwhile: a second of picture.
    await pages[0]?.look(streams[1] as string, 15);
  }
  const now = await received();

  assert.deepEqual([...new Set(codes)], ['CapacityReached']);
  assert.equal(codes.length, ROUNDS * 2 * PAST);
  for (const error of pageErrors) assert.match(error, /OT_CONNECTION_LIMIT_EXCEEDED/);
  assert.equal(now.length, CAPACITY);
  const losses = now.map(({ who, received: all, lost }, index) => {
    const [came, missed] = [all - (before[index]?.received ?? 0), lost - (before[index]?.lost ?? 0)];
    assert.ok(came > 50, `${who} received only ${came} packets`);
    return { who, loss: missed / (came + missed), came };
  });
  const worst = losses.reduce((most, each) => (each.loss > most.loss ? each : most));
  const packets = losses.reduce((sum, { came }) => sum + came, 0);
  t.diagnostic(`worst: ${worst.who} lost ${(100 * worst.loss).toFixed(2)} %; ${packets} packets in all`);
  assert.ok(worst.loss < LOSS, `${worst.who} lost ${(100 * worst.loss).toFixed(2)} %`);
});

test('when somebody listens no longer there is a place again, for one', async () => {
  await listeners[0]?.request('unsubscribe', { streamId });
  const [first, second] = waiting as [WeakClient, WeakClient];
  await listen(first);
  assert.equal(await refusal(second.subscribe(streamId)), 'CapacityReached');
});
