/** Reading an object, against a double that checks signatures; the variables and files that Amazon's tools know are real. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { S3Double, s3Error } from '../../../../tests/rig/s3-double.ts';
import { readS3Object } from './s3-read.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-s3-read-'));
const double = await S3Double.start();
after(() => {
  double.close();
  rmSync(folder, { recursive: true });
});

/** The variables of a test, and no others of Amazon's. */
function environment(variables: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  const nowhere = path.join(folder, 'nothing');
  const files = { AWS_CONFIG_FILE: nowhere, AWS_SHARED_CREDENTIALS_FILE: nowhere, AWS_EC2_METADATA_DISABLED: 'true' };
  Object.assign(process.env, files, { AWS_ENDPOINT_URL_S3: double.endpoint }, variables);
}

const credentials = { AWS_ACCESS_KEY_ID: double.accessKey, AWS_SECRET_ACCESS_KEY: double.secretKey };
const object = randomBytes(3_000_000);
const key = '7/an id/archive (1).ts';
const paths: string[] = [];

beforeEach(() => {
  environment(credentials);
  double.region = 'us-east-1';
  double.answer = (call) =>
    call === 'GET' ? { headers: { 'content-length': `${object.length}` }, body: object } : null;
  paths.length = 0;
});

const asked: typeof fetch = (url, wish) => {
  paths.push(new URL(String(url)).pathname);
  return fetch(url, wish);
};

async function read(source = `s3://visits/${key}`): Promise<Buffer> {
  const { bytes, size } = await readS3Object(source, asked);
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  assert.equal(size, object.length);
  return Buffer.concat(parts);
}

const refused = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PlatformError, String(error));
  assert.equal(error.code, 'ArchiveUnreadable');
  assert.match(String(error.details.why), why);
  assert.doesNotMatch(error.message, /double\/secret/);
  return true;
};

describe('an object of S3', () => {
  it('is read with the credentials and at the endpoint of the environment', async () => {
    assert.deepEqual(await read(), object);
    assert.deepEqual(paths, ['/visits/7/an%20id/archive%20%281%29.ts']);
  });

  it('is read with those of a profile', async () => {
    const file = path.join(folder, 'credentials');
    const lines = [
      '[clinic]',
      `aws_access_key_id = ${double.accessKey}`,
      `aws_secret_access_key = ${double.secretKey}`,
    ];
    writeFileSync(file, lines.join('\n'));
    environment({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'clinic' });
    assert.deepEqual(await read(), object);
  });

  it('is read in the region that is set, or in the one that the storage names', async () => {
    double.region = 'eu-central-1';
    assert.deepEqual(await read(), object);
    assert.equal(paths.length, 2);
    environment({ ...credentials, AWS_REGION: 'eu-central-1' });
    assert.deepEqual(await read(), object);
    assert.equal(paths.length, 3);
  });

  it('that cannot be read says why, without a secret', async () => {
    for (const [answer, why] of [
      [s3Error(404, 'NoSuchKey'), /^s3:\/\/visits\/.*: there is no such object$/],
      [s3Error(404, 'NoSuchBucket'), /there is no such bucket$/],
      [s3Error(403, 'AccessDenied'), /may not read it/],
      [s3Error(403, 'SomethingElse'), /may not read it/],
      [s3Error(403, 'InvalidObjectState'), /restored first$/],
      [s3Error(403, 'ExpiredToken'), /refused the credentials$/],
      [{ status: 302, headers: { location: 'http://192.0.2.1/' } }, /status 302$/],
    ] as const) {
      double.answer = () => answer;
      await assert.rejects(read(), refused(why));
    }
    environment({});
    await assert.rejects(read(), refused(/set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE$/));
    environment({ ...credentials, AWS_SECRET_ACCESS_KEY: 'another' });
    await assert.rejects(read(), refused(/refused the credentials$/));
  });

  it('whose connection breaks off is not whole', async () => {
    const short: typeof fetch = async (url, wish) => {
      const answer = await fetch(url, wish);
      let turn = 0;
      const pull = (sent: ReadableStreamDefaultController) =>
        turn++ === 0 ? sent.enqueue(object.subarray(0, 1000)) : sent.error(new Error('reset'));
      await answer.body?.cancel();
      return new Response(new ReadableStream({ pull }), { status: 200, headers: answer.headers });
    };
    const { bytes } = await readS3Object('s3://visits/a', short);
    const all = async () => {
      for await (const part of bytes) assert.equal(part.length, 1000);
    };
    await assert.rejects(all(), refused(/broke off$/));
  });

  it('is named by its bucket and its key', async () => {
    for (const source of ['s3://', 's3://bucket', 's3://bucket/', 's3:///key']) {
      await assert.rejects(read(source), refused(/is not s3:\/\/BUCKET\/KEY$/));
    }
    assert.deepEqual(paths, []);
  });

  it('is not asked for on a way on which others could read along', async () => {
    environment({ ...credentials, AWS_ENDPOINT_URL_S3: 'http://192.0.2.1:9000' });
    await assert.rejects(read(), refused(/not https$/));
    assert.deepEqual(paths, []);
  });
});
