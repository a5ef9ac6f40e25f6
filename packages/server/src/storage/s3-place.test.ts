import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { S3Target } from './s3-answers.ts';
import { firstRegion, placeOf } from './s3-place.ts';
import { target } from './upload-fixtures.ts';

const at = (endpoint: string | null, region: string | null = null) => ({
  ...(target as S3Target),
  endpoint,
  region,
});

it('the region is the one that was named, or stands in the endpoint, or the usual one', () => {
  assert.equal(firstRegion(at(null)), 'us-east-1');
  assert.equal(firstRegion(at('https://s3.amazonaws.com')), 'us-east-1');
  assert.equal(firstRegion(at('https://s3.eu-central-1.amazonaws.com')), 'eu-central-1');
  assert.equal(firstRegion(at('https://s3-us-west-2.amazonaws.com')), 'us-west-2');
  assert.equal(firstRegion(at('https://s3.us-gov-west-1.amazonaws.com')), 'us-gov-west-1');
  assert.equal(firstRegion(at('https://s3.eu-central-003.example.org')), 'eu-central-003');
  assert.equal(firstRegion(at('https://storage.example.org')), 'us-east-1');
  assert.equal(firstRegion(at('https://s3.eu-central-1.example.org', 'garage')), 'garage');
});

it("a bucket of Amazon is a name below its region's; anywhere else it stands in the path", () => {
  const amazon = { endpoint: 'https://s3.eu-west-1.amazonaws.com', forcePathStyle: false };
  assert.deepEqual(placeOf(at(null), 'eu-west-1'), amazon);
  assert.deepEqual(placeOf(at('https://s3.eu-central-1.amazonaws.com'), 'eu-west-1'), amazon);
  const own = 'https://storage.example.org:9000';
  assert.deepEqual(placeOf(at(own), 'eu-west-1'), { endpoint: own, forcePathStyle: true });
  const china = 'https://s3.cn-north-1.amazonaws.com.cn';
  assert.deepEqual(placeOf(at(china), 'cn-north-1'), { endpoint: china, forcePathStyle: true });
});
