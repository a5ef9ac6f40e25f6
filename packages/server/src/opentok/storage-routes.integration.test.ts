import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { makeCertificate } from '../../../../tests/core/certificates.ts';
import { type RestFixture, restFixture, startArchive } from './rest-fixture.ts';

let rest: RestFixture;
let certificate: string;
before(async () => {
  rest = await restFixture();
  certificate = await makeCertificate(limits.certificateRsaBitsMin);
});
after(() => rest.close());

const path = '/v2/project/{k}/archive/storage';
const put = (body: unknown) => rest.call('PUT', path, { body });
const config = { accessKey: 'AKIAMARKER', secretKey: 'secretmarker', bucket: 'recordings' };
const s3 = { type: 's3', config, fallback: 'opentok' };

async function refused(body: unknown, status: number, why: RegExp) {
  const answer = await put(body);
  assert.equal(answer.statusCode, status, answer.body);
  assert.match(answer.json().message, why);
}

const start = (wish: object = {}) => startArchive(rest, wish);

describe('the storage of a project', () => {
  it('STO1 STO7 is set, and answered without its keys', async () => {
    const answer = await put({ ...s3, config: { ...config, endpoint: 'https://s3.example.org/', sse: 's3' } });
    assert.equal(answer.statusCode, 200, answer.body);
    const mask = '********';
    assert.deepEqual(answer.json(), {
      type: 's3',
      config: { accessKey: mask, secretKey: mask, bucket: 'recordings', endpoint: 'https://s3.example.org', sse: 's3' },
      fallback: 'opentok',
      certificate: null,
    });
    const azure = {
      accountName: 'clinic',
      accountKey: 'bWFya2Vy',
      container: 'recordings',
      domain: 'blob.example.org',
    };
    const second = await put({ type: 'azure', config: azure, fallback: 'vonage' });
    assert.deepEqual(second.json(), {
      type: 'azure',
      config: { ...azure, accountKey: mask },
      fallback: 'opentok',
      certificate: null,
    });
    assert.equal((await put({ type: 's3', config })).json().fallback, 'opentok');
    const kms = { bucket: 'recordings', region: 'eu-central-1', sse: 'kms', kmsKeyId: 'key-1' };
    const third = await put({ ...s3, config: { ...config, ...kms, kmsEncryptionContext: { clinic: 'north' } } });
    assert.deepEqual(third.json().config, {
      accessKey: mask,
      secretKey: mask,
      ...kms,
      kmsEncryptionContext: { clinic: 'north' },
    });
    const stored = await rest.core.store.storages.get(rest.projectId);
    assert.doesNotMatch(JSON.stringify(stored), /marker/i);
    assert.equal(rest.core.storages.targetOf(stored!).type, 's3');
  });

  it('STO1 STO7 is refused with the name of what is wrong, and never with a key', async () => {
    await refused('{', 400, /not JSON/);
    await refused({}, 400, /config must be an object/);
    await refused({ type: 's3', config: [] }, 400, /config must be an object/);
    await refused({ type: 's3', config: { ...config, bucket: 7 } }, 400, /bucket must be a string/);
    await refused({ type: 'disk', config }, 400, /type must be s3 or azure/);
    await refused({ ...s3, fallback: 'both' }, 400, /fallback must be none or opentok/);
    const answer = await put({ ...s3, config: { ...config, secretKey: 'secret\nmarker' } });
    assert.equal(answer.statusCode, 400);
    assert.doesNotMatch(answer.body, /marker/);
  });

  it('STO2 STO3 STO4 has a certificate, to which composed archives alone are sealed', async () => {
    const base64 = Buffer.from(certificate).toString('base64');
    assert.equal((await put({ ...s3, certificate: base64 })).json().certificate, certificate);
    const started = await start();
    assert.equal(started.statusCode, 200, started.body);
    assert.equal(rest.recordings.last.order.certificate, certificate);
    const apart = await start({ outputMode: 'individual' });
    assert.deepEqual([apart.statusCode, apart.headers['cloister-error']], [400, 'CertificateNeedsComposed']);
    await refused({ ...s3, certificate: 'nonsense' }, 400, /certificate was refused/);
    assert.equal((await put({ ...s3, certificate: null })).json().certificate, null);
    assert.equal((await start({ outputMode: 'individual' })).statusCode, 200);
    assert.equal(rest.recordings.last.order.certificate, null);
  });

  it('STO2 keeps what encrypts where a PUT says nothing of it, and switches it off where it says so', async () => {
    const kms = { sse: 'kms', kmsKeyId: 'key-1', kmsEncryptionContext: { clinic: 'north' } };
    assert.equal((await put({ ...s3, config: { ...config, ...kms }, certificate })).statusCode, 200);
    const renewed = (await put({ ...s3, config: { ...config, secretKey: 'renewed' }, fallback: 'none' })).json();
    assert.equal(renewed.certificate, certificate);
    assert.deepEqual(renewed.config, { accessKey: '********', secretKey: '********', bucket: 'recordings', ...kms });
    for (const empty of ['', ' '])
      await refused({ ...s3, certificate: empty }, 400, /it is empty; .* null to have none/);
    await refused({ ...s3, config: { ...config, sse: '' } }, 400, /config.sse must be s3, kms or none/);
    await refused({ ...s3, config: { ...config, kmsKeyId: 'key-2' } }, 400, /need config.sse kms/);
    const { storage } = await rest.core.storages.put({ kind: 'system' }, rest.projectId, s3);
    assert.equal(storage.certificate, certificate);
    const off = (await put({ ...s3, config: { ...config, sse: 'none' }, certificate: null })).json();
    assert.deepEqual([off.certificate, off.config.sse, off.config.kmsKeyId], [null, 'none', undefined]);
  });

  it('STO4 is asked again at each start: for its certificate and for the plan', async () => {
    // The clock of these tests stands years ahead of the machine's; the certificate ends by it.
    const until = rest.clock.now() + 3600_000;
    const brief = await makeCertificate(limits.certificateRsaBitsMin, { until });
    assert.equal((await put({ ...s3, certificate: brief })).statusCode, 200);
    assert.equal((await start()).statusCode, 200);
    // It is good for the whole of its last second (RFC 5280, 4.1.2.5).
    rest.clock.advance(3601_000);
    const late = await start();
    assert.deepEqual([late.statusCode, late.headers['cloister-error']], [400, 'CertificateRefused']);
    assert.equal((await put({ ...s3, certificate })).statusCode, 200);
    const less = { plan: 'standard', addOns: [] };
    await rest.core.accounts.changePlan({ kind: 'system' }, rest.accountId, { ...less, force: true });
    const unpaid = await start();
    await rest.core.accounts.changePlan({ kind: 'system' }, rest.accountId, { plan: 'enterprise', addOns: [] });
    assert.deepEqual([unpaid.statusCode, unpaid.headers['cloister-error']], [403, 'NotEntitled']);
  });

  it('STO3 needs the add-on for a certificate', async () => {
    const own = await restFixture({ plan: 'standard' });
    const answer = await own.call('PUT', path, { body: { ...s3, certificate } });
    assert.deepEqual([answer.statusCode, answer.headers['cloister-error']], [403, 'NotEntitled']);
    assert.equal((await own.call('PUT', path, { body: s3 })).statusCode, 200);
    await own.close();
  });

  it('STO5 is not at an address that the egress refuses', async () => {
    const own = await restFixture({
      checkAddress: async (destination) => {
        throw new PlatformError('DestinationRefused', { destination, why: 'it is private' });
      },
    });
    const set = (body: object) => own.call('PUT', path, { body });
    assert.equal((await set(s3)).statusCode, 200);
    const ours = await set({ ...s3, config: { ...config, endpoint: 'https://10.0.0.1:9000' } });
    assert.deepEqual([ours.statusCode, ours.headers['cloister-error']], [400, 'DestinationRefused']);
    const azure = { accountName: 'clinic', accountKey: 'a2V5', container: 'recordings', domain: 'blob.internal' };
    assert.match((await set({ type: 'azure', config: azure })).json().message, /https:\/\/clinic\.blob\.internal/);
    await own.close();
  });

  it('STO6 STO8 is removed once; without an upload it needs the fallback', async () => {
    assert.equal((await put({ ...s3, fallback: 'none' })).statusCode, 200);
    const answer = await start();
    assert.deepEqual([answer.statusCode, answer.headers['cloister-error']], [501, 'UploadMissing']);
    assert.equal((await put(s3)).statusCode, 200);
    const { id } = (await start()).json();
    await rest.call('POST', `/v2/project/{k}/archive/${id}/stop`);
    assert.equal((await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json().status, 'available');
    assert.equal((await rest.call('DELETE', path)).statusCode, 204);
    assert.equal((await rest.call('DELETE', path)).statusCode, 404);
    assert.equal((await start()).statusCode, 200);
  });
});
