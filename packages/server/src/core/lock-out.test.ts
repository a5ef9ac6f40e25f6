import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type PlatformError } from '@cloister/protocol';
import { AddressLocks, lockedUntil } from './lock-out.ts';

test('the wait grows from its first length to its longest', () => {
  const wait = (count: number) => lockedUntil({ count, lastAt: 0 }) / 1000;
  assert.equal(wait(limits.logInFailures - 1), 0);
  assert.equal(wait(limits.logInFailures), limits.logInLockSeconds);
  assert.equal(wait(limits.logInFailures + 1), limits.logInLockSeconds * 2);
  assert.equal(wait(limits.logInFailures + 1000), limits.logInLockSecondsMost);
});

test('failures of as many addresses as the limit says are remembered, and the oldest forgotten for one more', () => {
  const locks = new AddressLocks();
  for (let tries = 0; tries < limits.logInAddressFailures; tries += 1) locks.begin('first', 0);
  const isLocked = () => {
    try {
      locks.begin('first', 1);
      return false;
    } catch (error) {
      return (error as PlatformError).code === 'LogInLocked';
    }
  };
  for (let other = 1; other < limits.logInAddressesKept; other += 1) locks.begin(`other ${other}`, 0);
  assert.equal(isLocked(), true);
  locks.begin('one more', 0);
  assert.equal(isLocked(), false);
});

test('what was right does not count', () => {
  const locks = new AddressLocks();
  for (let tries = 0; tries < limits.logInAddressFailures * 3; tries += 1) {
    locks.begin('office', 0);
    locks.succeeded('office');
  }
  locks.begin('office', 0);
});
