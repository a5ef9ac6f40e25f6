import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { ManualClock } from '../lib/index.ts';
import type { AuditContent } from './entry.ts';
import { Outlet, type Sent } from './outlet.ts';

const content = (at: number) => ({ at, action: 'project.created', outcome: 'done', detail: {} }) as AuditContent;
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A log of some size, and a receiver that may be away. */
function rig(size: number) {
  const clock = new ManualClock();
  const sent: Sent[][] = [];
  const waits: (number | null | undefined)[] = [];
  const state = { size, next: 0, away: false, why: null as string | null };
  const wakes = new Set<() => void>();
  const open = () =>
    new Outlet({
      name: 'syslog',
      async send(some) {
        if (state.away) throw new PlatformError('DestinationFailed', { destination: 'x', why: 'it is away' });
        sent.push([...some]);
      },
      log: {
        origin: 'log',
        get size() {
          return state.size;
        },
        get why() {
          return state.why;
        },
        watch(wake) {
          wakes.add(wake);
          return () => void wakes.delete(wake);
        },
      },
      query: {
        search: async ({ first, end }) =>
          Array.from({ length: end - first }, (_, at) => ({ index: first + at, content: content(first + at) })),
      },
      store: {
        outlet: async () => state.next,
        async putOutlet(_name, next) {
          state.next = next;
        },
      },
      clock,
      journal: { record: (_level, _message, fields) => void waits.push(fields?.delayMs) },
    });
  const indexes = () => sent.flat().map(({ index }) => index);
  return { open, state, sent, waits, clock, indexes, wake: () => wakes.forEach((wake) => void wake()) };
}

const upTo = (end: number) => Array.from({ length: end }, (_, index) => index);

test('entries go out auditOutletEntries at once, and the place moves when they have arrived', async () => {
  const { open, state, sent, indexes, wake } = rig(limits.auditOutletEntries + 1);
  const outlet = open();
  outlet.start();
  await settled();
  assert.deepEqual(
    sent.map((some) => some.length),
    [limits.auditOutletEntries, 1],
  );
  assert.equal(state.next, limits.auditOutletEntries + 1);
  state.size += 2;
  wake();
  await settled();
  assert.deepEqual(indexes(), upTo(limits.auditOutletEntries + 3));
  await outlet.stop();
  state.size += 1;
  wake();
  await settled();
  assert.equal(sent.length, 3);
});

test('a receiver that is away is tried again after pauses of up to auditOutletWaitSeconds, and misses nothing', async () => {
  const { open, state, waits, clock, indexes, wake } = rig(3);
  state.away = true;
  const outlet = open();
  outlet.start();
  const most = limits.auditOutletWaitSeconds * 1000;
  const doubled = Math.ceil(Math.log2(most / 1000));
  for (let tries = 0; tries <= doubled + 1; tries += 1) {
    await settled();
    assert.equal(waits.at(-1), Math.min(most, 1000 * 2 ** tries));
    // What happens meanwhile does not make it try any sooner.
    wake();
    await settled();
    assert.equal(waits.length, tries + 1);
    clock.advance(waits.at(-1)!);
  }
  await settled();
  state.away = false;
  state.size = 5;
  clock.advance(most - 1);
  await settled();
  assert.deepEqual(indexes(), []);
  clock.advance(1);
  await settled();
  assert.deepEqual(indexes(), upTo(5));
  await outlet.stop();
});

test('what was sent and not noted before an end is sent again after the next start, and nothing is left out', async () => {
  const { open, state, indexes, sent } = rig(4);
  const first = open();
  first.start();
  await settled();
  await first.stop();
  state.next = 2;
  state.size = 6;
  sent.length = 0;
  const second = open();
  second.start();
  await settled();
  assert.deepEqual(indexes(), [2, 3, 4, 5]);
  await second.stop();
});

test('a log that is broken is told once for each reason, and one from a backup goes on with what is new', async () => {
  const { open, state, sent, wake } = rig(5);
  state.next = 9;
  state.why = 'it was rolled back';
  const outlet = open();
  outlet.start();
  await settled();
  wake();
  await settled();
  assert.deepEqual(sent, [[{ log: 'log', index: null, content: null, broken: 'it was rolled back' }]]);
  state.why = null;
  state.size = 6;
  wake();
  await settled();
  assert.deepEqual(sent.at(-1), [{ log: 'log', index: 5, content: content(5) }]);
  assert.equal(state.next, 6);
  await outlet.stop();
});
