import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { lastWord, type NewWord, type Words, withWord } from './leg-word.ts';

const said = (at: number, facts: Partial<NewWord> = {}): NewWord => ({
  ...{ at, end: 'client', connectionId: 'c', build: 1, suite: 'AEAD_AES_128_GCM', dtlsVersion: null },
  ...{ frameLayer: null, frames: { own: true, other: true }, ...facts },
});

test('words stand in the order in which they came, and one that is repeated by its end stands once', () => {
  let words: Words = [];
  const peer = { end: 'peer', connectionId: 'p' } as const;
  const other = { frames: { own: true, other: false } };
  for (const word of [said(1), said(2, peer), said(3), said(4, other), said(5, peer), said(6)])
    words = withWord(words, word);
  assert.deepEqual(
    words.map(({ at, end, frames }) => [at, end, frames?.other]),
    [
      [1, 'client', true],
      [2, 'peer', true],
      [4, 'client', false],
      [6, 'client', true],
    ],
  );
  assert.deepEqual(
    [lastWord(words, 'client')?.at, lastWord(words, 'peer')?.at, lastWord(words, 'server')],
    [6, 2, undefined],
  );
});

test('wordsPerLeg words of an end are kept; past it the first ones and the last, with how many are left out', () => {
  const most = limits.wordsPerLeg;
  let words: Words = withWord([], said(0, { end: 'peer', connectionId: 'p' }));
  const say = (at: number) => {
    words = withWord(words, said(at, { dtlsVersion: String(at) }));
  };
  for (let at = 1; at <= most; at += 1) say(at);
  assert.deepEqual(
    words.map(({ at, leftOut }) => [at, leftOut]),
    Array.from({ length: most + 1 }, (_, at) => [at, 0]),
  );
  say(most + 1);
  say(most + 2);
  assert.deepEqual(
    [words.length, words[0]?.end, words[1]?.at, words.at(-2)?.at, words.at(-1)?.at, words.at(-1)?.leftOut],
    [most + 1, 'peer', 1, most - 1, most + 2, 2],
  );
});
