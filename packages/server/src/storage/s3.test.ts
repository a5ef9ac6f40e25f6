/** The way into a bucket, against a double that checks signatures and headers; `s3.integration.test.ts` has a real server. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { S3Double, s3Error, usual } from '../../../../tests/rig/s3-double.ts';
import { createEgress } from '../access/index.ts';
import { systemClock } from '../lib/index.ts';
import { UploadFault } from './fault.ts';
import { S3Bucket } from './s3.ts';
import type { S3Target } from './s3-answers.ts';
import { target } from './upload-fixtures.ts';
import type { Wire } from './wire.ts';

const egress = createEgress({ mode: 'development', destinations: [], ownAddresses: () => [], clock: systemClock });
const double = await S3Double.start();
after(() => double.close());

beforeEach(() => {
  double.asked.length = 0;
  double.answer = () => null;
  double.region = 'us-east-1';
});

function bucketOf(more: Partial<S3Target> = {}): S3Bucket {
  const { accessKey, secretKey, endpoint } = double;
  const own = { ...(target as S3Target), accessKey, secretKey, endpoint, ...more };
  return new S3Bucket(own, '7/id/archive.ts', egress, new AbortController().signal);
}

const fails = (kind: UploadFault['kind']) => (error: unknown) => {
  assert.ok(error instanceof UploadFault, String(error));
  assert.equal(error.kind, kind, String(error.cause));
  return true;
};

const bytes = Buffer.from('cipher text of an archive');

describe('an object of S3', () => {
  it('is sent in signed parts, each with its digests, and made of them', async () => {
    const bucket = bucketOf();
    const upload = await bucket.begin('mark');
    const tags = [await bucket.sendPart(upload, 1, bytes), await bucket.sendPart(upload, 2, bytes)];
    await bucket.complete(upload, 'mark', tags);
    await bucket.abort(upload);
    assert.deepEqual(double.calls(), ['POST uploads', 'PUT part 1', 'PUT part 2', 'POST complete', 'DELETE upload']);
    const [begun, part, , completed] = double.asked;
    assert.equal(begun?.headers['x-amz-meta-cloisterupload'], 'mark');
    assert.equal(begun?.headers['content-type'], 'application/octet-stream');
    assert.equal(begun?.headers['x-amz-server-side-encryption'], undefined);
    assert.deepEqual(part?.body, bytes);
    assert.ok(part?.headers['content-md5']);
    assert.match(String(completed?.body), /<PartNumber>1<.*<PartNumber>2</s);
  });

  it('is empty where there is no part', async () => {
    const bucket = bucketOf({ sse: 's3' });
    await bucket.complete(await bucket.begin('mark'), 'mark', []);
    assert.deepEqual(double.calls(), ['POST uploads', 'DELETE upload', 'PUT']);
    assert.equal(double.asked[2]?.headers['x-amz-server-side-encryption'], 'AES256');
  });

  it('is known again by its mark and its size, where we may look', async () => {
    double.answer = () => ({ headers: { 'content-length': '25', 'x-amz-meta-cloisterupload': 'mark' } });
    assert.equal(await bucketOf().isThere('mark', 25), true);
    assert.equal(await bucketOf().isThere('mark', 26), false);
    assert.equal(await bucketOf().isThere('other', 25), false);
    double.answer = () => s3Error(403, 'AccessDenied');
    assert.equal(await bucketOf().isThere('mark', 25), false);
    double.answer = () => s3Error(503, 'SlowDown');
    await assert.rejects(bucketOf().isThere('mark', 25), fails('busy'));
  });

  it('is not made by an answer of 200 with a refusal in it', async () => {
    const bucket = bucketOf();
    const upload = await bucket.begin('mark');
    double.answer = () => ({ ...s3Error(200, 'InternalError') });
    await assert.rejects(bucket.complete(upload, 'mark', ['"tag"']), fails('busy'));
  });
});

describe('encryption at the server', () => {
  const kms: Partial<S3Target> = {
    sse: 'kms',
    kmsKeyId: '11111111-2222-3333-4444-555555555555',
    kmsEncryptionContext: { clinic: 'north' },
  };

  const coded = (context: unknown) => Buffer.from(JSON.stringify(context)).toString('base64');

  it('is asked for, and confirmed before a byte is sent', async () => {
    await bucketOf({ sse: 's3' }).begin('mark');
    assert.equal(double.asked[0]?.headers['x-amz-server-side-encryption'], 'AES256');
    const key = `arn:aws:kms:eu-central-1:123456789012:key/${kms.kmsKeyId}`;
    double.answer = (_call, asked) => {
      const { headers, body } = usual(asked);
      return { headers: { ...headers, 'x-amz-server-side-encryption-aws-kms-key-id': key }, body: body ?? '' };
    };
    await bucketOf(kms).begin('mark');
    const { headers } = double.asked[1]!;
    assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms');
    assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], kms.kmsKeyId);
    const context = Buffer.from(String(headers['x-amz-server-side-encryption-context']), 'base64').toString();
    assert.deepEqual(JSON.parse(context), { clinic: 'north' });
    const more = coded({ clinic: 'north', 'aws:s3:arn': 'arn:aws:s3:::recordings' });
    double.answer = (_call, asked) => {
      const { headers, body } = usual(asked);
      const said = { 'x-amz-server-side-encryption-aws-kms-key-id': key, 'x-amz-server-side-encryption-context': more };
      return { headers: { ...headers, ...said }, body: body ?? '' };
    };
    await bucketOf(kms).begin('mark');
    // Without a context none is confirmed.
    double.answer = (_call, asked) => {
      const { headers, body } = usual(asked);
      const { 'x-amz-server-side-encryption-context': _, ...rest } = headers ?? {};
      return { headers: { ...rest, 'x-amz-server-side-encryption-aws-kms-key-id': key }, body: body ?? '' };
    };
    await bucketOf({ ...kms, kmsEncryptionContext: null }).begin('mark');
  });

  it('that is not confirmed ends the upload, and nothing was sent', async () => {
    const says = (said: Record<string, string>) => {
      double.answer = (call, asked) => (call === 'POST uploads' ? { ...usual(asked), headers: said } : null);
    };
    const algorithm = 'x-amz-server-side-encryption';
    const key = `${algorithm}-aws-kms-key-id`;
    for (const [wish, said] of [
      [{ sse: 's3' }, {}],
      [{ sse: 's3' }, { [algorithm]: 'aws:kms' }],
      [kms, { [algorithm]: 'AES256' }],
      [kms, { [algorithm]: 'aws:kms' }],
      [kms, { [algorithm]: 'aws:kms', [key]: 'arn:aws:kms:eu-central-1:123456789012:key/another' }],
      // The very key, and no context, another one, half of it, or none that can be read.
      ...['', coded({ clinic: 'south' }), coded({ other: 'north' }), coded([]), coded(null), 'eyJ'].map(
        (said) =>
          [
            kms,
            { [algorithm]: 'aws:kms', [key]: kms.kmsKeyId!, ...(said && { [`${algorithm}-context`]: said }) },
          ] as const,
      ),
    ] as const) {
      double.asked.length = 0;
      says(said as Record<string, string>);
      await assert.rejects(bucketOf(wish as Partial<S3Target>).begin('mark'), fails('encryption'));
      assert.deepEqual(double.calls(), ['POST uploads', 'DELETE upload']);
    }
  });

  it('of which the server knows nothing is a clear refusal', async () => {
    double.answer = () => s3Error(501, 'NotImplemented');
    await assert.rejects(bucketOf({ sse: 's3' }).begin('mark'), fails('encryption'));
    double.answer = () => s3Error(400, 'KMS.DisabledException');
    await assert.rejects(bucketOf(kms).begin('mark'), fails('encryption'));
  });
});

describe('what a server refuses', () => {
  it('has a kind, which says whether trying again can help', async () => {
    const refusals = [
      [403, 'SignatureDoesNotMatch', 'credentials', true],
      [403, 'AccessDenied', 'denied', true],
      [403, 'SomethingNew', 'denied', true],
      [404, 'NoSuchBucket', 'missing', true],
      [404, 'NoSuchUpload', 'lost', false],
      [503, 'SlowDown', 'busy', false],
      [500, 'SomethingNew', 'busy', false],
      [429, 'TooManyRequests', 'busy', false],
      [400, 'InvalidRequest', 'refused', true],
      [403, 'RequestTimeTooSkewed', 'refused', true],
    ] as const;
    for (const [status, code, kind, lasting] of refusals) {
      double.answer = () => s3Error(status, code);
      await assert.rejects(bucketOf().sendPart('upload', 1, bytes), (error: UploadFault) => {
        assert.equal(error.lasting, lasting, code);
        assert.doesNotMatch(error.message, /127\.0\.0\.1|AKIA|secret/);
        return fails(kind)(error);
      });
    }
  });

  it('for its region is asked again in the right one, unless the project named it', async () => {
    double.region = 'eu-north-1';
    assert.equal(await bucketOf().begin('mark'), 'upload+1/=');
    await assert.rejects(bucketOf({ region: 'eu-south-2' }).begin('mark'), fails('region'));
  });

  it('because of its key is no way to find out about ours', async () => {
    await assert.rejects(bucketOf({ accessKey: 'another' }).begin('mark'), fails('credentials'));
    await assert.rejects(bucketOf({ secretKey: 'another' }).begin('mark'), fails('credentials'));
  });
});

describe('where a bucket is', () => {
  it('is asked of the egress, which refuses it in production here', async () => {
    const production = createEgress({
      mode: 'production',
      destinations: [],
      ownAddresses: () => [],
      clock: systemClock,
    });
    const { accessKey, secretKey, endpoint } = double;
    const own = { ...(target as S3Target), accessKey, secretKey, endpoint };
    const bucket = new S3Bucket(own, 'name', production, new AbortController().signal);
    await assert.rejects(bucket.begin('mark'), fails('forbidden'));
    assert.deepEqual(double.calls(), []);
  });

  it('is a name of Amazon where there is no endpoint, and another one once Amazon has named the region', async () => {
    const asked: string[] = [];
    const wire: Wire = {
      async request({ url }) {
        asked.push(url);
        const headers = { 'x-amz-bucket-region': 'eu-central-1' };
        const { status = 200, body = '' } = asked.length === 1 ? s3Error(301, 'PermanentRedirect') : {};
        return { status, headers, body: Buffer.from(body) };
      },
    };
    const bucket = new S3Bucket(target as S3Target, '7/id/archive.ts', wire, new AbortController().signal);
    await bucket.abort('upload/1');
    assert.deepEqual(
      asked,
      ['us-east-1', 'eu-central-1'].map(
        (region) =>
          `https://recordings.s3.${region}.amazonaws.com/7/id/archive.ts?x-id=AbortMultipartUpload&uploadId=upload%2F1`,
      ),
    );
  });

  it('is reached over TLS, or is this machine', async () => {
    await assert.rejects(bucketOf({ endpoint: 'http://s3.example.org' }).begin('mark'), fails('forbidden'));
  });

  it('that does not answer is unreachable, and so is one when the server stops', async () => {
    const gone = await S3Double.start();
    gone.close();
    await assert.rejects(bucketOf({ endpoint: gone.endpoint }).begin('mark'), fails('unreachable'));
    const { accessKey, secretKey, endpoint } = double;
    const own = { ...(target as S3Target), accessKey, secretKey, endpoint };
    const bucket = new S3Bucket(own, 'name', egress, AbortSignal.abort());
    await assert.rejects(bucket.begin('mark'), fails('unreachable'));
  });
});
