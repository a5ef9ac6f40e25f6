import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '@cloister/protocol';
import { Slots } from './slots.ts';

it('uploadsInFlight run at once, and uploadsInFlightPerProject of one owner; the others in the order in which they asked', async () => {
  const slots = new Slots(limits.uploadsInFlight, limits.uploadsInFlightPerProject);
  const running: string[] = [];
  const ends: (() => void)[] = [];
  const work = (owner: string) =>
    slots.run(owner, () => {
      running.push(owner);
      return new Promise<void>((end) => ends.push(end));
    });
  const all = ['a', 'b', 'c'].flatMap((owner) =>
    Array.from({ length: limits.uploadsInFlightPerProject + 1 }, () => work(owner)),
  );
  const counted = (owner: string) => running.filter((each) => each === owner).length;
  const each = limits.uploadsInFlightPerProject;
  assert.deepEqual([running.length, counted('a'), counted('b')], [limits.uploadsInFlight, each, each]);
  ends.shift()?.();
  await all[0];
  assert.deepEqual([counted('a'), counted('b'), counted('c')], [each + 1, each, 0]);
  while (running.length < all.length) {
    ends.shift()?.();
    await new Promise(setImmediate);
  }
  for (const end of ends) end();
  await Promise.all(all);
  assert.deepEqual([counted('a'), counted('b'), counted('c')], [each + 1, each + 1, each + 1]);
});

it('work that fails gives its place back', async () => {
  const slots = new Slots(1, 1);
  await assert.rejects(
    slots.run('a', () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.equal(await slots.run('b', async () => 'done'), 'done');
});
