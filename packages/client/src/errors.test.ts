import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorTable } from '@cloister/protocol/errors';
import { asOtError, captureError, errorFromBody, OtError, playbackError } from './errors.ts';

test("a server's refusal gets the name that the error table gives it, with what to do", () => {
  const error = errorFromBody({ code: 'SuiteRefused', message: 'needs AES-256', help: 'Use another browser' }, 'X');
  assert.equal(error.name, 'OT_MEDIA_SUITE_REFUSED');
  assert.equal(error.message, 'needs AES-256. Use another browser');
});

test('a code without a name for clients, or none of the table, gets the fallback', () => {
  assert.equal(errorTable.DtmfInvalid && 'client' in errorTable.DtmfInvalid, false);
  for (const code of ['DtmfInvalid', 'Later', 'toString']) {
    assert.equal(errorFromBody({ code, message: 'm', help: '' }, 'OT_CONNECT_FAILED').name, 'OT_CONNECT_FAILED');
  }
});

test("getUserMedia's refusals get OpenTok's names", () => {
  const names = {
    NotAllowedError: 'OT_USER_MEDIA_ACCESS_DENIED',
    NotFoundError: 'OT_NO_DEVICES_FOUND',
    NotReadableError: 'OT_HARDWARE_UNAVAILABLE',
    OverconstrainedError: 'OT_CONSTRAINTS_NOT_SATISFIED',
    AbortError: 'OT_HARDWARE_UNAVAILABLE',
    WhateverError: 'OT_HARDWARE_UNAVAILABLE',
  };
  for (const [name, expected] of Object.entries(names)) {
    assert.equal(captureError(new DOMException('why', name)).name, expected);
  }
  assert.equal(captureError(new TypeError('neither')).name, 'OT_NO_VALID_CONSTRAINTS');
});

test('an error with a name keeps it; anything else gets the fallback and its cause', () => {
  const named = new OtError('OT_TIMEOUT', 'late');
  assert.equal(asOtError(named, 'OT_X'), named);
  assert.equal(captureError(named), named);
  const cause = new Error('inner');
  const wrapped = asOtError(cause, 'OT_X');
  assert.deepEqual([wrapped.name, wrapped.message, wrapped.cause], ['OT_X', 'inner', cause]);
  assert.equal(asOtError('text', 'OT_X').message, 'text');
});

test("codes are those of OpenTok's exception event, 2000 for the rest", () => {
  assert.equal(new OtError('OT_AUTHENTICATION_ERROR', '').code, 1004);
  assert.equal(new OtError('OT_SOMETHING', '').code, 2000);
});

test("a media element's error gets its name by its code", () => {
  assert.equal(playbackError({ code: 2, message: '' }).name, 'OT_MEDIA_ERR_NETWORK');
  assert.equal(playbackError(null).name, 'OT_MEDIA_ERR_DECODE');
});
