import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { storageTargetOf } from './storage.ts';

const s3 = { accessKey: 'AKIA', secretKey: 'se/cret+', bucket: 'recordings' };
const azure = { accountName: 'clinic', accountKey: 'a2V5', container: 'recordings' };
const refused = (type: string, config: Record<string, string | undefined>, why: RegExp) =>
  assert.throws(() => storageTargetOf({ type, config }), { code: 'BadRequest', message: why });

describe('the target of a storage', () => {
  it('is a bucket of S3, with the usual endpoint where none is named', () => {
    assert.deepEqual(storageTargetOf({ type: 's3', config: s3 }), { type: 's3', ...s3, endpoint: null, sse: 'none' });
    const own = storageTargetOf({ type: 's3', config: { ...s3, endpoint: 'https://s3.example.org/', sse: 's3' } });
    assert.deepEqual(own, { type: 's3', ...s3, endpoint: 'https://s3.example.org', sse: 's3' });
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
    refused('s3', { ...s3, sse: 'kms' }, /config.sse must be s3 or none/);
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
