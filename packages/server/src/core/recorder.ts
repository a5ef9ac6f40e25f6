/**
 * Records events of running calls: in order, in batches, without making a call wait for the database. What cannot be
 * written at once is kept and tried again; a leave or a mute is never refused for want of a log.
 *
 * The queue is bounded by who may add to it. From `recordsWaiting` on, what begins something new is refused
 * (`requireRoom`: joining, publishing, subscribing, signals), and a change that was said already and still waits (a mute
 * of the same stream by the same actor, a report on the same leg by anybody) is replaced by the newer one, which holds all that the
 * older said. What is left comes from what is open already, and that ends once.
 *
 * An event that is refused while the database answers is tried `recordTries` times and then given up, with its type and
 * session in the journal: one that can never be written does not keep the others from the record.
 */
import { limits, PlatformError } from '@cloister/protocol';
import type { Cancel, Clock, Ids } from '../lib/index.ts';
import { actOf } from './audit.ts';
import type { Actor, Event, EventType } from './event.ts';
import type { Audit, Journal, Store } from './ports.ts';

/** An event without the fields that the recorder fills in. */
type Unstamped<E extends Event> = E extends Event ? Omit<E, 'id' | 'at' | 'actor'> : never;
export type NewEvent = Unstamped<Event>;
export type NewEventOf<Type extends EventType> = Extract<NewEvent, { type: Type }>;

interface Entry {
  readonly place: number;
  event: Event;
  tries: number;
  /** On its way to the database: not replaced any more. */
  sent: boolean;
  /** Written, or given up. */
  settled: boolean;
}

interface Flush {
  readonly tail: number;
  readonly cancelTimer: Cancel;
  resolve(): void;
  reject(error: PlatformError): void;
}

interface RecorderDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly journal: Journal;
  readonly audit: Audit;
}

const retryMs = 500;

export class Recorder {
  readonly #deps: RecorderDeps;
  /** In order; what is being written is still in it. */
  #waiting: Entry[] = [];
  /** Those that a newer event may replace, by what they are about. Filled only while the queue is full. */
  readonly #replaceable = new Map<string, Entry>();
  readonly #flushes = new Set<Flush>();
  #last = 0;
  #writing = false;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Makes a change that writes its event in its own transaction. The audit learns how it ended. */
  async change<Result>(actor: Actor, event: NewEvent, write: (event: Event) => Promise<Result>): Promise<Result> {
    const stamped = this.stamp(actor, event);
    try {
      const result = await write(stamped);
      this.#note(stamped);
      return result;
    } catch (thrown) {
      this.#recordFailure(stamped, thrown);
      throw thrown;
    }
  }

  /** Gives an event its id and time. */
  stamp(actor: Actor, event: NewEvent): Event {
    return { ...event, id: this.#deps.ids.uuid(), at: this.#deps.clock.now(), actor } as Event;
  }

  /** Records an event of a running call, after all that were recorded before. */
  record(actor: Actor, event: NewEvent): void {
    const stamped = this.stamp(actor, event);
    this.#note(stamped);
    this.#enqueue(stamped);
    if (this.#writing) return;
    this.#writing = true;
    void this.#write();
  }

  /** Asked before something new begins. @throws PlatformError `Overloaded` while too many events wait */
  requireRoom(): void {
    if (!this.#full) return;
    throw new PlatformError('Overloaded', { why: `${limits.recordsWaiting} events wait for the database` });
  }

  /**
   * Resolves when all that was recorded before the call is durable; what comes later is not waited for.
   * @throws PlatformError `StoreUnavailable` when that takes longer than `recordFlushSeconds`, `Stopping`
   */
  async flush(): Promise<void> {
    const tail = this.#last;
    if (this.#reached(tail)) return;
    const seconds = limits.recordFlushSeconds;
    await new Promise<void>((resolve, reject) => {
      const late = () => {
        this.#flushes.delete(flush);
        reject(
          new PlatformError('StoreUnavailable', { why: `events of calls wait for it for more than ${seconds} s` }),
        );
      };
      const flush: Flush = { tail, resolve, reject, cancelTimer: this.#deps.clock.after(seconds * 1000, late) };
      this.#flushes.add(flush);
    });
  }

  #note(event: Event): void {
    const act = actOf(event);
    if (act) this.#deps.audit.note(act);
  }

  /** What was tried and failed is recorded too, but never grows the queue without end. */
  #recordFailure(event: Event, thrown: unknown): void {
    const act = actOf(event, { thrown });
    if (!act || act.code === null) return;
    const { actor, action, subject, projectId, code } = act;
    if (this.#full) this.#deps.audit.note(act);
    else this.record(actor, { type: 'act.failed', projectId, action, subject, code });
  }

  get #full(): boolean {
    return this.#waiting.length >= limits.recordsWaiting;
  }

  #reached(tail: number): boolean {
    return (this.#waiting[0]?.place ?? Number.POSITIVE_INFINITY) > tail;
  }

  #enqueue(event: Event): void {
    const subject = this.#full ? subjectOf(event) : null;
    const older = subject === null ? undefined : this.#replaceable.get(subject);
    if (older && !older.sent && !older.settled) {
      older.event = event;
      return;
    }
    this.#last += 1;
    const entry: Entry = { place: this.#last, event, tries: 0, sent: false, settled: false };
    this.#waiting.push(entry);
    if (subject !== null) this.#replaceable.set(subject, entry);
  }

  async #write(): Promise<void> {
    // One turn later: what happens together is written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, limits.recordsPerWrite);
      const clean = await this.#writeBatch(batch);
      this.#waiting = this.#waiting.filter(({ settled }) => !settled);
      if (!this.#full) this.#replaceable.clear();
      for (const flush of this.#flushes) if (this.#reached(flush.tail)) this.#end(flush);
      if (!clean) await new Promise<void>((resolve) => this.#deps.clock.after(retryMs, resolve));
    }
    this.#writing = false;
  }

  /** @returns whether all of it was written. */
  async #writeBatch(batch: readonly Entry[]): Promise<boolean> {
    for (const entry of batch) entry.sent = true;
    const refused = new Map<Entry, unknown>();
    try {
      await this.#append(batch, refused);
    } catch (cause) {
      const { waiting, why } = { waiting: this.#waiting.length, why: nameOf(cause) };
      if (codeOf(cause) === 'Stopping') this.#abandon(cause as PlatformError);
      else this.#deps.journal.record('error', 'events of running calls wait for the database', { waiting, why });
    }
    for (const entry of batch) entry.sent = false;
    const clean = batch.every(({ settled }) => settled);
    const taken = batch.some(({ settled }) => settled);
    for (const [entry, cause] of refused) {
      // A key is also missing while the database is away, which its count of seals waits for: that is no try.
      if (taken || codeOf(cause) !== 'KeyUnavailable') this.#countTry(entry, cause);
    }
    return clean;
  }

  /** Writes a batch; where something in it is refused, its halves, down to the one that is. @throws what says that the database is away */
  async #append(batch: readonly Entry[], refused: Map<Entry, unknown>): Promise<void> {
    try {
      await this.#deps.store.outbox.append(batch.map(({ event }) => event));
      for (const entry of batch) entry.settled = true;
    } catch (cause) {
      if (isAway(cause)) throw cause;
      if (batch.length === 1) {
        refused.set(batch[0]!, cause);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await this.#append(batch.slice(0, half), refused);
      await this.#append(batch.slice(half), refused);
    }
  }

  #countTry(entry: Entry, cause: unknown): void {
    const { event } = entry;
    entry.tries += 1;
    if (entry.tries < limits.recordTries) return;
    entry.settled = true;
    this.#deps.journal.record('error', 'an event could not be recorded and was given up', {
      event: event.type,
      projectId: event.projectId,
      sessionId: 'sessionId' in event ? event.sessionId : null,
      attempt: entry.tries,
      why: nameOf(cause),
    });
  }

  /** The store is closed for good: nothing that waits can be written any more. */
  #abandon(cause: PlatformError): void {
    const count = this.#waiting.length;
    for (const entry of this.#waiting) entry.settled = true;
    this.#deps.journal.record('error', 'events of running calls are lost: the store was closed before them', { count });
    for (const flush of this.#flushes) this.#end(flush, cause);
  }

  #end(flush: Flush, error?: PlatformError): void {
    this.#flushes.delete(flush);
    flush.cancelTimer();
    if (error) flush.reject(error);
    else flush.resolve();
  }
}

/** What an event is about, where a newer one about the same says all that an older one did. */
function subjectOf(event: Event): string | null {
  const by = JSON.stringify(event.actor);
  // Whoever speaks: a report has the words of both ends, so the last is the one to be kept.
  if (event.type === 'leg.reported') return `${event.type} ${event.legId}`;
  if (event.type === 'stream.updated') return `${event.type} ${event.streamId} ${event.changed} ${by}`;
  if (event.type === 'stream.muted') return `${event.type} ${event.streamId} ${by}`;
  if (event.type === 'session.muted') return `${event.type} ${event.sessionId} ${by}`;
  return null;
}

/** Whether the database, not the event, is what failed. */
function isAway(cause: unknown): boolean {
  return ['StoreUnavailable', 'Overloaded', 'Stopping'].includes(codeOf(cause) ?? '');
}

function codeOf(cause: unknown): string | null {
  return cause instanceof PlatformError ? cause.code : null;
}

function nameOf(cause: unknown): string {
  return codeOf(cause) ?? (cause instanceof Error ? cause.name : 'unknown');
}
