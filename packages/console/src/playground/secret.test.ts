import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import { sessionIn } from './address.ts';
import { invitation, newSecret, secretFault, secretIn } from './secret.ts';

const page = 'https://video.example/playground?session=1_MX4';

test('a link carries a secret in its fragment alone, whatever is in it', () => {
  for (const secret of ['what both know', 'a+b&secret=c#d%20', '密码 ñ 🔑🔑🔑']) {
    const link = invitation(page, secret);
    const { search, hash } = new URL(link);
    assert.equal(secretIn(link), secret);
    assert.equal(search, '?session=1_MX4');
    assert.equal(sessionIn(link), '1_MX4');
    assert.match(hash, /^#secret=./);
  }
});

test('a link without a secret has none, and taking it out leaves the session', () => {
  assert.equal(secretIn(page), '');
  assert.equal(secretIn(`${page}#other=1`), '');
  assert.equal(invitation(`${page}#secret=what+both+know`, ''), page);
});

test('a made secret is one, no two are alike, and none has signs that look alike', () => {
  const made = new Set(Array.from({ length: 200 }, newSecret));
  assert.equal(made.size, 200);
  for (const secret of made) {
    assert.match(secret, /^([a-hjkmnp-z02-9]{5}-){4}[a-hjkmnp-z02-9]{5}$/);
    assert.equal(secretFault(secret), null);
  }
});

test('a secret is as long as the client takes it, not a character less or more', () => {
  const { encryptionSecretCharsLeast: least, encryptionSecretChars: most } = limits;
  for (const length of [least, most]) assert.equal(secretFault('x'.repeat(length)), null);
  for (const length of [0, least - 1, most + 1]) assert.match(secretFault('x'.repeat(length)) ?? '', /8 to 256/);
  assert.ok(secretFault(`half a pair \ud83d`));
});
