import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { makeCertificate } from '../../../../tests/core/certificates.ts';
import { archiveCallback } from './archive-shape.ts';
import { type RestFixture, restFixture, startArchive } from './rest-fixture.ts';

let rest: RestFixture;
let certificate: string;
before(async () => {
  rest = await restFixture();
  certificate = await makeCertificate(limits.certificateRsaBitsMin);
});
after(() => rest.close());

const seal = (format: 'opentok' | 'cloister') =>
  rest.core.sealings.put({ kind: 'system' }, rest.projectId, { format, certificates: [certificate] });

const start = (wish: object = {}) => startArchive(rest, wish);

describe('what archives are sealed to', () => {
  it("SEAL1 is set without a storage, and is OpenTok's format or our own", async () => {
    await seal('opentok');
    assert.equal((await start()).statusCode, 200);
    assert.deepEqual(rest.recordings.last.order.certificate, certificate);
    await seal('cloister');
    assert.equal((await start()).statusCode, 200);
    const { order } = rest.recordings.last;
    assert.deepEqual([order.certificate, order.recipients], [null, [certificate]]);
  });

  it('SEAL2 leaves no place for a certificate of the storage', async () => {
    await seal('cloister');
    const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };
    const put = (body: object) =>
      rest.call('PUT', '/v2/project/{k}/archive/storage', { body: { type: 's3', config, ...body } });
    const refused = await put({ certificate });
    assert.deepEqual([refused.statusCode, refused.headers['cloister-error']], [409, 'WrongState']);
    assert.equal((await put({ certificate: null })).statusCode, 200);
    await rest.core.storages.remove({ kind: 'system' }, rest.projectId);
  });

  it('SEAL3 in our own format there is no password and no certificate to show, and the file has a name of its own', async () => {
    await seal('cloister');
    const { id } = (await start()).json();
    await rest.call('POST', `/v2/project/{k}/archive/${id}/stop`, { body: {} });
    let archive = (await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json();
    while (archive.status !== 'available') archive = (await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json();
    const file = Buffer.from(rest.recordings.files.get(id)!);
    assert.deepEqual([archive.password, archive.size], ['', file.length]);
    const link = new URL(archive.url);
    assert.match(link.pathname, /\/archive\.cloister$/);
    const download = await rest.app.inject({ method: 'GET', url: link.pathname });
    assert.equal(download.headers['content-type'], 'application/octet-stream');
    assert.deepEqual(download.rawPayload, file);
    const { archive: row } = await rest.core.archives.get(rest.projectId, id);
    const callback = archiveCallback(row, null);
    assert.deepEqual([callback.certificate, callback.password], ['', '']);
    assert.equal(callback.sha256sum, archive.sha256sum);
  });

  it("SEAL4 an individual archive is sealed in our own format, and refused where it would have to be in OpenTok's", async () => {
    await seal('cloister');
    const answer = await start({ outputMode: 'individual' });
    assert.equal(answer.statusCode, 200, answer.body);
    const { order } = rest.recordings.last;
    assert.deepEqual([order.outputMode, order.certificate, order.recipients], ['individual', null, [certificate]]);
    const { id } = answer.json();
    await rest.call('POST', `/v2/project/{k}/archive/${id}/stop`, { body: {} });
    let archive = (await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json();
    while (archive.status !== 'available') archive = (await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json();
    assert.equal(archive.password, '');
    const link = new URL(archive.url);
    assert.match(link.pathname, /\/archive\.zip$/);
    const download = await rest.app.inject({ method: 'GET', url: link.pathname });
    assert.equal(download.headers['content-type'], 'application/zip');
    await seal('opentok');
    const refused = await start({ outputMode: 'individual' });
    assert.deepEqual([refused.statusCode, refused.headers['cloister-error']], [400, 'CertificateNeedsComposed']);
  });
});
