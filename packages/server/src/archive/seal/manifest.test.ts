import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal, seed } from './archive-fixtures.ts';
import { expectedBy, requireExpected, verifyManifest } from './manifest.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const claims = {
  type: 'cloister-archive-manifest',
  version: 1,
  archiveId: 'archive',
  projectId: '1',
  sessionId: 'session',
  status: 'available',
  reason: 'user initiated',
  outputMode: 'composed',
  format: 'cloister',
  fileName: 'archive.cloister',
  sizeBytes: 3,
  sha256: 'ab'.repeat(32),
  certificateSha256: ['cd'.repeat(32)],
  startedAt: 1,
  stoppedAt: 2,
  durationMs: 1.5,
  signedAt: 3,
};

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(payload: unknown, key: KeyObject = privateKey, header: object = { alg: 'EdDSA', kid: 'k' }): string {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

function keySet(keys: Record<string, KeyObject> = { k: publicKey }): string {
  const jwks = Object.entries(keys).map(([kid, key]) => ({ kid, ...key.export({ format: 'jwk' }) }));
  return JSON.stringify({ keys: jwks });
}

test('what the platform signed is read, whatever a later version adds', async () => {
  const verified = await verifyManifest(`${signed({ ...claims, later: true })}\n`, keySet());
  assert.deepEqual(verified, { manifest: claims, keyId: 'k' });
});

test('another signature, another key, and what is no manifest are told apart', async () => {
  const stranger = generateKeyPairSync('ed25519');
  const refused = (
    jws: string,
    code: 'ManifestRefused' | 'ManifestKeyUnknown' | 'BadRequest',
    why: RegExp,
    keys = keySet(),
  ) => assert.rejects(verifyManifest(jws, keys), (error) => isRefusal(error, code, why));
  await refused(signed(claims, stranger.privateKey), 'ManifestRefused', /changed after it was signed, or signed by/);
  await refused(signed(claims, stranger.privateKey, { alg: 'EdDSA', kid: 'x' }), 'ManifestKeyUnknown', /: x$/);
  await refused(signed(claims), 'ManifestKeyUnknown', /: k$/, keySet({ other: publicKey }));
  await refused(signed(claims), 'BadRequest', /JWK set/, '{"keys":1}');
  await refused(signed(claims), 'BadRequest', /JWK set/, 'keys');
  await refused('', 'ManifestRefused', /no JWS/);
  await refused(signed(claims, privateKey, { alg: 'none', kid: 'k' }), 'ManifestRefused', /Ed25519/);
  await refused(signed(claims, privateKey, { alg: 'EdDSA' }), 'ManifestRefused', /does not name/);
  await refused(signed({ ...claims, version: 2 }), 'ManifestRefused', /no manifest that this version knows/);
  await refused(signed('text'), 'ManifestRefused', /no manifest/);
  await refused(signed({ ...claims, sha256: '' }), 'ManifestRefused', /no manifest/);
});

test('property: no altered manifest says anything else', async () => {
  const jws = signed(claims);
  await fc.assert(
    fc.asyncProperty(fc.nat(jws.length - 1), fc.string({ maxLength: 2 }), async (at, put) => {
      const altered = jws.slice(0, at) + put + jws.slice(at + 1);
      // The last character of base64url has bits that mean nothing.
      const read = await verifyManifest(altered, keySet()).catch((error) => {
        assert.equal(error.name, 'PlatformError');
        return { manifest: claims };
      });
      assert.deepEqual(read.manifest, claims);
    }),
    { numRuns: 300, seed },
  );
});

test('a file that is shorter is cut, one that is longer or another was changed', () => {
  const expected = expectedBy(claims as never);
  const sha256 = Buffer.from(claims.sha256, 'hex');
  requireExpected({ sizeBytes: 3, sha256 }, expected);
  const refused = (sizeBytes: number, digest: Buffer, code: 'ArchiveCut' | 'ArchiveChanged', why: RegExp) =>
    assert.throws(
      () => requireExpected({ sizeBytes, sha256: digest }, expected),
      (error) => isRefusal(error, code, why),
    );
  refused(2, sha256, 'ArchiveCut', /it has 2 of 3 bytes/);
  refused(4, sha256, 'ArchiveChanged', /it has 4 bytes, and 3 were recorded/);
  refused(3, Buffer.alloc(32), 'ArchiveChanged', /not the one of the manifest/);
});
