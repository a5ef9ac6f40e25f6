import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { ManualClock } from '../lib/index.ts';
import { fieldTable, type LogFields } from './fields.ts';
import { createLogger, type LogOptions } from './logger.ts';

function setUp(options: LogOptions = {}) {
  const lines: string[] = [];
  const logger = createLogger({ write: (line) => lines.push(line) }, { clock: new ManualClock(0), ...options });
  return { logger, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') };
}

/** For what the types refuse, to see that the code refuses it as well. */
const forced = (fields: Record<string, unknown>): LogFields => fields as LogFields;

test('a line is one JSON object with level, time, message and fields', () => {
  const { logger, lines } = setUp();
  logger.record('warn', 'a worker is slow', { worker: 7, durationMs: 1200, why: 'no answer', zone: null });
  assert.deepEqual(lines, [
    '{"level":"warn","time":"1970-01-01T00:00:00.000Z","worker":7,"durationMs":1200,"why":"no answer","zone":null,"message":"a worker is slow"}\n',
  ]);
});

test('lines below the level are not written', () => {
  const { logger, lines } = setUp({ level: 'warn' });
  logger.record('debug', 'one');
  logger.record('info', 'two');
  logger.record('warn', 'three');
  logger.record('error', 'four');
  assert.equal(lines.length, 2);
});

test('an undeclared or secret field and a message with something in it do not compile', () => {
  const { logger, last } = setUp();
  const who: string = 'somebody';
  // @ts-expect-error an undeclared field
  logger.record('info', 'undeclared', { colour: 'red' });
  assert.equal('colour' in last(), false);
  // @ts-expect-error a secret field
  logger.record('info', 'secret', { token: 'T1==' });
  assert.equal('token' in last(), false);
  // @ts-expect-error a value of the wrong type
  logger.record('info', 'wrong type', { count: 'many' });
  assert.equal('count' in last(), false);
  // @ts-expect-error an interpolated message
  logger.record('info', `hello ${who}`);
  // @ts-expect-error a message put together
  logger.record('info', who);
});

test('personal fields are dropped, secret ones too, whatever the types were told', () => {
  const { logger, last } = setUp();
  const all = Object.fromEntries(
    Object.entries(fieldTable).map(([name, { type }]) => [name, type === 'number' ? 1 : 'marker']),
  );
  logger.record('info', 'everything', forced(all));
  for (const [name, field] of Object.entries(fieldTable)) {
    const kept = field.class === 'public' || field.class === 'pseudonym';
    assert.equal(name in last(), kept, name);
  }
});

test('what a field inherits or hides in an object is not written', () => {
  const { logger, lines } = setUp();
  logger.record(
    'info',
    'odd',
    forced({ why: { secret: 'marker' }, constructor: 'marker', __proto__: { code: 'marker' } }),
  );
  logger.record('info', 'odd', forced({ toString: 'marker', error: ['marker'], count: 1n }));
  assert.doesNotMatch(lines.join(''), /marker/);
});

test('identifiers of sessions and clients are written as pseudonyms that hold while the key does', () => {
  const pseudonymKey = new Uint8Array(32).fill(7);
  const one = setUp({ pseudonymKey });
  one.logger.record('info', 'joined', { sessionId: '1_abc', connectionId: '1_abc', projectId: '100' });
  const { sessionId, connectionId, projectId } = one.last();
  assert.match(String(sessionId), /^[\w-]{12}$/);
  assert.notEqual(sessionId, connectionId, 'equal values in two fields are two pseudonyms');
  assert.equal(projectId, '100');
  assert.equal(one.logger.pseudonym('sessionId', '1_abc'), sessionId);
  assert.equal(setUp({ pseudonymKey }).logger.pseudonym('sessionId', '1_abc'), sessionId);
  assert.notEqual(setUp().logger.pseudonym('sessionId', '1_abc'), sessionId, 'another process without a key');
});

test('addresses are taken out of every text', () => {
  const { logger, lines } = setUp();
  logger.record('warn', 'the worker at 192.0.2.1 complains', { line: 'from [2001:db8::1]:5000', error: 'x ::1 y' });
  assert.doesNotMatch(lines.join(''), /192|2001|::1/);
});

test('property: no address handed to any text field is in the line', () => {
  const texts = (Object.keys(fieldTable) as (keyof typeof fieldTable)[]).filter(
    (name) => fieldTable[name].type === 'string',
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.oneof(
        fc.ipV4(),
        fc.ipV6().filter((six) => six.length > 6),
      ),
      (name, address) => {
        const { logger, lines } = setUp();
        logger.record('info', 'a line', forced({ [name]: `peer ${address} left` }));
        assert.ok(!lines.join('').includes(address), lines.join(''));
      },
    ),
  );
});

test('logTextChars characters are written whole and one more is cut', () => {
  const { logger, last } = setUp();
  logger.record('info', 'long', { error: 'x'.repeat(limits.logTextChars) });
  assert.equal(String(last().error).length, limits.logTextChars);
  logger.record('info', 'long', { error: 'x'.repeat(limits.logTextChars + 1) });
  assert.equal(last().error, `${'x'.repeat(limits.logTextChars)}…`);
  logger.record('info', 'long', { error: `${'x'.repeat(limits.logTextChars - 4)} 192.0.2.1` });
  assert.doesNotMatch(String(last().error), /192/, 'no half of an address');
});

test('a sink that fails breaks nothing, and the next line says how many were lost', () => {
  const lines: string[] = [];
  let broken = true;
  const logger = createLogger({
    write(line) {
      if (broken) throw new Error('disk full');
      lines.push(line);
    },
  });
  logger.record('info', 'lost');
  logger.record('info', 'lost');
  broken = false;
  logger.record('info', 'kept');
  logger.record('info', 'kept');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).lost),
    [2, undefined],
  );
});
