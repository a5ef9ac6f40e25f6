/** Uploads into a real server that speaks S3: OpenStack Swift of Debian. What it cannot do is in `s3.test.ts`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { Swift } from '../../../../tests/rig/swift.ts';
import { eventually } from '../../../../tests/rig/wait.ts';
import type { S3Target } from './s3-answers.ts';
import { StorageRig } from './storage-fixtures.ts';
import { target } from './upload-fixtures.ts';

const bucket = 'visits-of-a-clinic';
const partial = limits.uploadPartBytes + 12_345;

let swift: Swift;
before(async () => {
  swift = await Swift.start();
  await swift.createBucket(bucket);
});
after(() => swift?.kill());

const at = (more: Partial<S3Target> = {}): S3Target => ({
  ...(target as S3Target),
  ...swift.owner,
  bucket,
  endpoint: swift.endpoint,
  ...more,
});

function rigWith(bytes: Buffer): StorageRig {
  const rig = new StorageRig();
  rig.spool = bytes;
  return rig;
}

/** Parts that are remembered as acknowledged. */
function partsOf(rig: StorageRig): number {
  const { begun } = JSON.parse(readFileSync(path.join(rig.folder, 'upload.json'), 'utf8'));
  return begun?.parts.length ?? 0;
}

const arrived = (rig: StorageRig, count: number) =>
  eventually(
    `${count} parts`,
    async () => partsOf(rig),
    (now) => now === count,
  );

describe('an archive in a bucket', () => {
  it('is what was recorded, of several parts, of one or of none', async () => {
    for (const bytes of [randomBytes(partial), randomBytes(1), Buffer.alloc(0)]) {
      const rig = rigWith(bytes);
      assert.equal(await rig.upload(at()), 'uploaded');
      assert.deepEqual(await swift.object(bucket, rig.name), bytes);
      assert.deepEqual(rig.journal.items, []);
    }
  });

  it('is in the region that the server names, where the project names none', async () => {
    const rig = rigWith(randomBytes(100));
    assert.equal(await rig.upload(at({ region: swift.region })), 'uploaded');
    const other = rigWith(randomBytes(100));
    await assert.rejects(other.upload(at({ region: 'us-west-2' })), {
      details: { why: 'the bucket is in another region' },
    });
  });

  it('is there after the server was killed on the way', async () => {
    const rig = rigWith(randomBytes(limits.uploadPartBytes));
    const uploads = rig.open();
    await uploads.begin(rig.order(at()));
    await arrived(rig, 1);
    await swift.kill();
    rig.spool = Buffer.concat([rig.spool, randomBytes(1000)]);
    const end = uploads.finish(rig.archiveId, rig.result());
    assert.match(await rig.waits(), /could not be reached: the connection was refused/);
    await swift.start();
    assert.equal(await end, 'uploaded');
    assert.deepEqual(await swift.object(bucket, rig.name), rig.spool);
  });

  it('is there after we ended on the way', async () => {
    const rig = rigWith(randomBytes(partial));
    const first = rig.open();
    await first.begin(rig.order(at()));
    await arrived(rig, 1);
    first.stop();
    assert.equal(await first.finish(rig.archiveId, rig.result()), 'left');
    const second = await rig.open().resume(rig.archiveId);
    assert.equal(await second?.end, 'uploaded');
    assert.deepEqual(await swift.object(bucket, rig.name), rig.spool);
  });
});

describe('what a customer may have got wrong', { concurrency: true }, () => {
  const refusals: [string, () => Partial<S3Target>, string][] = [
    ['a wrong secret', () => ({ secretKey: 'wrong' }), 'the storage refused the credentials'],
    ['a key that nobody has', () => ({ accessKey: 'test:nobody' }), 'the storage refused the credentials'],
    ['a bucket that is not there', () => ({ bucket: 'nothing-here' }), 'there is no such bucket'],
    ['a bucket to read only', () => swift.guest, 'the credentials may not write there'],
    [
      'encryption that the server does not do',
      () => ({ sse: 's3' }),
      'the storage did not confirm the encryption at the server, and nothing was sent',
    ],
  ];
  for (const [title, wrong, why] of refusals) {
    it(`${title} is said, and tried uploadRefusals times`, async () => {
      const rig = rigWith(randomBytes(100));
      await assert.rejects(rig.upload(at(wrong())), { code: 'UploadFailed', details: { why } });
      assert.equal(rig.journal.items.length, limits.uploadRefusals - 1);
      assert.doesNotMatch(JSON.stringify(rig.journal.items), /127\.0\.0\.1|owning|wrong/);
    });
  }

  it('a bucket that vanishes while it is recorded is said, and when it is back all goes there', async () => {
    const own = 'here-and-gone';
    await swift.createBucket(own);
    const rig = rigWith(randomBytes(partial));
    const uploads = rig.open();
    await uploads.begin(rig.order(at({ bucket: own })));
    await arrived(rig, 1);
    await swift.deleteBucket(own);
    rig.spool = Buffer.concat([rig.spool, randomBytes(partial)]);
    await rig.journal.next('its absence', ({ why }) => why === 'there is no such bucket');
    await swift.createBucket(own);
    assert.equal(await uploads.finish(rig.archiveId, rig.result()), 'uploaded');
    assert.deepEqual(await swift.object(own, rig.name), rig.spool);
  });

  it('what is given up leaves no part behind', async () => {
    const rig = rigWith(randomBytes(partial));
    const uploads = rig.open();
    await uploads.begin(rig.order(at()));
    await arrived(rig, 1);
    await uploads.abandon(rig.archiveId);
    await eventually(
      'no upload of it',
      () => swift.unfinished(bucket),
      (keys) => !keys.includes(rig.name),
    );
  });
});
