import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { ManualClock, systemIds } from '../lib/index.ts';
import { makeLeg, makeWord } from '../store/store-fixture.ts';
import type { Actor, Event } from './event.ts';
import type { Act, Journal, JournalFields, Store } from './ports.ts';
import { type NewEvent, Recorder } from './recorder.ts';

const actor: Actor = { kind: 'system' };
const retryMs = 500;

let clock: ManualClock;
let written: Event[];
let journaled: { message: string; fields: JournalFields }[];
/** What the database says to a batch; nothing means that it takes it. */
let answer: (events: readonly Event[]) => Promise<void> | void;
let acts: Act[];
let recorder: Recorder;

beforeEach(() => {
  clock = new ManualClock();
  written = [];
  journaled = [];
  acts = [];
  answer = () => {};
  const append = async (events: readonly Event[]) => {
    await answer(events);
    written.push(...events);
  };
  const store = { outbox: { append } } as unknown as Store;
  const journal: Journal = { record: (_level, message, fields = {}) => void journaled.push({ message, fields }) };
  recorder = new Recorder({ clock, ids: systemIds, store, journal, audit: { note: (act) => void acts.push(act) } });
});

const away = () => {
  throw new PlatformError('StoreUnavailable', { why: 'no connection' });
};
const settle = () => new Promise(setImmediate);

function muted(streamId: string): NewEvent {
  return { type: 'stream.muted', projectId: '1', sessionId: 'session', streamId };
}

function signal(to: string): NewEvent {
  return { type: 'signal.sent', projectId: '1', sessionId: 'session', toConnectionId: to };
}

const signals = () => written.map((event) => event.type === 'signal.sent' && event.toConnectionId);

/** Time passes, one retry after the other. */
async function wait(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += retryMs) {
    clock.advance(retryMs);
    await settle();
  }
}

describe('a flush', () => {
  it('ends with what was recorded before it, however much keeps coming', async () => {
    let running = true;
    answer = async (events) => {
      await settle();
      if (running && events.length > 0) recorder.record(actor, signal('another'));
    };
    recorder.record(actor, signal('first'));
    const flushed = recorder.flush().then(() => 'flushed');
    for (let turn = 0; turn < 20; turn += 1) await settle();
    assert.equal(await Promise.race([flushed, Promise.resolve('hangs')]), 'flushed');
    assert.equal(signals()[0], 'first');
    running = false;
    await recorder.flush();
  });

  it('is refused with a typed error when the database stays away, and not before', async () => {
    answer = away;
    recorder.record(actor, signal('first'));
    let code: string | null = null;
    recorder.flush().catch((error: PlatformError) => {
      code = error.code;
    });
    await settle();
    clock.advance(limits.recordFlushSeconds * 1000 - 1);
    await settle();
    assert.equal(code, null);
    clock.advance(1);
    await settle();
    assert.equal(code, 'StoreUnavailable');
    answer = () => {};
    await wait(retryMs);
    await recorder.flush();
    assert.deepEqual(signals(), ['first']);
  });

  it('ends at once when the store is closed for good', async () => {
    answer = () => {
      throw new PlatformError('Stopping');
    };
    recorder.record(actor, signal('first'));
    await assert.rejects(recorder.flush(), { code: 'Stopping' });
    assert.deepEqual(journaled.at(-1)?.fields, { count: 1 });
    await recorder.flush();
  });
});

describe('a database that is away', () => {
  it('loses nothing and changes no order', async () => {
    answer = away;
    recorder.record(actor, signal('1'));
    await settle();
    recorder.record(actor, signal('2'));
    await wait(20 * retryMs);
    answer = () => {};
    recorder.record(actor, signal('3'));
    await wait(retryMs);
    assert.deepEqual(signals(), ['1', '2', '3']);
  });

  it('lets something new begin up to recordsWaiting events, then no more until there is room', async () => {
    answer = away;
    for (let count = 1; count < limits.recordsWaiting; count += 1) recorder.record(actor, signal('x'));
    recorder.requireRoom();
    recorder.record(actor, signal('x'));
    assert.throws(() => recorder.requireRoom(), { code: 'Overloaded' });
    answer = () => {};
    await settle();
    await wait(retryMs);
    await recorder.flush();
    recorder.requireRoom();
    assert.equal(written.length, limits.recordsWaiting);
  });

  it('keeps the newest of what was said again, and all that ends something, past recordsWaiting', async () => {
    answer = away;
    for (let count = 0; count < limits.recordsWaiting; count += 1) recorder.record(actor, signal('x'));
    for (let count = 0; count < 10; count += 1) recorder.record(actor, muted('a'));
    recorder.record({ kind: 'operator', via: 'cli' }, muted('a'));
    recorder.record(actor, muted('b'));
    for (let count = 0; count < 3; count += 1) {
      recorder.record(actor, { type: 'session.ended', projectId: '1', sessionId: 'session' });
    }
    answer = () => {};
    await settle();
    await recorder.flush();
    assert.deepEqual(
      written.slice(limits.recordsWaiting).map(({ type }) => type),
      ['stream.muted', 'stream.muted', 'stream.muted', 'session.ended', 'session.ended', 'session.ended'],
    );
  });

  it('keeps the newest of what the two ends of a leg said, past recordsWaiting, whoever said it', async () => {
    answer = away;
    for (let count = 0; count < limits.recordsWaiting; count += 1) recorder.record(actor, signal('x'));
    for (const [connectionId, at] of [
      ['one', 1],
      ['other', 2],
      ['one', 3],
    ] as const) {
      const words = [makeWord({ at })];
      const reported = { type: 'leg.reported', projectId: '1', sessionId: 'session', legId: 'a' } as const;
      recorder.record({ kind: 'connection', connectionId }, { ...reported, leg: makeLeg(), words });
    }
    answer = () => {};
    await settle();
    await recorder.flush();
    const reports = written.flatMap((event) => (event.type === 'leg.reported' ? event.words.map(({ at }) => at) : []));
    assert.deepEqual(reports.at(-1), 3);
  });

  it('takes recordsPerWrite events in one transaction, and no more', async () => {
    const sizes: number[] = [];
    answer = (events) => void sizes.push(events.length);
    for (let count = 0; count <= limits.recordsPerWrite; count += 1) recorder.record(actor, signal('x'));
    await recorder.flush();
    assert.deepEqual(sizes, [limits.recordsPerWrite, 1]);
  });
});

describe('an event that the database refuses', () => {
  const refuse = (code: 'Internal' | 'KeyUnavailable') => (events: readonly Event[]) => {
    const bad = events.some((event) => event.type === 'signal.sent' && event.toConnectionId === 'bad');
    if (bad) throw new PlatformError(code);
  };

  it('does not stop the others, and is given up after recordTries with a line in the journal', async () => {
    answer = refuse('Internal');
    for (const to of ['1', '2', 'bad', '3']) recorder.record(actor, signal(to));
    await settle();
    assert.deepEqual(signals(), ['1', '2', '3']);
    await wait((limits.recordTries - 2) * retryMs);
    assert.deepEqual(journaled, []);
    await wait(retryMs);
    assert.deepEqual(
      journaled.map(({ fields }) => fields),
      [
        {
          event: 'signal.sent',
          projectId: '1',
          sessionId: 'session',
          attempt: limits.recordTries,
          why: 'Internal',
        },
      ],
    );
    await recorder.flush();
    recorder.record(actor, signal('4'));
    await wait(retryMs);
    assert.deepEqual(signals(), ['1', '2', '3', '4']);
  });

  it('is written by its last try', async () => {
    answer = refuse('Internal');
    for (const to of ['bad', '1']) recorder.record(actor, signal(to));
    await settle();
    await wait((limits.recordTries - 2) * retryMs);
    answer = () => {};
    await wait(retryMs);
    assert.deepEqual(signals(), ['1', 'bad']);
    assert.deepEqual(journaled, []);
  });

  it('is kept while a key is missing and nothing else is written either', async () => {
    answer = refuse('KeyUnavailable');
    recorder.record(actor, signal('bad'));
    await wait(3 * limits.recordTries * retryMs);
    answer = () => {};
    await wait(retryMs);
    assert.deepEqual(signals(), ['bad']);
  });
});

describe('the audit', () => {
  it('learns who did what to whom, when, and that it is done', async () => {
    await recorder.change(actor, { type: 'project.created', projectId: '1' }, async () => {});
    recorder.record(actor, muted('a'));
    const at = clock.now();
    const rest = { at, actor, projectId: '1', outcome: 'done', code: null };
    assert.deepEqual(acts, [
      { ...rest, action: 'project.created', subject: { kind: 'project', id: '1' } },
      { ...rest, action: 'stream.muted', subject: { kind: 'stream', id: 'a' } },
    ]);
  });

  it('learns of a change that failed, with the code, and the caller gets the error', async () => {
    const change = recorder.change(actor, { type: 'project.deleted', projectId: '1' }, async () => away());
    await assert.rejects(change, { code: 'StoreUnavailable' });
    assert.deepEqual(
      acts.map(({ action, outcome, code }) => [action, outcome, code]),
      [['project.deleted', 'failed', 'StoreUnavailable']],
    );
  });

  it('hears nothing of what is not about security', () => {
    recorder.record(actor, signal('x'));
    const connection = { id: 'c', createdAt: 1, data: 'Dr. Adams' };
    const gone = { type: 'connection.destroyed', projectId: '1', sessionId: 's', connection } as const;
    recorder.record(actor, { ...gone, reason: 'clientDisconnected' });
    assert.deepEqual(acts, []);
    recorder.record(actor, { ...gone, reason: 'forceDisconnected' });
    assert.equal(acts.length, 1);
    assert.doesNotMatch(JSON.stringify(acts), /Adams/);
  });
});
