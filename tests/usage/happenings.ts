/** What happens on a platform, at random; what it comes to, counted by hand; and a process that counts and dies. */
import assert from 'node:assert/strict';
import { PlatformError } from '@cloister/protocol';
import fc from 'fast-check';
import type { Archive, Event, Store } from '../../packages/server/src/core/index.ts';
import { type Clock, systemIds } from '../../packages/server/src/lib/index.ts';
import { openUsage } from '../../packages/server/src/usage/index.ts';

export const minute = 60_000;
/** Half an hour before midnight, so that most of what happens is over it. */
export const evening = Date.parse('2027-01-31T23:30:00Z');
export const projects = ['10000001', '10000002'];

/** What of a store counting needs. */
export type Counting = Pick<Store, 'usage' | 'outbox'>;

/** What an export says, without the account. */
interface Line {
  readonly day: string;
  readonly apiKey: string;
  readonly zone: string;
  readonly participantMinutes: number;
  readonly archiveMinutes: number;
  readonly sealedBytes: number;
}

/** An export in JSON as lines `day project zone minutes minutes bytes`, by day. */
export function linesOf(json: string): string[] {
  return (JSON.parse(json) as Line[]).map(({ day, apiKey, zone, participantMinutes, archiveMinutes, sealedBytes }) =>
    [day, apiKey, zone, participantMinutes, archiveMinutes, sealedBytes].join(' '),
  );
}

/** One thing that happens: to one of three connections or archives of a project, some minutes after the last. */
export interface Happening {
  readonly type: (typeof types)[number];
  readonly project: number;
  readonly thing: number;
  readonly after: number;
  readonly bytes: number;
  readonly kept: boolean;
  /** The event is appended once more, as after an answer that was lost. */
  readonly again: boolean;
}

const types = [
  'connection.created',
  'connection.destroyed',
  'archive.started',
  'archive.paused',
  'archive.stopped',
  'archive.available',
  'archive.failed',
  'archive.deleted',
] as const;

export const happening: fc.Arbitrary<Happening> = fc.record({
  // Most are of connections.
  type: fc.constantFrom(...types, 'connection.created' as const, 'connection.destroyed' as const),
  project: fc.nat(1),
  thing: fc.nat(2),
  // A clock that is set back now and then.
  after: fc.oneof({ weight: 9, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.integer({ min: -30, max: 0 }) }),
  bytes: fc.nat(1_000_000),
  kept: fc.boolean(),
  again: fc.boolean(),
});

/** Zones by project, so that each has its own lines. */
const zones = ['any', 'eu'];

export function eventsOf(happenings: readonly Happening[], run: string): Event[] {
  let at = evening;
  return happenings.map(({ type, project, thing, after: later, bytes, kept }) => {
    at += later * minute;
    const projectId = projects[project]!;
    const id = `${run}-${project}-${thing}`;
    const connection = { id, createdAt: at, data: '' };
    const archive = { id, projectId, sessionId: run, name: '', sizeBytes: bytes, kept } as Archive;
    const about = type.startsWith('connection') ? { connection, reason: 'clientDisconnected' } : { archive };
    const stamp = { id: systemIds.uuid(), at, actor: { kind: 'system' }, projectId, sessionId: run, type };
    return { ...stamp, ...about, zone: zones[project] } as unknown as Event;
  });
}

/** The same by hand: a walk over the events, and a minute at a time. */
export function plainly(events: readonly Event[], now: number): string[] {
  const lines = new Map<string, [minutes: number, archive: number, bytes: number]>();
  const add = (at: number, { projectId }: Event, column: 0 | 1 | 2, amount: number) => {
    const zone = zones[projects.indexOf(projectId!)];
    const name = `${new Date(at).toISOString().slice(0, 10)} ${projectId} ${zone}`;
    const line = lines.get(name) ?? [0, 0, 0];
    line[column] += amount;
    lines.set(name, line);
  };
  const clockOf = new Map<string, { from: number | null; event: Event; column: 0 | 1 }>();
  const stop = (name: string, until: number) => {
    const running = clockOf.get(name);
    for (let at = running?.from ?? until; at < until; at += minute) add(at, running!.event, running!.column, 1);
    if (running) running.from = null;
  };
  for (const event of events) {
    const [kind, what] = event.type.split('.') as ['connection' | 'archive', string];
    const about = event as unknown as { connection?: { id: string }; archive?: Archive };
    const name = `${kind} ${about.connection?.id ?? about.archive?.id}`;
    const known = clockOf.get(name);
    if (what === 'created' || what === 'started') {
      if (!known) clockOf.set(name, { from: event.at, event, column: kind === 'connection' ? 0 : 1 });
      else known.from ??= event.at;
    } else if (what !== 'deleted') {
      stop(name, event.at);
      if (what === 'available' || what === 'failed') {
        const bytes = what === 'available' || about.archive!.kept ? about.archive!.sizeBytes : 0;
        if (known && bytes > 0) add(event.at, event, 2, bytes);
      }
      if (what !== 'paused' && what !== 'stopped') clockOf.delete(name);
    }
  }
  for (const name of clockOf.keys()) stop(name, now);
  return [...lines].map(([name, line]) => `${name} ${line.join(' ')}`).sort();
}

/** Numbers from 0 up to 1, evenly: those of fast-check come near the ends more often, and a process that always dies counts nothing. */
export function chanceFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // A linear congruential generator (Numerical Recipes), of which the upper bits are used.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** The store as a process sees it that dies before or after any of its calls, and reads as much as it likes. */
function mortal({ usage, outbox }: Counting, chance: () => number): Counting {
  const died = () => new PlatformError('StoreUnavailable', { why: 'the process has died' });
  const risky =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (chance() < 0.1) throw died();
      const result = await call(...args);
      if (chance() < 0.1) throw died();
      return result;
    };
  return {
    usage: { ...usage, position: risky(usage.position), open: risky(usage.open), count: risky(usage.count) },
    outbox: {
      ...outbox,
      read: risky(async (reader, limit) => {
        const some = await outbox.read(reader, limit);
        return some.slice(0, 1 + Math.floor(chance() * some.length));
      }),
    },
  };
}

/** Counts with processes that die, two of them at a time, until nothing is left. @returns how often one has died */
export async function countMortally(store: Counting, clock: Clock, chance: () => number): Promise<number> {
  let deaths = 0;
  for (;;) {
    const ends = await Promise.allSettled(
      [1, 2].map(() => openUsage({ store: mortal(store, chance), clock, journal: { record() {} } }).export({}, 'json')),
    );
    for (const end of ends) {
      if (end.status === 'fulfilled') continue;
      assert.equal((end.reason as PlatformError).code, 'StoreUnavailable', String(end.reason));
      deaths += 1;
    }
    if ((await store.outbox.read('usage', 1)).length === 0) return deaths;
  }
}
