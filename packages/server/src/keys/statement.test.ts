import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefusal, seed } from '../archive/seal/archive-fixtures.ts';
import { makeLeg, makeWord } from '../store/store-fixture.ts';
import { verifyManifest, verifySecurityRecord } from './statement.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const manifest = {
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

const record = {
  type: 'cloister-security-record',
  version: 1,
  projectId: '1',
  sessionId: 'session',
  mediaMode: 'relayed',
  policy: 'prefer-aes256',
  zone: 'any',
  legs: [makeLeg({ observedBy: 'clients', suiteSeenByServer: null })],
  transcript: [[makeWord({ end: 'client', connectionId: 'c', build: 1, frames: { own: true, other: false } })]],
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

const kinds = [
  ['manifest', 'Manifest', manifest, verifyManifest],
  ['security record', 'SecurityRecord', record, verifySecurityRecord],
] as const;

test('what the platform signed is read, whatever a later version adds', () => {
  assert.deepEqual(verifyManifest(`${signed({ ...manifest, later: true })}\n`, keySet()), { manifest, keyId: 'k' });
  const later = { ...record, later: true };
  assert.deepEqual(verifySecurityRecord(`${signed(later)}\n`, keySet()), { record, keyId: 'k' });
});

for (const [name, code, claims, verify] of kinds) {
  test(`${name}: another signature, another key, a cut text, and what is none are told apart`, () => {
    const stranger = generateKeyPairSync('ed25519');
    const refused = (jws: string, end: 'Refused' | 'KeyUnknown' | 'BadRequest', why: RegExp, keys = keySet()) =>
      assert.throws(
        () => verify(jws, keys),
        (error) => isRefusal(error, end === 'BadRequest' ? end : `${code}${end}`, why),
      );
    const changed = /changed after it was signed, or signed by somebody else/;
    refused(signed(claims, stranger.privateKey), 'Refused', changed);
    refused(signed(claims), 'Refused', changed, keySet({ k: stranger.publicKey }));
    refused(signed(claims, stranger.privateKey, { alg: 'EdDSA', kid: 'x' }), 'KeyUnknown', /: x$/);
    refused(signed(claims), 'KeyUnknown', /: k$/, keySet({ other: publicKey }));
    for (const keys of ['{"keys":1}', 'keys', '{"keys":[{"kid":"k","kty":"OKP","crv":"Ed25519","x":"short"}]}']) {
      refused(signed(claims), 'BadRequest', /JWK set/, keys);
    }
    for (const cut of ['', signed(claims).slice(0, -1), signed(claims).slice(1, 40)])
      refused(cut, 'Refused', /or is cut/);
    refused(signed(claims, privateKey, { alg: 'none', kid: 'k' }), 'Refused', /Ed25519/);
    refused(signed(claims, privateKey, { alg: 'EdDSA' }), 'Refused', /does not name/);
    refused(signed(claims, privateKey, { alg: 'EdDSA', kid: 'k', crit: ['b64'] }), 'Refused', /does not name/);
    refused(signed({ ...claims, version: 2 }), 'Refused', new RegExp(`no ${name} that this version knows`));
    refused(signed({ ...claims, type: undefined }), 'Refused', new RegExp(`no ${name}`));
    refused(signed('text'), 'Refused', changed);
    refused(signed({ ...claims, sessionId: 1 }), 'Refused', new RegExp(`no ${name}`));
  });
}

test('a manifest is no security record, and the other way round, though one key signs both', () => {
  assert.throws(
    () => verifySecurityRecord(signed(manifest), keySet()),
    (error) => isRefusal(error, 'SecurityRecordRefused', /a cloister-archive-manifest, and no security record/),
  );
  assert.throws(
    () => verifyManifest(signed(record), keySet()),
    (error) => isRefusal(error, 'ManifestRefused', /a cloister-security-record, and no manifest/),
  );
});

test('a record whose transcript is of more or fewer legs than it has is none', () => {
  for (const transcript of [[], [[], []]]) {
    assert.throws(
      () => verifySecurityRecord(signed({ ...record, transcript }), keySet()),
      (error) => isRefusal(error, 'SecurityRecordRefused', /no security record that this version knows/),
    );
  }
});

for (const [name, , claims, verify] of kinds) {
  test(`property: no altered ${name} says anything else`, () => {
    const jws = signed(claims);
    fc.assert(
      fc.property(fc.nat(jws.length - 1), fc.string({ maxLength: 2 }), (at, put) => {
        const altered = jws.slice(0, at) + put + jws.slice(at + 1);
        if (altered.trim() === jws) return;
        assert.throws(() => verify(altered, keySet()), { name: 'PlatformError' });
      }),
      { numRuns: 300, seed },
    );
  });

  test(`property: of rubbish nothing is a ${name}, and of what was signed nothing else than that`, () => {
    const altered = fc.record({ key: fc.constantFrom(...Object.keys(claims)), value: fc.jsonValue() });
    const rubbish = fc.oneof(
      fc.string().map((text) => ({ text, keys: keySet(), said: null })),
      fc.json().map((keys) => ({ text: signed(claims), keys, said: null })),
      altered.map(({ key, value }) => {
        const said = JSON.parse(JSON.stringify({ ...claims, [key]: value }));
        return { text: signed(said), keys: keySet(), said };
      }),
    );
    const read = (text: string, keys: string) => {
      try {
        const { keyId, ...verified } = verify(text, keys);
        return Object.values(verified)[0];
      } catch (error) {
        assert.equal((error as Error).name, 'PlatformError');
        return null;
      }
    };
    fc.assert(
      fc.property(rubbish, ({ text, keys, said }) => {
        const verified = read(text, keys);
        if (verified !== null) assert.deepEqual(verified, said);
      }),
      { numRuns: 1000, seed },
    );
  });
}
