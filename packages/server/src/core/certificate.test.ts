import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { makeCertificate } from '../../../../tests/core/certificates.ts';
import { seed, times } from '../../../../tests/sample.ts';
import { fingerprintOf, readCertificate, requireUsable } from './certificate.ts';

const now = Date.now();
let good: string;
before(async () => {
  good = await makeCertificate(limits.certificateKeyBits);
});

const refused = (text: string, why: RegExp, at = now) =>
  assert.throws(() => readCertificate(text, at), { code: 'CertificateInvalid', message: why });

describe('a certificate for archives', () => {
  it('comes as PEM, with line breaks of any kind, or as base64 of a PEM file', () => {
    const base64 = Buffer.from(good).toString('base64');
    const forms = [good, good.replaceAll('\n', '\r\n'), good.replaceAll('\n', '\\n'), base64, `${base64}\n`];
    for (const form of forms) assert.equal(readCertificate(form, now), good);
    const der = new X509Certificate(good).raw;
    assert.equal(fingerprintOf(good), createHash('sha256').update(der).digest('hex'));
  });

  it('has an RSA key of certificateKeyBits, neither more nor less', async () => {
    refused(await makeCertificate(limits.certificateKeyBits - 1024), /key has 1024 bits, not 2048/);
    refused(await makeCertificate(limits.certificateKeyBits + 8), /key has 2056 bits, not 2048/);
    refused(await makeCertificate('P-256'), /its key is not RSA/);
  });

  it('is valid now, and is asked again when it is used', async () => {
    const times = { from: now, until: now + 10_000 };
    const brief = await makeCertificate(limits.certificateKeyBits, times);
    const [from, until] = [Math.floor(now / 1000) * 1000, Math.floor(times.until / 1000) * 1000];
    requireUsable(brief, until - 1);
    refused(brief, /it is valid from/, from - 1);
    refused(brief, /it expired on/, until);
    assert.throws(() => requireUsable(brief, until), { code: 'CertificateInvalid' });
  });

  it('is one, whole, and no private key', () => {
    refused('', /neither PEM/);
    refused('LS0tLS1CRUdJTiBub3RoaW5n', /neither PEM/);
    refused(`${good}${good}`, /not one certificate/);
    refused(good.slice(0, good.length / 2), /not one certificate/);
    refused(good.replace(/M/, 'N'), /not an X\.509|key/);
    refused(`-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n${good}`, /private key/);
    const text = `Certificate:\n  Data\n${good}`;
    assert.equal(readCertificate(Buffer.from(text).toString('base64'), now), good);
  });

  it('has certificateChars characters at most', () => {
    const padded = (size: number) => good + ' '.repeat(size - good.length);
    assert.equal(readCertificate(padded(limits.certificateChars), now), good);
    refused(padded(limits.certificateChars + 1), /longer than 16384/);
  });

  it('property: any bytes are a typed refusal', () => {
    const around = fc
      .tuple(fc.nat(), fc.string({ maxLength: 4 }))
      .map(([at, put]) => good.slice(0, at % good.length) + put + good.slice((at % good.length) + 1));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), around), (text) => {
        try {
          readCertificate(text, now);
        } catch (error) {
          assert.equal((error as { code: string }).code, 'CertificateInvalid');
        }
      }),
      { seed, numRuns: times(200, 5000) },
    );
  });
});
