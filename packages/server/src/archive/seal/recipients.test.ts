import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { generalDecrypt } from 'jose';
import { isRefusal, makeOwner, randomFrom, seed } from './archive-fixtures.ts';
import { byPlatform, byPrivateKey, toCertificates, toPlatform } from './recipients.ts';

const owners = [makeOwner(), makeOwner(3072)] as const;
const [owner, second] = owners;
const stranger = makeOwner();
const contentKey = randomFrom('content key')(32);

interface Jwe {
  protected: string;
  recipients: { header: Record<string, string>; encrypted_key: string }[];
  [member: string]: unknown;
}
const wrap = async (...to: (typeof owner)[]): Promise<Jwe> =>
  JSON.parse(JSON.stringify(await toCertificates(to.map(({ certificate }) => certificate))(contentKey)));

const refuses = (header: unknown, key: KeyObject, code: Parameters<typeof isRefusal>[1], message?: RegExp) =>
  assert.rejects(byPrivateKey(key)(header), (error) => isRefusal(error, code, message));

test('each holder of a key opens what was wrapped to one or to several, and so does another JWE program', async () => {
  const one = await wrap(owner);
  assert.deepEqual(await byPrivateKey(owner.privateKey)(one), contentKey);
  const both = await wrap(...owners);
  for (const { privateKey, certificate } of owners) {
    assert.deepEqual(await byPrivateKey(privateKey)(both), contentKey);
    const { plaintext } = await generalDecrypt(both as never, privateKey);
    assert.deepEqual(Buffer.from(plaintext), contentKey);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const keyId = createHash('sha256').update(spki).digest('base64url');
    const own = both.recipients.find(({ header }) => header.kid === keyId);
    assert.equal(own?.header.alg, 'RSA-OAEP-256');
    assert.equal(Buffer.from(own?.header['x5t#S256'] ?? '', 'base64url').toString('hex'), certificate.fingerprint);
  }
  assert.deepEqual(JSON.parse(Buffer.from(both.protected, 'base64url').toString()), {
    enc: 'A256GCM',
    typ: 'cloister-archive',
  });
});

test('a key that is no recipient is told whose archive it is', async () => {
  await refuses(
    await wrap(...owners),
    stranger.privateKey,
    'ArchiveKeyWrong',
    new RegExp(owner.certificate.fingerprint),
  );
});

test('a key of another kind is told before anything is read', () => {
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  for (const key of [elliptic, short, owner.certificate.publicKey]) {
    assert.throws(
      () => byPrivateKey(key),
      (error) => isRefusal(error, 'ArchiveKeyWrong', /not a private RSA key of 2048/),
    );
  }
});

test('a wrapped key that was changed is told from a wrong key', async () => {
  const jwe = await wrap(...owners);
  const spoil = (text: string) => (text[0] === 'A' ? 'B' : 'A') + text.slice(1);
  for (const member of ['protected', 'iv', 'ciphertext', 'tag'] as const) {
    await refuses({ ...jwe, [member]: spoil(String(jwe[member])) }, owner.privateKey, 'ArchiveChanged', /wrapped key/);
  }
  const [first, ...rest] = jwe.recipients as [Jwe['recipients'][0], ...Jwe['recipients']];
  const keySpoilt = { ...jwe, recipients: [{ ...first, encrypted_key: spoil(first.encrypted_key) }, ...rest] };
  await refuses(keySpoilt, owner.privateKey, 'ArchiveChanged');
});

test('a recipient whose name was changed still opens; the chunks are bound to the header and will not', async () => {
  const jwe = await wrap(...owners);
  for (const each of jwe.recipients) each.header.kid = 'somebody';
  assert.deepEqual(await byPrivateKey(second.privateKey)(jwe), contentKey);
});

test('a weaker way to wrap is not taken', async () => {
  const jwe = await wrap(owner);
  for (const alg of ['RSA-OAEP', 'RSA1_5', 'dir', 'none']) {
    const [first] = jwe.recipients;
    await refuses(
      { ...jwe, recipients: [{ ...first, header: { ...first?.header, alg } }] },
      owner.privateKey,
      'ArchiveChanged',
    );
  }
});

test('archiveRecipients is the most certificates, in the making and in the reading; none is none', async () => {
  const most = Array.from({ length: limits.archiveRecipients }, () => owner);
  const jwe = await wrap(...most);
  assert.deepEqual(await byPrivateKey(owner.privateKey)(jwe), contentKey);
  const certificates = [...most, owner].map(({ certificate }) => certificate);
  assert.throws(
    () => toCertificates(certificates),
    (error) => isRefusal(error, 'LimitReached', /archiveRecipients/),
  );
  assert.throws(
    () => toCertificates([]),
    (error) => isRefusal(error, 'CertificateRefused', /there is none/),
  );
  const [first] = jwe.recipients;
  await refuses({ ...jwe, recipients: [...jwe.recipients, first] }, owner.privateKey, 'ArchiveUnreadable');
});

test('property: no header makes it throw anything but a refusal', async () => {
  const jwe = await wrap(...owners);
  const members = Object.keys(jwe);
  const mixed = fc
    .tuple(fc.constantFrom(...members), fc.oneof(fc.jsonValue(), fc.base64String()))
    .map(([member, value]) => ({ ...jwe, [member]: value }));
  const header = fc.oneof(fc.jsonValue(), mixed);
  await fc.assert(
    fc.asyncProperty(header, async (json) => {
      for (const open of [byPrivateKey(owner.privateKey), byPlatform((text) => text)]) {
        await assert.rejects(open(json), (error) =>
          /^Archive(Changed|KeyWrong|Unreadable)$/.test((error as { code: string }).code),
        );
      }
    }),
    { numRuns: 200, seed },
  );
});

test('the platform wraps with a function of its own, and what that refuses is refused', async () => {
  const seal = (text: string) => `sealed:${text.split('').reverse().join('')}`;
  const open = (text: string) => text.slice('sealed:'.length).split('').reverse().join('');
  const header = JSON.parse(JSON.stringify(await toPlatform(seal)(contentKey)));
  assert.deepEqual(await byPlatform(open)(header), contentKey);
  await assert.rejects(byPlatform(() => Promise.reject(new Error('another project')))(header), /another project/);
  await assert.rejects(byPlatform(() => 'short')(header), (error) => isRefusal(error, 'ArchiveUnreadable'));
  await assert.rejects(byPlatform(open)(await wrap(owner)), (error) => isRefusal(error, 'ArchiveUnreadable'));
  await refuses(header, owner.privateKey, 'ArchiveUnreadable', /not one for certificates/);
});
