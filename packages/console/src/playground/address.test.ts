import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressWith, sessionIn, shortId } from './address.ts';

const page = 'https://video.example/playground';

test('the session of a link is read as it was written', () => {
  const sessionId = '1_MX4yfn4xNzAwfmFiK2M9fn4';
  assert.equal(sessionIn(addressWith(page, sessionId)), sessionId);
});

test('a page without a session has none, also with an empty parameter', () => {
  assert.equal(sessionIn(page), null);
  assert.equal(sessionIn(`${page}?session=%20`), null);
});

test('a link carries the session and nothing else', () => {
  assert.equal(addressWith(`${page}?old=1#x`, 'abc'), `${page}?session=abc`);
  assert.equal(addressWith(`${page}?session=abc`, null), page);
});

test('a long id is shortened in the middle', () => {
  assert.equal(shortId('1_MX4yfn4xNzAwMDAwMDAwfnh5'), '1_MX4yfn…fnh5');
  assert.equal(shortId('short'), 'short');
});
