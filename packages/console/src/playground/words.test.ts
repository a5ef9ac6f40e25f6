import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endWords, problemOf, turnWords } from './words.ts';

test('a refused camera says how to allow it', () => {
  const { title, text } = problemOf({ name: 'OT_USER_MEDIA_ACCESS_DENIED', message: 'no' });
  assert.match(title, /did not allow/);
  assert.match(text, /address bar/);
});

test('too many tries are told apart from wrong ones, and say how to go on', () => {
  const { title, text } = problemOf({ name: 'RateLimited', message: 'Too many requests by this address' }, 'No');
  assert.match(title, /Too many/);
  assert.match(text, /Wait/);
});

test('an error that the page does not know keeps its own words, as a sentence', () => {
  assert.deepEqual(problemOf({ name: 'OT_X', message: 'It broke' }, 'Sorry'), { title: 'Sorry', text: 'It broke.' });
  assert.deepEqual(problemOf('nothing', 'Sorry'), { title: 'Sorry', text: 'Try again.' });
});

test('every end of a call has words of its own', () => {
  const titles = ['left', 'forceDisconnected', 'networkDisconnected', 'stopping'].map((why) => endWords(why).title);
  assert.equal(new Set(titles).size, titles.length);
});

test('without a TURN server the page says who cannot join and what to do; with one it says nothing', () => {
  assert.match(turnWords('missing')?.text ?? '', /apt install coturn/);
  assert.match(turnWords('failed')?.text ?? '', /log/);
  assert.match(turnWords('off')?.text ?? '', /Set turn to auto/);
  for (const state of ['running', 'elsewhere', null] as const) assert.equal(turnWords(state), null);
});
