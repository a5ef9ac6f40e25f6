/**
 * What events come to: a function of the events and of what was open before them, and of nothing else. So the same events give the
 * same figures, in steps of any size.
 *
 * - A participant's time goes from `connection.created` to `connection.destroyed`. What a killed server left open is ended by the next start, as in
 *   the record.
 * - An archive's time goes from `archive.started` to `archive.paused` or its end, so without its pauses.
 * - Sealed bytes are those of an archive that became available, was uploaded, or failed with something that is kept; once for each.
 *
 * Times are those of the events. A clock that went back gives no negative time. What is said twice of one connection or archive counts once.
 */
import type { Event, EventOf, OpenUse, UsageDay, UsageStep } from '../core/index.ts';

/** The zone of events of a version that did not name it. */
const anyZone = 'any';
const dayMs = 86_400_000;

export type Counted = Pick<UsageStep, 'owners' | 'open' | 'ended' | 'days'>;

/** Of one time span, each day (such as 2027-01-31, of UTC) with its milliseconds. */
export function* byDay(from: number, until: number): Generator<readonly [day: string, ms: number]> {
  for (let at = from; at < until; ) {
    const next = Math.min(until, (Math.floor(at / dayMs) + 1) * dayMs);
    yield [dayOf(at), next - at];
    at = next;
  }
}

/** The day of UTC that a time lies in. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Which open connections and archives these events may be about, and the projects whose archives end with them. */
export function concerned(events: readonly Event[]): { readonly ids: string[]; readonly projectIds: string[] } {
  const ids = events.flatMap((event) => {
    if (event.type === 'connection.created' || event.type === 'connection.destroyed') return [event.connection.id];
    return 'archive' in event ? [event.archive.id] : [];
  });
  const gone = events.flatMap((event) => (event.type === 'project.deleted' ? [event.projectId] : []));
  return { ids: [...new Set(ids)], projectIds: [...new Set(gone)] };
}

/**
 * @param before what of `concerned` was open before the first event
 * @param events in their order, each once
 */
export function count(before: readonly OpenUse[], events: readonly Event[]): Counted {
  const tally = new Tally(before);
  for (const event of events) tally.take(event);
  return tally.result();
}

class Tally {
  readonly #before: ReadonlyMap<string, OpenUse>;
  readonly #open: Map<string, OpenUse>;
  readonly #owners = new Map<string, string>();
  readonly #days = new Map<string, UsageDay>();

  constructor(before: readonly OpenUse[]) {
    this.#before = new Map(before.map((use) => [nameOf(use), use]));
    this.#open = new Map(this.#before);
  }

  take(event: Event): void {
    switch (event.type) {
      case 'project.created':
        if (event.accountId !== undefined) this.#owners.set(event.projectId, event.accountId);
        break;
      case 'connection.created':
        this.#begin({ kind: 'connection', id: event.connection.id, ...placeOf(event), since: event.at });
        break;
      case 'connection.destroyed':
        this.#end({ kind: 'connection', id: event.connection.id }, event.at);
        break;
      case 'archive.started':
        this.#begin({ kind: 'archive', id: event.archive.id, ...placeOf(event), since: event.at });
        break;
      case 'archive.paused':
      case 'archive.stopped':
        this.#pause({ kind: 'archive', id: event.archive.id }, event.at);
        break;
      case 'archive.available':
      case 'archive.uploaded':
      case 'archive.failed':
        this.#endArchive(event);
        break;
      case 'project.deleted':
        this.#endArchivesOf(event);
    }
  }

  result(): Counted {
    return {
      owners: [...this.#owners].map(([projectId, accountId]) => ({ projectId, accountId })),
      open: [...this.#open].filter(([name, use]) => this.#before.get(name) !== use).map(([, use]) => use),
      ended: [...this.#before].filter(([name]) => !this.#open.has(name)).map(([, { kind, id }]) => ({ kind, id })),
      days: [...this.#days.values()],
    };
  }

  /** Begins, or goes on after a pause. */
  #begin(use: OpenUse): void {
    const before = this.#open.get(nameOf(use));
    if (before && before.since !== null) return;
    this.#open.set(nameOf(use), before ? { ...before, since: use.since } : use);
  }

  #pause(use: Pick<OpenUse, 'kind' | 'id'>, at: number): void {
    const open = this.#open.get(nameOf(use));
    if (!open || open.since === null) return;
    this.#addTime(open, open.since, at);
    this.#open.set(nameOf(use), { ...open, since: null });
  }

  #end(use: Pick<OpenUse, 'kind' | 'id'>, at: number): OpenUse | null {
    this.#pause(use, at);
    const open = this.#open.get(nameOf(use)) ?? null;
    this.#open.delete(nameOf(use));
    return open;
  }

  #endArchive({ type, at, archive }: EventOf<'archive.available' | 'archive.uploaded' | 'archive.failed'>): void {
    const ended = this.#end({ kind: 'archive', id: archive.id }, at);
    const sealedBytes = type === 'archive.failed' && !archive.kept ? 0 : archive.sizeBytes;
    if (ended && sealedBytes > 0) this.#add(ended, dayOf(at), { sealedBytes });
  }

  /** They are gone with their project, and say nothing more; its connections do. */
  #endArchivesOf({ projectId, at }: EventOf<'project.deleted'>): void {
    for (const use of [...this.#open.values()]) {
      if (use.kind === 'archive' && use.projectId === projectId) this.#end(use, at);
    }
  }

  #addTime(use: OpenUse, from: number, until: number): void {
    const of = use.kind === 'connection' ? 'participantMs' : 'archiveMs';
    for (const [day, ms] of byDay(from, until)) this.#add(use, day, { [of]: ms });
  }

  #add({ projectId, zone }: OpenUse, day: string, more: Partial<UsageDay>): void {
    addDay(this.#days, { projectId, zone, day, participantMs: 0, archiveMs: 0, sealedBytes: 0, ...more });
  }
}

/** Adds to the day of the same project and zone. */
export function addDay<Day extends UsageDay>(days: Map<string, Day>, more: Day): void {
  const name = `${more.day} ${more.projectId} ${more.zone}`;
  const before = days.get(name);
  if (!before) return void days.set(name, more);
  days.set(name, {
    ...before,
    participantMs: before.participantMs + more.participantMs,
    archiveMs: before.archiveMs + more.archiveMs,
    sealedBytes: before.sealedBytes + more.sealedBytes,
  });
}

function nameOf({ kind, id }: Pick<OpenUse, 'kind' | 'id'>): string {
  return `${kind} ${id}`;
}

function placeOf({ projectId, zone = anyZone }: { projectId: string; zone?: string }) {
  return { projectId, zone };
}
