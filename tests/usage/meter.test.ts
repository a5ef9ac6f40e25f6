/** Counting with processes that die, many times over; the rows are in memory here, and real ones in `usage.integration.test.ts`. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Event, OpenUse, Recorded, Store, UsageDay, UsageStore } from '../../packages/server/src/core/index.ts';
import { ManualClock } from '../../packages/server/src/lib/index.ts';
import { addDay } from '../../packages/server/src/usage/count.ts';
import { openUsage } from '../../packages/server/src/usage/index.ts';
import {
  type Counting,
  chanceFrom,
  countMortally,
  evening,
  eventsOf,
  happening,
  linesOf,
  minute,
  plainly,
} from './happenings.ts';

/** An outbox and rows that change as a whole or not at all. */
function inMemory(events: readonly Event[]): Counting & { again(): void } {
  const recorded = events.map((event, index): Recorded => ({ position: index + 1, sequence: index + 1, event }));
  let position = 0;
  let open = new Map<string, OpenUse>();
  let days = new Map<string, UsageDay>();
  const usage: UsageStore = {
    position: async () => position,
    open: async (ids, projects) =>
      [...open.values()].filter(
        ({ kind, id, projectId }) => ids.includes(id) || (kind === 'archive' && projects.includes(projectId)),
      ),
    async count(step) {
      if (step.from !== position) return false;
      position = step.position;
      for (const use of step.open) open.set(`${use.kind} ${use.id}`, use);
      for (const { kind, id } of step.ended) open.delete(`${kind} ${id}`);
      for (const day of step.days) addDay(days, day);
      return true;
    },
    search: async () => ({
      days: [...days.values()].map((day) => ({ ...day, accountId: null })),
      open: [...open.values()].map((use) => ({ ...use, accountId: null })),
    }),
  };
  const outbox = {
    read: async (_reader: string, limit: number) => recorded.slice(position, position + limit),
  } as Store['outbox'];
  return {
    usage,
    outbox,
    again() {
      position = 0;
      open = new Map();
      days = new Map();
    },
  };
}

it('comes to what a plain count says, wherever the processes that count die, and again when it is counted again', async () => {
  let deaths = 0;
  let busiest = 0;
  const sequences = fc.array(happening, { minLength: 1, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(sequences, fc.integer(), async (happenings, seed) => {
      const events = eventsOf(happenings, 'run');
      const store = inMemory(events);
      const now = Math.max(...events.map(({ at }) => at), evening) + 90 * minute;
      const clock = new ManualClock(now);
      deaths += await countMortally(store, clock, chanceFrom(seed));
      const expected = plainly(events, now);
      busiest = Math.max(busiest, expected.length);
      const exported = async () =>
        linesOf(await openUsage({ store, clock, journal: { record() {} } }).export({}, 'json'));
      assert.deepEqual((await exported()).sort(), expected);
      store.again();
      assert.deepEqual((await exported()).sort(), expected);
    }),
    { numRuns: 300 },
  );
  assert.ok(deaths > 300 && busiest > 3, `${deaths} deaths, at most ${busiest} lines`);
});
