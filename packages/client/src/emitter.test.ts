import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Emitter } from './emitter.ts';
import { type Event, makeEvent } from './events.ts';

interface Events {
  one: Event<'one', null> & { value: number };
  two: Event<'two', null>;
}

function one(value = 1) {
  return makeEvent('one', null, { value }, true);
}

test('handlers run in the order they were added, with the event', () => {
  const emitter = new Emitter<Events>();
  const seen: string[] = [];
  emitter.on('one', (event) => seen.push(`first ${event.value}`));
  emitter.on('one', () => seen.push('second'));
  emitter.dispatch(one(5));
  assert.deepEqual(seen, ['first 5', 'second']);
});

test('several names are separated by spaces', () => {
  const emitter = new Emitter<Events>();
  const handler = mock.fn();
  emitter.on('one  two', handler);
  emitter.dispatch(one());
  emitter.dispatch(makeEvent('two', null));
  assert.equal(handler.mock.callCount(), 2);
});

test('a map of handlers, with a context that becomes this', () => {
  const emitter = new Emitter<Events>();
  const context = { seen: 0 };
  function count(this: typeof context) {
    this.seen++;
  }
  emitter.on({ one: count, two: count }, context);
  emitter.dispatch(one());
  emitter.dispatch(makeEvent('two', null));
  assert.equal(context.seen, 2);
});

test('without a context this is the emitter', () => {
  const emitter = new Emitter<Events>();
  let seen: unknown;
  emitter.on('one', function (this: unknown) {
    seen = this;
  });
  emitter.dispatch(one());
  assert.equal(seen, emitter);
});

test('once runs once, also when its handler dispatches again', () => {
  const emitter = new Emitter<Events>();
  const handler = mock.fn(() => emitter.dispatch(one()));
  emitter.once('one', handler);
  emitter.dispatch(one());
  assert.equal(handler.mock.callCount(), 1);
});

test('off removes one handler, one context, a name, a map, or all', () => {
  const emitter = new Emitter<Events>();
  const [kept, gone] = [mock.fn(), mock.fn()];
  const [mine, theirs] = [{}, {}];
  emitter.on('one', kept);
  emitter.on('one', gone);
  emitter.off('one', gone);
  emitter.on('one', gone, theirs);
  emitter.off('one', gone, theirs);
  emitter.on('one', kept, mine);
  emitter.dispatch(one());
  assert.deepEqual([kept.mock.callCount(), gone.mock.callCount()], [2, 0]);
  emitter.off('one', undefined, mine);
  emitter.dispatch(one());
  assert.equal(kept.mock.callCount(), 3);
  emitter.off({ one: kept });
  emitter.on('two', kept);
  emitter.off('two');
  emitter.on('one two', kept);
  emitter.off();
  emitter.dispatch(one());
  emitter.dispatch(makeEvent('two', null));
  assert.equal(kept.mock.callCount(), 3);
});

test('a handler removed while it is being dispatched to others still gets this event', () => {
  const emitter = new Emitter<Events>();
  const last = mock.fn();
  emitter.on('one', () => emitter.off('one', last));
  emitter.on('one', last);
  emitter.dispatch(one());
  emitter.dispatch(one());
  assert.equal(last.mock.callCount(), 1);
});

test('a handler that throws keeps nobody else from being told', (context) => {
  context.mock.method(console, 'error', () => undefined);
  const emitter = new Emitter<Events>();
  const after = mock.fn();
  emitter.on('one', () => {
    throw new Error('mine');
  });
  emitter.on('one', after);
  emitter.dispatch(one());
  assert.equal(after.mock.callCount(), 1);
});

test('the default action runs after the handlers unless one prevented it', () => {
  const emitter = new Emitter<Events>();
  const byDefault = mock.fn();
  emitter.dispatch(one(), byDefault);
  emitter.once('one', (event) => event.preventDefault());
  emitter.dispatch(one(), byDefault);
  assert.equal(byDefault.mock.callCount(), 1);
});

test('an event that cannot be cancelled is not prevented', () => {
  const event = makeEvent('two', null);
  event.preventDefault();
  assert.equal(event.isDefaultPrevented(), false);
  assert.equal(event.cancelable, false);
});

test('something that is no handler is refused at once', () => {
  assert.throws(() => new Emitter<Events>().on('one', undefined as never), /handler of one is not a function/);
});

test('listens says whether anybody does', () => {
  const emitter = new Emitter<Events>();
  assert.equal(emitter.listens('one'), false);
  const handler = () => undefined;
  emitter.on('one', handler);
  assert.equal(emitter.listens('one'), true);
  emitter.off('one', handler);
  assert.equal(emitter.listens('one'), false);
});

test('an event goes to the handlers of another name, where that is given', () => {
  const emitter = new Emitter<Events & { 'one:more': Event<'one:more', null> }>();
  const seen: string[] = [];
  emitter.on('one', (event) => seen.push(`one ${event.type}`));
  emitter.on('one:more', (event) => seen.push(`one:more ${event.type}`));
  const event = makeEvent('one:more', null);
  emitter.dispatch(event, undefined, 'one');
  emitter.dispatch(event);
  assert.deepEqual(seen, ['one one:more', 'one:more one:more']);
});
