import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endWords, problemOf, sealWords, secretWords, strangerWords, turnWords } from './words.ts';

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

test('a secret that is missing, or that would protect nothing, is said before joining', () => {
  assert.match(secretWords('needed', '')?.title ?? '', /needs its secret/);
  assert.match(secretWords('none', 'what both know')?.title ?? '', /protects nothing/);
  for (const [use, secret] of [
    ['needed', 's'],
    ['possible', 's'],
    ['possible', ''],
    ['none', ''],
  ] as const) {
    assert.equal(secretWords(use, secret), null);
  }
});

test('others with another secret are named, with what to do', () => {
  assert.equal(strangerWords([]), null);
  assert.equal(strangerWords(['Ben'])?.title, 'Ben has another secret than you');
  assert.equal(strangerWords(['Ben', 'Eva', 'Mia'])?.title, 'Ben and 2 more have another secret than you');
  assert.match(strangerWords(['Ben'])?.text ?? '', /Compare the secrets/);
});

test('the panel claims a secret only where there is one', () => {
  assert.equal(sealWords('none', false), null);
  assert.match(sealWords('possible', false)?.title ?? '', /without a secret/);
  for (const use of ['needed', 'possible'] as const) assert.match(sealWords(use, true)?.title ?? '', /your secret/);
});
