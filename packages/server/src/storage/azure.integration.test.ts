/** Uploads into a container of Azure Blob, which is Azurite, Microsoft's own emulator. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, it } from 'node:test';
import {
  BlobSASPermissions,
  BlobServiceClient,
  type ContainerClient,
  newPipeline,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { limits } from '@cloister/protocol';
import { type Azurite, startAzurite } from '../../../../tests/rig/azurite.ts';
import { createEgress, type Egress } from '../access/index.ts';
import type { StorageTarget } from '../core/index.ts';
import { systemClock } from '../lib/index.ts';
import { AzureBucket, clientOver } from './azure.ts';
import { StorageRig } from './storage-fixtures.ts';

type AzureTarget = Extract<StorageTarget, { type: 'azure' }>;

const container = 'visits-of-a-clinic';
const { signal } = new AbortController();

let azurite: Azurite;
let egress: Egress;
/** As its owner sees it. */
let owned: ContainerClient;
before(async () => {
  azurite = await startAzurite();
  const { accountName, accountKey, domain } = azurite;
  const usual = { mode: 'development', destinations: [], ownAddresses: () => [], clock: systemClock } as const;
  egress = createEgress({ ...usual, ...network() });
  const pipeline = newPipeline(new StorageSharedKeyCredential(accountName, accountKey), {
    httpClient: clientOver(egress, signal),
  });
  owned = new BlobServiceClient(`https://${accountName}.${domain}`, pipeline).getContainerClient(container);
  await owned.create();
});
after(() => azurite?.stop());

/** Names below `localhost` lead to this machine, whatever its resolver knows of them. */
const network = () => ({ resolver: async () => ['127.0.0.1'], ca: [azurite.certificate] });

const at = (more: Partial<AzureTarget> = {}): AzureTarget => {
  const { accountName, accountKey, domain } = azurite;
  return { type: 'azure', accountName, accountKey, container, domain, ...more };
};

function rigWith(bytes: Buffer): StorageRig {
  const rig = new StorageRig(network());
  rig.spool = bytes;
  return rig;
}

async function contentOf(name: string): Promise<Buffer> {
  const permissions = BlobSASPermissions.parse('r');
  const url = await owned.getBlobClient(name).generateSasUrl({ permissions, expiresOn: new Date(Date.now() + 60_000) });
  const answerBytes = 2 * limits.uploadPartBytes;
  return (await egress.request({ url, method: 'GET', timeoutMs: 10_000, answerBytes })).body;
}

it('an archive is there as it was recorded, of several parts, of one or of none', async () => {
  for (const bytes of [randomBytes(limits.uploadPartBytes + 12_345), randomBytes(1)]) {
    const rig = rigWith(bytes);
    assert.equal(await rig.upload(at()), 'uploaded');
    assert.deepEqual(await contentOf(rig.name), bytes);
    assert.deepEqual(rig.journal.items, []);
  }
  const empty = rigWith(Buffer.alloc(0));
  assert.equal(await empty.upload(at()), 'uploaded');
  const { contentLength, contentType } = await owned.getBlobClient(empty.name).getProperties();
  assert.deepEqual([contentLength, contentType], [0, 'application/octet-stream']);
});

it('after a restart it goes on, and is known again when it is there already', async () => {
  const rig = rigWith(randomBytes(limits.uploadPartBytes + 1));
  const first = rig.open();
  first.stop();
  await first.begin(rig.order(at()));
  assert.equal(await first.finish(rig.archiveId, rig.result()), 'left');
  const second = await rig.open().resume(rig.archiveId);
  assert.equal(await second?.end, 'uploaded');
  assert.deepEqual(await contentOf(rig.name), rig.spool);
  const bucket = new AzureBucket(at(), 'known', egress, signal);
  await bucket.complete('mark', 'mark', [await bucket.sendPart('mark', 1, Buffer.from('known'))]);
  assert.equal(await bucket.isThere('mark', 5), true);
  assert.equal(await bucket.isThere('other', 5), false);
  assert.equal(await bucket.isThere('mark', 6), false);
  const other = new AzureBucket(at(), 'unknown', egress, signal);
  assert.equal(await other.isThere('mark', 5), false);
  await assert.rejects(other.complete('mark', 'mark', [Buffer.from('no block').toString('base64')]), { kind: 'lost' });
});

it('what a customer may have got wrong is said', async () => {
  const wrongKey = Buffer.from('another key').toString('base64');
  for (const [wrong, why] of [
    // Azurite's word for it; the service itself says AuthenticationFailed.
    [{ accountKey: wrongKey }, 'the credentials may not write there'],
    [{ container: 'nothing-here' }, 'there is no such bucket'],
  ] as const) {
    const rig = rigWith(randomBytes(100));
    await assert.rejects(rig.upload(at(wrong)), { code: 'UploadFailed', details: { why } });
    assert.doesNotMatch(JSON.stringify(rig.journal.items), /localhost|127\.0\.0\.1/);
  }
});
