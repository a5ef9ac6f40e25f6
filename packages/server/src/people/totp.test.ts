import assert from 'node:assert/strict';
import { test } from 'node:test';
import { totpSecret, totpShown, totpStep } from './totp.ts';

/** The secret of RFC 6238, appendix B, in base32. Its codes have eight digits; the last six are ours. */
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const vectors: readonly (readonly [number, string])[] = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
];

test('the codes of RFC 6238 are taken in their step and the two beside it, and say which it is', () => {
  for (const [seconds, digits] of vectors) {
    const code = digits.slice(2);
    const step = Math.floor(seconds / 30);
    for (const drift of [-30, 0, 30]) assert.equal(totpStep(secret, code, (seconds + drift) * 1000), step);
    for (const drift of [-90, 90]) assert.equal(totpStep(secret, code, (seconds + drift) * 1000), null);
  }
  assert.equal(totpStep(secret, '287 082', 59_000), 1);
  for (const wrong of ['', '28708', '2870822', 'abcdef', '287083']) assert.equal(totpStep(secret, wrong, 59_000), null);
});

test('a new secret has 160 bits, and is shown as text and picture', async () => {
  assert.match(totpSecret(), /^[A-Z2-7]{32}$/);
  assert.notEqual(totpSecret(), totpSecret());
  const { uri, picture } = await totpShown(secret, 'ada@clinic.example');
  assert.match(uri, /^otpauth:\/\/totp\/Cloister:ada%40clinic\.example\?.*secret=GEZDGNBV/);
  assert.match(picture, /^data:image\/png;base64,/);
});
