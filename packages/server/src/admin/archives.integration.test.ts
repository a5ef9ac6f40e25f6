import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { limits } from '@cloister/protocol';
import type { FastifyInstance } from 'fastify';
import { makeCertificate } from '../../../../tests/core/certificates.ts';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import { createHttpServer } from '../http.ts';
import { verifyManifest } from '../keys/index.ts';
import { archiveRoutes } from './archives.ts';
import { answerErrors } from './errors.ts';

let platform: TestPlatform;
let app: FastifyInstance;
let certificate: string;
before(async () => {
  platform = await testPlatform();
  certificate = await makeCertificate(limits.certificateRsaBitsMin);
  app = createHttpServer(null);
  answerErrors(app, { record() {} });
  // OpenTok's credential is checked elsewhere: here the header says who asks.
  const auth = {
    project: async () => {},
    anyProject: async () => platform.projectId,
    account: async ({ headers }: { headers: Record<string, unknown> }) => String(headers['x-account']),
  };
  archiveRoutes(app, { network: () => 'public', core: platform.core, auth });
});
after(async () => {
  await app.close();
  await platform.close();
});

async function call(method: 'GET' | 'PUT' | 'DELETE', url: string, body?: object, account = platform.accountId) {
  const headers = { 'x-account': account };
  const answer = await app.inject({ method, url, headers, ...(body && { payload: body }) });
  const { statusCode: status, payload: text } = answer;
  const type = String(answer.headers['content-type'] ?? '').split(';')[0];
  return { status, type, text, body: text.startsWith('{') ? JSON.parse(text) : null };
}

const sealing = () => `/projects/${platform.projectId}/archive-sealing`;
const manifest = (id: string) => `/projects/${platform.projectId}/archives/${id}/manifest`;

it('what archives are sealed to is set, shown with its fingerprints, and removed', async () => {
  const unset = await call('GET', sealing());
  assert.deepEqual([unset.status, unset.body.code], [404, 'SealingNotFound']);
  const set = await call('PUT', sealing(), { format: 'cloister', certificates: [certificate] });
  assert.equal(set.status, 200, set.text);
  assert.deepEqual(Object.keys(set.body), ['format', 'certificates', 'certificateSha256', 'updatedAt']);
  assert.deepEqual([set.body.format, set.body.certificates], ['cloister', [certificate]]);
  assert.match(set.body.certificateSha256[0], /^[0-9a-f]{64}$/);
  assert.deepEqual((await call('GET', sealing())).body, set.body);
  assert.equal((await call('DELETE', sealing())).status, 204);
  assert.equal((await call('DELETE', sealing())).status, 404);
});

it('a body that is none, and a certificate that is none, are told', async () => {
  const wrong: [object, RegExp][] = [
    [{ format: 'age', certificates: [certificate] }, /format/],
    [{ format: 'cloister' }, /certificates/],
    [{ format: 'cloister', certificates: [certificate], fallback: 'none' }, /fallback/],
    [{ format: 'cloister', certificates: [certificate, 'hello!'] }, /number 2 of 2: it is neither PEM nor base64/],
    [{ format: 'cloister', certificates: [certificate, certificate] }, /number 2 of 2: it is the same as number 1/],
  ];
  for (const [body, why] of wrong) {
    const answer = await call('PUT', sealing(), body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.body.message, why);
  }
  assert.equal((await call('GET', sealing())).status, 404);
});

it('a project of another account is not there', async () => {
  const { account } = await platform.core.accounts.create({ kind: 'system' }, { name: 'Other', plan: 'growth' });
  const body = { format: 'cloister', certificates: [certificate] };
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    const answer = await call(method, sealing(), method === 'PUT' ? body : undefined, account.id);
    assert.deepEqual([answer.status, answer.body.code], [404, 'ProjectNotFound']);
  }
});

it('a manifest is given once the archive has ended, and is checked with the keys that anybody may read', async () => {
  const { core, projectId } = platform;
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  const { archive } = await core.archives.start({ kind: 'system' }, projectId, { sessionId: session.id });
  const early = await call('GET', manifest(archive.id));
  assert.deepEqual([early.status, early.body.code], [404, 'ManifestNotFound']);
  assert.match(early.body.message, /started/);
  await core.archives.stop({ kind: 'system' }, projectId, archive.id);
  let answer = await call('GET', manifest(archive.id));
  while (answer.status === 404) answer = await call('GET', manifest(archive.id));
  assert.deepEqual([answer.status, answer.type], [200, 'application/jose']);
  const keys = await call('GET', '/manifest-keys');
  assert.deepEqual([keys.status, keys.type], [200, 'application/jwk-set+json']);
  assert.deepEqual(Object.keys(keys.body.keys[0]).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  assert.equal(verifyManifest(answer.text, keys.text).manifest.archiveId, archive.id);
  const unknown = await call('GET', manifest('unknown'));
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'ArchiveNotFound']);
});

it('an archive of which nothing was left has no manifest', async () => {
  const { core, projectId } = platform;
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  const { archive } = await core.archives.start({ kind: 'system' }, projectId, { sessionId: session.id });
  platform.recordings.last.observer.failed('the recorder failed', null);
  let answer = await call('GET', manifest(archive.id));
  while (/started/.test(answer.text)) answer = await call('GET', manifest(archive.id));
  assert.equal(answer.status, 404);
  assert.match(answer.body.message, /nothing of it was kept/);
});
