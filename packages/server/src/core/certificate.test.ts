import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import fc from 'fast-check';
import { certificateFor, isRefusal, makeOwner, openssl, orphanKey, seed } from '../archive/seal/archive-fixtures.ts';
import { fingerprintOf, readCertificate, readCertificates, type SealFormat } from './certificate.ts';

const { pem, privateKey, certificate } = makeOwner();
const times = new X509Certificate(pem);
const [from, to] = [times.validFromDate.getTime(), times.validToDate.getTime()];

function refused(text: string, why: RegExp, { format = 'cloister' as SealFormat, now = from } = {}): void {
  assert.throws(
    () => readCertificate(text, format, now),
    (error: unknown) => {
      assert.ok(error instanceof PlatformError && error.code === 'CertificateRefused', String(error));
      assert.match(error.message, why);
      return true;
    },
  );
}

test('every way to send a certificate gives the same one, with the fingerprint that openssl shows', () => {
  const base64 = Buffer.from(pem).toString('base64');
  const windows = pem.replaceAll('\n', '\r\n');
  const texts = [
    pem,
    `\n  ${pem}\n`,
    windows,
    pem.replaceAll('\n', '\\n'),
    windows.replaceAll('\r\n', '\\r\\n'),
    base64,
    base64.replace(/.{64}/g, '$&\n'),
    `A line before it\n${pem}`,
    Buffer.from(openssl(['x509', '-text'], Buffer.from(pem))).toString('base64'),
  ];
  for (const text of texts) {
    assert.deepEqual(readCertificate(text, 'opentok', from), readCertificate(pem, 'opentok', from));
  }
  const shown = openssl(['x509', '-noout', '-fingerprint', '-sha256'], Buffer.from(pem)).toString();
  assert.equal(shown.split('=')[1]?.trim().replaceAll(':', '').toLowerCase(), certificate.fingerprint);
  assert.deepEqual([certificate.validFrom, certificate.validTo, certificate.bits], [from, to, 2048]);
  assert.equal(certificate.pem, pem);
  assert.equal(fingerprintOf(pem), certificate.fingerprint);
});

test('what is not one certificate is refused, and told apart', () => {
  refused('', /neither PEM nor base64/);
  refused('hello world!', /neither PEM nor base64/);
  refused(Buffer.from('hello').toString('base64'), /does not hold a PEM file/);
  refused(pem.slice(0, 200), /ends in the middle/);
  refused(pem.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n'), /not a certificate/);
  refused(pem + pem, /holds 2 certificates/);
  refused(certificate.publicKey.export({ type: 'spki', format: 'pem' }).toString(), /something else/);
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  refused(key, /private key/);
  refused(Buffer.from(pem + key).toString('base64'), /private key/);
});

test('a key of another kind, or one that hides nothing, is refused', () => {
  refused(certificateFor(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), /its key is ec, not RSA/);
  refused(certificateFor(generateKeyPairSync('ed25519').publicKey), /its key is ed25519, not RSA/);
  refused(certificateFor(orphanKey(2048, 'AQ')), /exponent 1/);
});

test('certificateRsaBitsMin and certificateRsaBitsMax bound the key; the format of OpenTok takes the least alone', () => {
  const { certificateRsaBitsMin: least, certificateRsaBitsMax: most } = limits;
  const [lowest, longer, highest] = [least, least + 8, most].map((bits) => certificateFor(orphanKey(bits)));
  assert.equal(readCertificate(lowest as string, 'opentok', Date.now()).bits, least);
  assert.equal(readCertificate(highest as string, 'cloister', Date.now()).bits, most);
  refused(longer as string, /2056 bits; the format of OpenTok takes exactly 2048/, { format: 'opentok' });
  refused(certificateFor(orphanKey(least - 1)), /2047 bits; at least 2048/);
  refused(certificateFor(orphanKey(least - 1)), /takes exactly 2048/, { format: 'opentok' });
  refused(certificateFor(orphanKey(most + 1)), /8193 bits; at most 8192/);
});

test('a certificate is good from its first to its last moment', () => {
  for (const now of [from, to])
    assert.equal(readCertificate(pem, 'cloister', now).fingerprint, certificate.fingerprint);
  refused(pem, new RegExp(`not valid before ${new Date(from).toISOString()}`), { now: from - 1 });
  refused(pem, new RegExp(`expired at ${new Date(to).toISOString()}`), { now: to + 1 });
});

test('certificateBytes is the most that is read', () => {
  const filled = (bytes: number) => `${'x'.repeat(bytes - pem.length - 1)}\n${pem}`;
  assert.equal(readCertificate(filled(limits.certificateBytes), 'cloister', from).bits, 2048);
  refused(filled(limits.certificateBytes + 1), /certificateBytes/);
});

test('several are read in their order, and what is wrong says with which of them', () => {
  const second = certificateFor(orphanKey(3072));
  assert.deepEqual(
    readCertificates([pem, second], 'cloister', Date.now()).map(({ pem: read, bits }) => [read, bits]),
    [
      [pem, 2048],
      [second, 3072],
    ],
  );
  const several = (texts: string[], why: RegExp, format: SealFormat = 'cloister') =>
    assert.throws(
      () => readCertificates(texts, format, Date.now()),
      (error) => isRefusal(error, 'CertificateRefused', why),
    );
  several([], /there is none/);
  several([pem, 'hello world!'], /number 2 of 2: it is neither PEM nor base64/);
  several([certificateFor(orphanKey(1024)), second], /number 1 of 2: its RSA key has 1024 bits; at least 2048/);
  several([pem, second, pem.replaceAll('\n', '\r\n')], /number 3 of 3: it is the same as number 1/);
  several([pem, second], /there are 2; the format of OpenTok takes one/, 'opentok');
  several([second], /refused: its RSA key has 3072 bits; the format of OpenTok/, 'opentok');
});

test('archiveRecipients is the most that one archive is sealed to', () => {
  const many = Array.from({ length: limits.archiveRecipients + 1 }, () => certificateFor(orphanKey(2048)));
  assert.equal(readCertificates(many.slice(1), 'cloister', Date.now()).length, limits.archiveRecipients);
  assert.throws(
    () => readCertificates(many, 'cloister', Date.now()),
    (error) => isRefusal(error, 'CertificateRefused', /there are 17; at most archiveRecipients, 16/),
  );
});

test('property: no text makes it throw anything but its refusal', () => {
  const bytes = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const wrapped = (der: Buffer): string =>
    `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  const changed = fc
    .tuple(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }))
    .map(([at, others]) => wrapped(Buffer.concat([bytes.subarray(0, at), others, bytes.subarray(at + others.length)])));
  const cutOff = fc.nat(bytes.length).map((length) => wrapped(bytes.subarray(0, length)));
  const rubbish = fc.uint8Array({ maxLength: 300 }).map((each) => wrapped(Buffer.from(each)));
  const texts = fc.oneof(changed, cutOff, rubbish, fc.string({ unit: 'binary' }), fc.base64String());
  let refusals = 0;
  fc.assert(
    fc.property(texts, fc.constantFrom<SealFormat>('opentok', 'cloister'), (text, format) => {
      try {
        const read = readCertificate(text, format, from);
        assert.match(read.fingerprint, /^[0-9a-f]{64}$/);
      } catch (error) {
        assert.ok(error instanceof PlatformError && error.code === 'CertificateRefused', String(error));
        refusals += 1;
      }
    }),
    { numRuns: 1000, seed },
  );
  assert.ok(refusals > 100);
});
