import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { checkSignal } from './signal.ts';

describe('a signal', () => {
  it('may be as long as the limits say, in bytes, and not one longer', () => {
    checkSignal({ type: 'a'.repeat(limits.signalTypeBytes), data: 'a'.repeat(limits.signalDataBytes) }, true);
    checkSignal({ data: 'é'.repeat(limits.signalDataBytes / 2) }, true);
    const longer = [
      { type: 'a'.repeat(limits.signalTypeBytes + 1), data: '' },
      { data: 'a'.repeat(limits.signalDataBytes + 1) },
      { data: `a${'é'.repeat(limits.signalDataBytes / 2)}` },
    ];
    for (const signal of longer) assert.throws(() => checkSignal(signal, true), { code: 'SignalTooLong' });
  });

  it('needs data from an application server, and none from a client', () => {
    assert.throws(() => checkSignal({ type: 'a' }, true), { code: 'SignalDataMissing' });
    checkSignal({ type: 'a' }, false);
  });

  it('has a type of letters, digits, - _ and ~', () => {
    checkSignal({ type: 'Az09-_~', data: '' }, true);
    for (const type of ['a b', 'a:b', 'é', 'a/b'])
      assert.throws(() => checkSignal({ type, data: '' }, true), { code: 'SignalTypeInvalid' });
  });
});
