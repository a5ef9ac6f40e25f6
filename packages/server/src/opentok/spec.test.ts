/** SPEC.md and the tests say the same: no rule without a test, no test of a rule that is not there. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../../../..');
const rules = readFileSync(path.join(import.meta.dirname, 'SPEC.md'), 'utf8')
  .split('\n')
  .flatMap((line) => /^- \*\*([A-Z]+\d+)\*\* /.exec(line)?.[1] ?? []);
const families = [...new Set(rules.map((id) => id.replace(/\d+$/, '')))];

/** Titles of tests that begin with ids of rules, with their ids. */
function titles(): { file: string; title: string; ids: string[] }[] {
  const id = `(?:${families.join('|')})\\d+`;
  const title = new RegExp(`\\b(?:it|test)\\(\\s*(['"\`])((?:${id} )+)(.*?)\\1`, 'g');
  const files = globSync(['packages/server/src/opentok/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: root });
  return files.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(title)].map((match) => ({
      file,
      title: match[3] as string,
      ids: (match[2] as string).trim().split(' '),
    })),
  );
}

test('every rule has an id of its own', () => {
  assert.ok(rules.length > 70, `${rules.length}`);
  assert.deepEqual(
    rules.filter((id, at) => rules.indexOf(id) !== at),
    [],
  );
});

test('every rule has a test', () => {
  const tested = new Set(titles().flatMap(({ ids }) => ids));
  assert.deepEqual(
    rules.filter((id) => !tested.has(id)),
    [],
  );
});

test('every test is of a rule that is there', () => {
  const unknown = titles().flatMap(({ file, title, ids }) =>
    ids.filter((id) => !rules.includes(id)).map((id) => `${file}: ${id} ${title}`),
  );
  assert.deepEqual(unknown, []);
});

test('every test of this folder names its rules first', () => {
  const own = new Set(titles().map(({ title }) => title));
  const files = globSync('*.test.ts', { cwd: import.meta.dirname }).filter((file) => file !== 'spec.test.ts');
  const nameless = files.flatMap((file) =>
    [...readFileSync(path.join(import.meta.dirname, file), 'utf8').matchAll(/\b(?:it|test)\(\s*(['"`])(.*?)\1/g)]
      .map((match) => match[2] as string)
      .filter((title) => !own.has(title.replace(/^(?:[A-Z]+\d+ )+/, '')))
      .map((title) => `${file}: ${title}`),
  );
  assert.deepEqual(nameless, []);
});
