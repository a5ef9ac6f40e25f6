import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import type { Event, KeyRow } from '../core/index.ts';
import { ManualClock, systemIds } from '../lib/index.ts';
import { makeDataKey, rowOfKey } from './held-key.ts';
import { openKeys, platformData } from './index.ts';
import { SealBudget } from './seal-budget.ts';

/** A ring whose platform data key has made `seals` seals already. */
async function ringAfter(seals: number) {
  const root = randomBytes(32);
  const clock = new ManualClock();
  const facts = { id: 'old', purpose: platformData, createdAt: 1, retiredAt: null, compromisedAt: null };
  const rows = new Map<string, KeyRow>([['old', rowOfKey(root, makeDataKey(facts), seals)]]);
  const disk = { fails: false, saves: 0 };
  const keyring = {
    load: async () => [...rows.values()],
    save: async (row: KeyRow, event?: Event) => {
      disk.saves += 1;
      if (disk.fails) throw new Error('disk full');
      rows.set(row.id, row);
      if (event) rotations.push({ row, event });
    },
    remove: async () => {},
  };
  /** What was written in one with the event of a rotation. */
  const rotations: { row: KeyRow; event: Event }[] = [];
  const deps = { root, keyring, clock, ids: systemIds };
  const keys = await openKeys(deps);
  const seal = () => keys.seal(null, 'c', 'text');
  return { keys, seal, rotations, disk, clock, again: () => openKeys(deps) };
}

test('a data key is replaced when it has made sealsPerDataKey seals, not one earlier', async () => {
  const before = await ringAfter(limits.sealsPerDataKey - 2);
  const early = before.seal();
  await before.keys.settled();
  assert.equal(before.rotations.length, 0);
  const last = before.seal();
  await before.keys.settled();
  const [{ row, event }] = before.rotations as [(typeof before.rotations)[number]];
  assert.deepEqual([row.id, row.retiredAt], ['old', before.clock.now()]);
  assert.deepEqual([event.type, event.actor], ['key.rotated', { kind: 'system' }]);
  assert.equal(last.split('.')[1], 'old');
  assert.equal(before.seal().split('.')[1], 'keyId' in event && event.keyId);
  for (const value of [early, last]) assert.equal(before.keys.open(null, 'c', value), 'text');
});

test('a restart counts the whole reserved block as used', async () => {
  const { keys, seal, again } = await ringAfter(limits.sealsPerDataKey - limits.sealsReserved - 1);
  seal();
  await keys.settled();
  const after = await again();
  after.seal(null, 'c', 'text');
  await after.settled();
  assert.notEqual(after.seal(null, 'c', 'text').split('.')[1], 'old');
});

test('a failed count is tried again after a second, not at each seal', async () => {
  const { keys, seal, disk, clock } = await ringAfter(0);
  disk.fails = true;
  disk.saves = 0;
  for (let i = 0; i < 50; i += 1) {
    seal();
    await keys.settled();
  }
  assert.equal(disk.saves, 1);
  disk.fails = false;
  clock.advance(1000);
  seal();
  await keys.settled();
  assert.equal(disk.saves, 2);
});

test('sealing stops when sealsUncounted seals wait for their count', () => {
  const budget = new SealBudget(0);
  for (let i = 0; i < limits.sealsUncounted; i += 1) assert.equal(budget.take(), true);
  assert.equal(budget.take(), false);
  budget.reserved(budget.next());
  assert.equal(budget.take(), true);
});

test('sealing stops with a typed error, and goes on when the disk does', async () => {
  const { keys, seal, disk, clock } = await ringAfter(0);
  disk.fails = true;
  for (let i = 0; i < limits.sealsUncounted; i += 1) seal();
  await keys.settled();
  assert.throws(seal, { code: 'KeyUnavailable' });
  disk.fails = false;
  clock.advance(1000);
  assert.throws(seal, { code: 'KeyUnavailable' });
  await keys.settled();
  seal();
});

test('the next block is reserved while half of the last one is left', () => {
  const budget = new SealBudget(0);
  budget.reserved(limits.sealsReserved);
  for (let i = 0; i < limits.sealsReserved / 2; i += 1) budget.take();
  assert.equal(budget.low, false);
  budget.take();
  assert.equal(budget.low, true);
});
