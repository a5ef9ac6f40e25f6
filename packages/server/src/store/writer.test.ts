import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import type { Database, Outcome, Statement } from './database.ts';
import { type Change, Writer } from './writer.ts';

/** A database that keeps what it is told, and answers when it is let. */
class Script implements Database {
  readonly transactions: (readonly Statement[])[] = [];
  answer: (statements: readonly Statement[]) => Outcome = () => ({ kind: 'done' });
  gate: Promise<void> = Promise.resolve();

  async read(): Promise<unknown[][]> {
    return [];
  }

  async write(statements: readonly Statement[]): Promise<Outcome> {
    this.transactions.push(statements);
    await this.gate;
    return this.answer(statements);
  }

  writeBeside(statements: readonly Statement[]): Promise<Outcome> {
    return this.write(statements);
  }

  onOthers(): void {}
  async lease(): Promise<void> {}
  async close(): Promise<void> {}
}

const change = (name: string): Change => ({ statements: [{ sql: name, params: [] }] });
const names = (statements: readonly Statement[]) => statements.map(({ sql }) => sql);

test('changes that come together share one transaction, in their order', async () => {
  const database = new Script();
  const writer = new Writer(database, () => {});
  await Promise.all(['a', 'b', 'c'].map((name) => writer.write(change(name))));
  assert.deepEqual(database.transactions.map(names), [['a', 'b', 'c']]);
});

test('changes that come during a transaction share the next one', async () => {
  const database = new Script();
  const gate = Promise.withResolvers<void>();
  database.gate = gate.promise;
  const writer = new Writer(database, () => {});
  const first = writer.write(change('a'));
  while (database.transactions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const others = ['b', 'c'].map((name) => writer.write(change(name)));
  gate.resolve();
  await Promise.all([first, ...others]);
  assert.deepEqual(database.transactions.map(names), [['a'], ['b', 'c']]);
});

test('at most writesPerTransaction changes share a transaction', async () => {
  for (const [count, sizes] of [
    [limits.writesPerTransaction, [limits.writesPerTransaction]],
    [limits.writesPerTransaction + 1, [limits.writesPerTransaction, 1]],
  ] as const) {
    const database = new Script();
    const writer = new Writer(database, () => {});
    await Promise.all(Array.from({ length: count }, () => writer.write(change('a'))));
    assert.deepEqual(
      database.transactions.map(({ length }) => length),
      sizes,
    );
  }
});

test('writesWaiting changes wait, one more is refused at once', async () => {
  const writer = new Writer(new Script(), () => {});
  const waiting = Array.from({ length: limits.writesWaiting }, () => writer.write(change('a')));
  await assert.rejects(writer.write(change('a')), { code: 'Overloaded' });
  await Promise.all(waiting);
  assert.deepEqual(await writer.write(change('a')), { kind: 'done' });
});

test('a refused change hurts none of those that shared its transaction', async () => {
  const database = new Script();
  database.answer = (statements) =>
    names(statements).includes('bad') ? { kind: 'refused', sqlState: '23505', constraint: 'x' } : { kind: 'done' };
  const writer = new Writer(database, () => {});
  const outcomes = await Promise.all(['a', 'bad', 'c'].map((name) => writer.write(change(name))));
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['done', 'refused', 'done'],
  );
  assert.deepEqual(database.transactions.map(names), [['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
});

test('a database that does not answer is told to everybody in the transaction, and the next one is tried', async () => {
  const database = new Script();
  const works = database.answer;
  database.answer = () => {
    throw new PlatformError('StoreUnavailable', { why: 'no connection' });
  };
  const writer = new Writer(database, () => {});
  const results = await Promise.allSettled(['a', 'b'].map((name) => writer.write(change(name))));
  assert.ok(results.every(({ status }) => status === 'rejected'));
  assert.equal(database.transactions.length, 1, 'what may have happened is not done again');
  database.answer = works;
  assert.deepEqual(await writer.write(change('c')), { kind: 'done' });
});

test('only commits with events wake those who watch', async () => {
  let woken = 0;
  const writer = new Writer(new Script(), () => {
    woken += 1;
  });
  const event = { id: 'e', projectId: null, event: '{}', personal: null };
  await writer.write(change('a'));
  assert.equal(woken, 0);
  await Promise.all([writer.write({ events: [event] }), writer.write({ appended: [event] })]);
  assert.equal(woken, 1);
});

test('closing writes what waits and refuses what comes', async () => {
  const database = new Script();
  const writer = new Writer(database, () => {});
  const last = writer.write(change('a'));
  await writer.close();
  assert.deepEqual(await last, { kind: 'done' });
  await assert.rejects(writer.write(change('b')), { code: 'Stopping' });
});

test('what is written beside the changes waits for none of them, and is over when the writer has closed', async () => {
  const database = new Script();
  const gate = Promise.withResolvers<void>();
  database.gate = gate.promise;
  const writer = new Writer(database, () => assert.fail('it added no event'));
  const changed = writer.write(change('a'));
  await new Promise((resolve) => setImmediate(resolve));
  const beside = writer.writeBeside([{ sql: 'b', params: [] }]);
  assert.deepEqual(database.transactions.map(names), [['a'], ['b']]);
  const closed = writer.close();
  assert.equal(
    await Promise.race([closed.then(() => 'closed'), new Promise((resolve) => setImmediate(resolve))]),
    undefined,
  );
  gate.resolve();
  assert.deepEqual(await Promise.all([changed, beside]), [{ kind: 'done' }, { kind: 'done' }]);
  await closed;
  await assert.rejects(writer.writeBeside([]), { code: 'Stopping' });
});
