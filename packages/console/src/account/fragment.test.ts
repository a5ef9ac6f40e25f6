import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeFragment } from './fragment.ts';

test('an invitation is read once and leaves the address bar', () => {
  const shown: unknown[] = [];
  const history = {
    replaceState: (_state: unknown, _title: string, url?: string | URL | null) => void shown.push(url),
  };
  const taken = takeFragment({ hash: '#invitation=abc-_1', pathname: '/account' }, history);
  assert.deepEqual(taken, { invitation: 'abc-_1', refused: null });
  assert.deepEqual(shown, ['/account']);
  assert.deepEqual(takeFragment({ hash: '', pathname: '/account' }, history), { invitation: null, refused: null });
  assert.equal(shown.length, 1);
});
