import assert from 'node:assert/strict';
import { constants, createDecipheriv, privateDecrypt } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal, makeOwner, openssl, packets, randomFrom, seed } from './archive-fixtures.ts';
import { createOpenTokSealer, partBytes } from './opentok-seal.ts';

const owner = makeOwner(2048, 'opentok');

function secretOf(password: string): { head: Buffer; key: Buffer; iv: Buffer } {
  const key = { key: owner.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  const blob = privateDecrypt(key, Buffer.from(password, 'base64'));
  assert.equal(blob.length, 51);
  return { head: blob.subarray(0, 3), key: blob.subarray(3, 35), iv: blob.subarray(35) };
}

function opened(password: string, sealed: Buffer): Buffer {
  const { key, iv } = secretOf(password);
  const decipher = createDecipheriv('aes-256-cbc', key, iv);
  return Buffer.concat([decipher.update(sealed), decipher.final()]);
}

test('the file is what openssl makes with the same key and vector, and the password holds both', () => {
  const random = randomFrom('password');
  const [key, iv] = [random(32), random(16)];
  const sealer = createOpenTokSealer(owner.certificate, randomFrom('password'));
  const secret = secretOf(sealer.password);
  assert.deepEqual([secret.head, secret.key, secret.iv], [Buffer.of(1, 1, 1), key, iv]);
  for (const clear of [packets(9), packets(4).subarray(0, 700), Buffer.alloc(0)]) {
    const one = createOpenTokSealer(owner.certificate, randomFrom('password'));
    const sealed = Buffer.concat([one.write(clear), one.end()]);
    const words = ['enc', '-aes-256-cbc', '-K', key.toString('hex'), '-iv', iv.toString('hex')];
    assert.deepEqual(sealed, openssl(words, clear));
  }
});

test('no two archives share a key', () => {
  const secrets = Array.from({ length: 8 }, () => secretOf(createOpenTokSealer(owner.certificate).password));
  assert.equal(new Set(secrets.map(({ key }) => key.toString('hex'))).size, secrets.length);
  assert.equal(new Set(secrets.map(({ iv }) => iv.toString('hex'))).size, secrets.length);
});

const writes = fc.array(fc.oneof(fc.nat(40), fc.nat(2000), fc.constantFrom(188, 376, partBytes, partBytes * 3)), {
  maxLength: 20,
});

test('property: parts end on packets and blocks, and with its closing block each opens to exactly what it held', () => {
  fc.assert(
    fc.property(writes, (sizes) => {
      const clear = packets(Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / 188));
      const sealer = createOpenTokSealer(owner.certificate, randomFrom('closing'));
      const undisturbed = createOpenTokSealer(owner.certificate, randomFrom('closing'));
      const [parts, plain]: [Buffer[], Buffer[]] = [[], []];
      let at = 0;
      for (const size of sizes) {
        const part = clear.subarray(at, at + size);
        at += size;
        const given = sealer.write(part);
        plain.push(undisturbed.write(part));
        assert.equal(given.length % partBytes, 0);
        parts.push(given);
        const sofar = Buffer.concat(parts);
        assert.ok(at - sofar.length < partBytes, 'less than a part is held back');
        assert.deepEqual(
          opened(sealer.password, Buffer.concat([sofar, sealer.closing()])),
          clear.subarray(0, sofar.length),
        );
      }
      const whole = Buffer.concat([...parts, sealer.end()]);
      assert.deepEqual(opened(sealer.password, whole), clear.subarray(0, at));
      assert.deepEqual(whole, Buffer.concat([...plain, undisturbed.end()]), 'closing() disturbs nothing');
    }),
    { numRuns: 100, seed },
  );
});

test('what is written may be changed by its owner afterwards', () => {
  const sealer = createOpenTokSealer(owner.certificate);
  const clear = packets(5);
  const lent = Buffer.from(clear);
  const first = sealer.write(lent);
  lent.fill(0);
  assert.deepEqual(opened(sealer.password, Buffer.concat([first, sealer.end()])), clear);
});

for (const way of ['end', 'discard'] as const) {
  test(`after ${way}() key and vector are overwritten, and nothing more is sealed`, () => {
    const made: Buffer[] = [];
    const random = randomFrom(way);
    const sealer = createOpenTokSealer(owner.certificate, (bytes) => {
      made.push(random(bytes));
      return made.at(-1) as Buffer;
    });
    sealer.write(packets(5));
    assert.ok(made.some((each) => each.some((byte) => byte !== 0)));
    sealer[way]();
    assert.deepEqual(made, [Buffer.alloc(32), Buffer.alloc(16)]);
    for (const use of [() => sealer.write(packets(1)), () => sealer.closing(), () => sealer.end()]) {
      assert.throws(use, (error) => isRefusal(error, 'WrongState'));
    }
  });
}
