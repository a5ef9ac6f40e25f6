import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock, systemIds } from '../lib/index.ts';
import { newSessionId, projectOfSessionId } from './session-id.ts';

const OpenTok = createRequire(import.meta.url)('opentok');

describe('session ids', () => {
  it('are of the form that the official SDK decodes, for any key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 4e12 }), (key, now) => {
        const id = newSessionId(String(key), { clock: new ManualClock(now), ids: systemIds });
        assert.match(id, /^2_[A-Za-z0-9_-]+$/);
        assert.equal(projectOfSessionId(id), String(key));
        // The SDK throws unless the key inside the id is its own.
        new OpenTok(String(key), 'secret').generateToken(id);
      }),
      { numRuns: 200 },
    );
  });

  it('hold no location', () => {
    const id = newSessionId('123456', { clock: new ManualClock(), ids: systemIds });
    assert.equal(Buffer.from(id.slice(2), 'base64url').toString().split('~')[2], '');
  });

  it('give nothing for what is not one', () => {
    for (const bad of [
      '',
      '2_',
      'x',
      '3_MX4xMjM0NTZ-fjE2NjE3MjA5ODg',
      `2_${'A'.repeat(1000)}`,
      '1_!!!!!!!!!!!!!!!!!!!!',
    ]) {
      assert.equal(projectOfSessionId(bad), null);
    }
    fc.assert(
      fc.property(fc.string(), (text) => projectOfSessionId(text) === null || /^\d+$/.test(projectOfSessionId(text)!)),
    );
  });
});
