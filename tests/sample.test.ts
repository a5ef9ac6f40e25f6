import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFiles, familyOf } from '../scripts/test/files.ts';
import { full, randomOf, sample, seed, times } from './sample.ts';

const cases = Array.from({ length: 100 }, (_, index) => index);

test('a family draws the same cases for the same seed, in their own order', () => {
  const drawn = sample('tokens', cases, 10);
  assert.equal(drawn.length, full ? 100 : 10);
  assert.deepEqual(sample('tokens', cases, 10), drawn);
  assert.deepEqual(
    drawn,
    [...drawn].sort((a, b) => a - b),
  );
  assert.deepEqual(sample('tokens', cases, 100), cases);
});

test('families and seeds draw apart, evenly between 0 and 1', () => {
  const numbers = (name: string, from: number) => {
    const random = randomOf(name, from);
    return cases.map(() => random());
  };
  assert.deepEqual(numbers('a', seed), numbers('a', seed));
  assert.notDeepEqual(numbers('a', 1), numbers('b', 1));
  assert.notDeepEqual(numbers('a', 1), numbers('a', 2));
  const drawn = numbers('a', 1);
  assert.ok(drawn.every((each) => each >= 0 && each < 1));
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
  assert.ok(mean > 0.35 && mean < 0.65, String(mean));
});

test('repetitions depend on whether everything runs', () => {
  assert.equal(times(3, 30), full ? 30 : 3);
});

test('end-to-end files are set apart, and a folder or a file narrows the choice down', () => {
  const all = chooseFiles({ unitOnly: false, only: [], random: null });
  assert.ok(all.plain.includes('tests/sample.test.ts'));
  assert.ok(all.plain.includes('packages/server/src/config.test.ts'));
  assert.ok(all.plain.every((file) => !file.startsWith('tests/e2e/')));
  const unit = chooseFiles({ unitOnly: true, only: [], random: null });
  assert.deepEqual(unit.endToEnd, []);
  assert.ok(all.plain.some((file) => file.endsWith('.integration.test.ts')));
  assert.ok(!unit.plain.some((file) => file.endsWith('.integration.test.ts')));
  const named = (file: string) => chooseFiles({ unitOnly: false, only: [file], random: () => 0.5 });
  assert.deepEqual(named('tests/sample.test.ts').plain, ['tests/sample.test.ts']);
  assert.deepEqual(named('tests/samp').plain, []);
});

test('of files that look at one part a sample takes some, the same for a seed, and what is named always', () => {
  const drawn = (from: number) => chooseFiles({ unitOnly: false, only: [], random: randomOf('files', from) });
  const all = chooseFiles({ unitOnly: false, only: [], random: null });
  assert.deepEqual(all.undrawn, []);
  const one = drawn(1);
  assert.deepEqual(drawn(1), one);
  assert.equal(one.endToEnd.length + one.alone.length + one.undrawn.length, all.endToEnd.length + all.alone.length);
  for (const name of one.undrawn) assert.ok(!one.endToEnd.includes(`tests/e2e/${name}.test.ts`), name);
  const seeds = Array.from({ length: 30 }, (_, index) => new Set(drawn(index).undrawn));
  for (const name of one.undrawn)
    assert.ok(
      seeds.some((undrawn) => !undrawn.has(name)),
      `${name} is never drawn`,
    );
  const [left = ''] = one.undrawn;
  const only = [`tests/e2e/${left}.test.ts`];
  const named = chooseFiles({ unitOnly: false, only, random: randomOf('files', 1) });
  assert.deepEqual([...named.endToEnd, ...named.alone], only);
});

test('a file belongs to the family of its package, its server folder or its kind of test', () => {
  assert.equal(familyOf('packages/protocol/src/errors.test.ts'), 'protocol');
  assert.equal(familyOf('packages/server/src/core/session.test.ts'), 'server/core');
  assert.equal(familyOf('packages/server/src/config.test.ts'), 'server');
  assert.equal(familyOf('tests/e2e/first-call.test.ts'), 'end to end: first-call');
  assert.equal(familyOf('tests/tidy.test.ts'), 'tests');
});
