import assert from 'node:assert/strict';
import { hkdfSync, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import { isSecret, SessionSecret } from './secret.ts';

const sessionId = '2_a-session~1';
const notice = { connectionId: 'ana', keyId: 3, nonce: new Uint8Array(16).fill(7) };

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The same by another library, from what docs/internals/sealed-frames.md says. */
function derivedApart(secret: string, word: string): Uint8Array {
  const base = pbkdf2Sync(secret.normalize('NFC'), sessionId, limits.encryptionSecretIterations, 32, 'sha256');
  const info = Buffer.concat(['Cloister end-to-end frames 1', word, 'ana', '3'].map(prefixed));
  return new Uint8Array(hkdfSync('sha512', base, notice.nonce, info, 32));
}

test('a sender’s key and proof are those that another library derives', async () => {
  const secret = 'gemütlich und geheim';
  const { baseKey, proof } = await (await SessionSecret.stretch(secret, sessionId)).senderKey(notice);
  assert.deepEqual(baseKey, derivedApart(secret, 'frames'));
  assert.deepEqual(proof, derivedApart(secret, 'proof'));
  assert.notDeepEqual(baseKey, proof);
});

test('the same letters composed otherwise are the same secret', async () => {
  const [composed, apart] = await Promise.all(
    ['gem\u00fctlich', 'gemu\u0308tlich'].map((secret) => SessionSecret.stretch(secret, sessionId)),
  );
  assert.deepEqual(await composed?.senderKey(notice), await apart?.senderKey(notice));
});

test('whatever goes in makes another key', async () => {
  const secret = await SessionSecret.stretch('one secret of us', sessionId);
  const others = await Promise.all([
    (await SessionSecret.stretch('another secret', sessionId)).senderKey(notice),
    (await SessionSecret.stretch('one secret of us', `${sessionId}2`)).senderKey(notice),
    secret.senderKey({ ...notice, connectionId: 'ben' }),
    secret.senderKey({ ...notice, keyId: 4 }),
    secret.senderKey({ ...notice, nonce: new Uint8Array(16).fill(8) }),
  ]);
  const keys = [await secret.senderKey(notice), ...others].map(({ baseKey }) => Buffer.from(baseKey).toString('hex'));
  assert.equal(new Set(keys).size, keys.length);
});

test('the proof tells who has the secret from who has not', async () => {
  const own = await SessionSecret.stretch('one secret of us', sessionId);
  const other = await SessionSecret.stretch('another secret', sessionId);
  const { baseKey, proof } = await own.senderKey(notice);
  assert.deepEqual(await own.keyOf(notice, proof), baseKey);
  assert.equal(await other.keyOf(notice, proof), null);
  assert.equal(await own.keyOf(notice, proof.subarray(1)), null);
  assert.equal(await own.keyOf({ ...notice, connectionId: 'mallory' }, proof), null);
});

test('what is being stretched is not stretched again, and what failed is', async () => {
  const first = SessionSecret.stretch('one secret of us', sessionId);
  assert.equal(SessionSecret.stretch('one secret of us', sessionId), first);
  assert.notEqual(SessionSecret.stretch('one secret of us', `${sessionId}2`), first);
  assert.notEqual(SessionSecret.stretch('another secret', sessionId), first);
  const failed = SessionSecret.stretch('short', sessionId);
  await assert.rejects(failed, RangeError);
  const again = SessionSecret.stretch('short', sessionId);
  assert.notEqual(again, failed);
  await assert.rejects(again, RangeError);
});

test('a secret is text of encryptionSecretCharsLeast to encryptionSecretChars characters', async () => {
  const { encryptionSecretCharsLeast: least, encryptionSecretChars: most } = limits;
  assert.ok(isSecret('x'.repeat(least)) && isSecret('x'.repeat(most)));
  for (const wrong of [
    'x'.repeat(least - 1),
    'x'.repeat(most + 1),
    '',
    null,
    undefined,
    12_345_678,
    `${'x'.repeat(8)}\ud800`,
  ])
    assert.ok(!isSecret(wrong), String(wrong));
  await assert.rejects(SessionSecret.stretch('short', sessionId), RangeError);
});
