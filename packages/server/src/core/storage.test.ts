import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { storageTargetOf } from './storage.ts';

const s3 = { accessKey: 'AKIA', secretKey: 'se/cret+', bucket: 'recordings' };
const plain = { region: null, sse: 'none', kmsKeyId: null, kmsEncryptionContext: null } as const;
const azure = { accountName: 'clinic', accountKey: 'a2V5', container: 'recordings' };
const refused = (type: string, config: Record<string, string | undefined>, why: RegExp) =>
  assert.throws(() => storageTargetOf({ type, config }), { code: 'BadRequest', message: why });

describe('the target of a storage', () => {
  it('is a bucket of S3, with the usual endpoint where none is named', () => {
    assert.deepEqual(storageTargetOf({ type: 's3', config: s3 }), { type: 's3', ...s3, endpoint: null, ...plain });
    const wish = { endpoint: 'https://s3.example.org/', region: 'eu-central-1', sse: 's3' };
    const own = storageTargetOf({ type: 's3', config: { ...s3, ...wish } });
    assert.deepEqual(own, { type: 's3', ...s3, ...plain, ...wish, endpoint: 'https://s3.example.org' });
  });

  it('is encrypted there with a key of a key service, named by id or ARN, in a context of strings', () => {
    const kms = { ...s3, sse: 'kms', kmsKeyId: 'arn:aws:kms:eu-central-1:123456789012:key/1234-abcd' };
    const context = { clinic: 'north' };
    assert.deepEqual(storageTargetOf({ type: 's3', config: kms, kmsEncryptionContext: context }), {
      ...{ type: 's3', ...s3, endpoint: null, region: null },
      ...{ sse: 'kms', kmsKeyId: kms.kmsKeyId, kmsEncryptionContext: context },
    });
    refused('s3', { ...kms, kmsKeyId: undefined }, /config.kmsKeyId is missing/);
    for (const kmsKeyId of ['alias/archives', 'arn:aws:kms:eu-central-1:123456789012:alias/archives']) {
      refused('s3', { ...kms, kmsKeyId }, /not an alias/);
    }
    refused('s3', { ...s3, kmsKeyId: 'key' }, /need config.sse kms/);
    const size = limits.storageWordChars - JSON.stringify({ a: '' }).length;
    const inContext = (value: unknown) => () =>
      storageTargetOf({ type: 's3', config: kms, kmsEncryptionContext: value });
    inContext({ a: 'x'.repeat(size) })();
    for (const wrong of ['text', ['a'], { a: 1 }, { a: 'x'.repeat(size + 1) }, { a: '\n' }]) {
      assert.throws(inContext(wrong), { code: 'BadRequest', message: /kmsEncryptionContext/ });
    }
  });

  it('is reached over TLS, or on this machine', () => {
    for (const endpoint of ['http://127.0.0.1:9000', 'http://localhost:9000', 'http://[::1]:9000']) {
      storageTargetOf({ type: 's3', config: { ...s3, endpoint } });
    }
    for (const endpoint of ['http://s3.example.org', 'http://10.0.0.1:9000', 'http://localhost.example.org']) {
      refused('s3', { ...s3, endpoint }, /config.endpoint must be https/);
    }
  });

  it('is a container of Azure', () => {
    assert.deepEqual(storageTargetOf({ type: 'azure', config: azure }), { type: 'azure', ...azure, domain: null });
    const { domain } = storageTargetOf({ type: 'azure', config: { ...azure, domain: 'blob.example.org' } }) as {
      domain: string;
    };
    assert.equal(domain, 'blob.example.org');
  });

  it('names what is missing or wrong', () => {
    refused('gcs', {}, /type must be s3 or azure/);
    for (const name of ['accessKey', 'secretKey', 'bucket']) {
      refused('s3', { ...s3, [name]: undefined }, new RegExp(`config.${name} is missing`));
    }
    for (const name of ['accountName', 'accountKey', 'container']) {
      refused('azure', { ...azure, [name]: '' }, new RegExp(`config.${name} is missing`));
    }
    refused('s3', { ...s3, bucket: 'Not A Bucket' }, /config.bucket is not a bucket/);
    refused('s3', { ...s3, sse: 'c' }, /config.sse must be s3, kms or none/);
    refused('s3', { ...s3, region: 'Frankfurt' }, /config.region is not a region/);
    refused('s3', { ...s3, endpoint: 'https://example.org/?a=b' }, /holds a query/);
    refused('s3', { ...s3, endpoint: 'ftp://example.org' }, /config.endpoint is not a URL/);
    refused('s3', { ...s3, endpoint: 'https://u:p@example.org' }, /holds a user or a password/);
    refused('azure', { ...azure, accountKey: 'no base64!' }, /config.accountKey is not a accountKey/);
    refused('azure', { ...azure, domain: 'a/b' }, /config.domain is not a domain/);
  });

  it('has values of storageWordChars characters at most', () => {
    const config = (size: number) => ({ ...s3, secretKey: 'x'.repeat(size) });
    storageTargetOf({ type: 's3', config: config(limits.storageWordChars) });
    refused('s3', config(limits.storageWordChars + 1), /config.secretKey is not a secretKey/);
  });

  it('property: any words are a target or a refusal, and never one that repeats a secret', () => {
    const value = fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('s3', 'none', 'recordings'));
    const config = fc.dictionary(
      fc.constantFrom(...Object.keys({ ...s3, ...azure }), 'endpoint', 'domain', 'sse'),
      value,
    );
    fc.assert(
      fc.property(fc.constantFrom('s3', 'azure', 'x'), config, (type, words) => {
        try {
          assert.equal(storageTargetOf({ type, config: { ...words, secretKey: 'hidden\nsecret' } }).type, 'azure');
        } catch (error) {
          assert.equal((error as { code: string }).code, 'BadRequest');
          assert.doesNotMatch((error as Error).message, /hidden/);
        }
      }),
      { seed, numRuns: times(200, 5000) },
    );
  });
});
