import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { knownBad, warningsFor } from './known-bad.ts';

describe('known-bad versions', () => {
  for (const { part, from, fixed } of knownBad) {
    it(`warns of ${part} ${from}, and not of ${fixed} for that reason`, () => {
      assert.ok(warningsFor(part, from).some((line) => line.includes(fixed)));
      assert.ok(!warningsFor(part, fixed).some((line) => line.includes(`run ${fixed}`)));
    });
  }

  it('reads the version out of what OpenSSL says of itself', () => {
    assert.deepEqual(warningsFor('OpenSSL', 'OpenSSL 3.0.22 25 Aug 2026'), []);
    assert.equal(warningsFor('OpenSSL', 'OpenSSL 1.1.1w  11 Sep 2023').length, 1);
  });

  it('says so when a version cannot be read', () => {
    assert.equal(warningsFor('OpenSSL', 'unknown').length, 1);
  });
});
