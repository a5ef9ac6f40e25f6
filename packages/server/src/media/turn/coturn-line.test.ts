import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { LineGate, readLine } from './coturn-line.ts';

test('what is between brackets goes, be it a user name or what a stranger sent', () => {
  assert.deepEqual(readLine('2: : ERROR: check_stun_auth: Cannot find credentials of user <1795947062:c0ffee-1>'), {
    level: 'warn',
    line: 'ERROR: check_stun_auth: Cannot find credentials of user <…>',
  });
  assert.equal(
    readLine('0: (12): INFO: session 001: realm <a> user <x>y> remote 1')?.line,
    'INFO: session 001: realm <…> remote 1',
  );
  assert.equal(readLine('7: : INFO: user <cut off')?.line, 'INFO: user <…>');
  assert.equal(readLine('7: : username=1795947062:c0ffee-1, rp=3')?.line, 'username=<…>, rp=3');
});

test('levels are those that coturn names', () => {
  assert.equal(readLine('0: : Listener address to use: 127.0.0.1')?.level, 'debug');
  assert.equal(readLine('0: : CONFIG WARNING: allow_loopback_peers')?.level, 'warn');
  assert.equal(readLine('0: : WARNING: something')?.level, 'warn');
  assert.equal(readLine('socket: Protocol not supported')?.level, 'debug');
});

test('empty lines and rulers are none', () => {
  for (const text of ['', '0: : ', '==== Show him the instruments, Practical Frost: ===='])
    assert.equal(readLine(text), null);
});

test('so many warnings of a minute pass, and the next minute says how many did not', () => {
  const gate = new LineGate();
  for (let count = 0; count < limits.turnWarningsPerMinute; count += 1) {
    assert.deepEqual(gate.take(1000), { passes: true, left: 0 });
  }
  assert.deepEqual(gate.take(60_999), { passes: false, left: 0 });
  assert.deepEqual(gate.take(61_000), { passes: true, left: 1 });
  assert.deepEqual(gate.take(61_000), { passes: true, left: 0 });
});
