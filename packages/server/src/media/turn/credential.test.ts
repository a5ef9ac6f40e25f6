import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turnCredential } from './credential.ts';

test('the user name is the end in seconds and the connection, the password its HMAC-SHA1', () => {
  // Made with: printf '1800000600:c0ffee' | openssl dgst -sha1 -hmac secret -binary | base64
  assert.deepEqual(turnCredential('secret', 'c0ffee', 1_800_000_600_999), {
    username: '1800000600:c0ffee',
    credential: 'gPMCvWd0zW5p9wlESrJIKmuM/5M=',
  });
});

test('another secret, connection or end makes another password', () => {
  const made = [
    turnCredential('secret', 'a', 1_800_000_000_000),
    turnCredential('other', 'a', 1_800_000_000_000),
    turnCredential('secret', 'b', 1_800_000_000_000),
    turnCredential('secret', 'a', 1_800_000_001_000),
  ];
  assert.equal(new Set(made.map(({ credential }) => credential)).size, made.length);
});
