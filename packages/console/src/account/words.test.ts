import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../playground/api.ts';
import { problemOf, refusedBy } from './words.ts';

test('what people can do something about is said in words, the rest as the server or the browser said it', () => {
  assert.match(problemOf(new ApiError('LogInLocked', 'x', 429)).text, /Wait/);
  assert.match(problemOf(new ApiError('LastOwner', 'This is the last owner', 409)).text, /last owner/);
  assert.match(problemOf(Object.assign(new Error('x'), { name: 'NotAllowedError' })).title, /No passkey/);
  assert.match(problemOf('odd').text, /unknown/);
  assert.equal(refusedBy('LogInFailed').title, problemOf(new ApiError('LogInFailed', '', 401)).title);
  assert.match(refusedBy('ProviderFailed').text, /ProviderFailed/);
});
