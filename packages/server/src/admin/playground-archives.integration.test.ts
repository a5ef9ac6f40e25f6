import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PlaygroundArchive, PlaygroundArchives } from '@cloister/protocol';
import { makeCertificate } from '../../../../tests/core/certificates.ts';
import { type Served, serve } from './admin-fixture.ts';

const archives = '/cloister/v1/playground/archives';
const day = 24 * 3600 * 1000;

let served: Served;
before(async () => {
  served = await serve('development');
});
after(() => served.close());

/** A session in which somebody publishes → its id. */
async function lively(): Promise<string> {
  const { platform } = served;
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  return session.id;
}

async function start(sessionId: string, wish: object = {}): Promise<PlaygroundArchive> {
  const { status, body } = await served.call('POST', archives, { body: { sessionId, ...wish } });
  assert.equal(status, 200, JSON.stringify(body));
  return body as unknown as PlaygroundArchive;
}

async function list(sessionId: string): Promise<PlaygroundArchives> {
  const { body } = await served.call('GET', `${archives}?sessionId=${encodeURIComponent(sessionId)}`);
  return body as unknown as PlaygroundArchives;
}

describe('the archives of a session at the playground', () => {
  it('are started as wished, laid out anew and stopped, and then lead to a link', async () => {
    const sessionId = await lively();
    const nowhere = { certificateSha256: [], storage: null };
    assert.deepEqual(await list(sessionId), { ...nowhere, archives: [] });
    const wish = { resolution: '1280x720', layout: { type: 'pip' }, hasAudio: false, hasVideo: true };
    const started = await start(sessionId, wish);
    const { archiveId, createdAt, ...rest } = started;
    assert.deepEqual(rest, {
      status: 'started',
      reason: '',
      resolution: '1280x720',
      hasAudio: false,
      hasVideo: true,
      layout: 'pip',
      automatic: false,
      durationMs: 0,
      sizeBytes: 0,
      fileName: 'archive.mp4',
      sealed: null,
      linked: false,
    });
    assert.deepEqual(await list(sessionId), { ...nowhere, archives: [started] });
    const layout = { sessionId, layout: { type: 'verticalPresentation' } };
    const laidOut = await served.call('PUT', `${archives}/${archiveId}/layout`, { body: layout });
    assert.equal(laidOut.body.layout, 'verticalPresentation');
    const early = await served.call('POST', `${archives}/${archiveId}/link`, { body: { sessionId } });
    assert.deepEqual([early.status, early.body.code], [409, 'WrongState']);
    const stopped = await served.call('POST', `${archives}/${archiveId}/stop`, { body: { sessionId } });
    assert.equal(stopped.status, 200);
    await served.platform.core.recorder.flush();
    const [known] = (await list(sessionId)).archives;
    assert.deepEqual([known?.status, known?.layout, known?.durationMs], ['available', null, 66_400]);
    assert.equal(known?.linked, true);
    const { body } = await served.call('POST', `${archives}/${archiveId}/link`, { body: { sessionId } });
    const path = String(body.path);
    assert.match(path, /^\/cloister\/v1\/archive\/[^/]+\/archive\.mp4$/);
    const { stream } = await served.platform.core.archiveLinks.open(path.split('/')[4] as string, undefined);
    const parts: Uint8Array[] = [];
    for await (const part of stream) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), `archive ${archiveId}`);
  });

  it('say where they go, and what the storage encrypts with; not which storage it is', async () => {
    const { core, projectId } = served.platform;
    const actor = { kind: 'system' } as const;
    const sessionId = await lively();
    const put = (type: string, config: Record<string, string>) => core.storages.put(actor, projectId, { type, config });
    const s3 = { accessKey: 'marker', secretKey: 'marker', bucket: 'marker' };
    const azure = { accountName: 'marker', accountKey: 'a2V5', container: 'marker' };
    for (const [type, config, sse] of [
      ['s3', s3, null],
      ['s3', { ...s3, sse: 's3' }, 's3'],
      ['s3', { ...s3, sse: 'kms', kmsKeyId: 'marker' }, 'kms'],
      ['azure', azure, null],
    ] as const) {
      await put(type, config);
      const known = await list(sessionId);
      assert.deepEqual([known.certificateSha256, known.storage], [[], { type, sse }]);
      assert.doesNotMatch(JSON.stringify(known), /marker/);
    }
    await core.storages.remove(actor, projectId);
  });

  it('of a failed one say whether there is something left of it, which a link leads to', async () => {
    const { recordings } = served.platform;
    const sessionId = await lively();
    for (const kept of [false, true]) {
      const { archiveId } = await start(sessionId);
      recordings.last.observer.failed('the recorder failed', kept ? recordings.file(archiveId) : null);
      await served.platform.core.recorder.flush();
      const [known] = (await list(sessionId)).archives;
      assert.deepEqual([known?.archiveId, known?.status, known?.linked], [archiveId, 'failed', kept]);
      const link = await served.call('POST', `${archives}/${archiveId}/link`, { body: { sessionId } });
      assert.equal(link.status, kept ? 200 : 409);
    }
  });

  it('say to which certificates they are sealed, and what opening one needs', async () => {
    const { core, clock, projectId } = served.platform;
    const actor = { kind: 'system' } as const;
    const certificate = await makeCertificate(2048, { from: clock.now() - day, until: clock.now() + day });
    const config = { accessKey: 'a', secretKey: 's', bucket: 'visits' };
    await core.storages.put(actor, projectId, { type: 's3', config, fallback: 'opentok', certificate });
    const sessionId = await lively();
    const [one, ...more] = (await list(sessionId)).certificateSha256;
    assert.match(String(one), /^[0-9a-f]{64}$/);
    assert.deepEqual(more, []);
    const { archiveId, fileName, sealed } = await start(sessionId);
    assert.deepEqual([fileName, sealed], ['archive.ts', { password: '', sha256: '' }]);
    await served.call('POST', `${archives}/${archiveId}/stop`, { body: { sessionId } });
    const [known] = (await list(sessionId)).archives;
    assert.equal(known?.sealed?.password, 'd3JhcHBlZA==');
    assert.match(known?.sealed?.sha256 ?? '', /^[A-Za-z0-9+/]{43}=$/);
    const second = await makeCertificate(3072, { from: clock.now() - day, until: clock.now() + day });
    await core.sealings.put(actor, projectId, { format: 'cloister', certificates: [second, certificate] });
    const [other, same] = (await list(sessionId)).certificateSha256;
    assert.match(String(other), /^[0-9a-f]{64}$/);
    assert.equal(same, one);
    await core.sealings.remove(actor, projectId);
    await core.storages.remove(actor, projectId);
    assert.deepEqual((await list(sessionId)).certificateSha256, []);
  });

  it('have no layout where each stream has a file of its own', async () => {
    const { core, projectId } = served.platform;
    const sessionId = await lively();
    await core.archives.start({ kind: 'system' }, projectId, { sessionId, outputMode: 'individual' });
    const [known] = (await list(sessionId)).archives;
    assert.deepEqual([known?.status, known?.layout, known?.resolution], ['started', null, null]);
    assert.equal(known?.fileName, 'archive.zip');
  });

  it('are nothing to who names another session, or none of the project', async () => {
    const [sessionId, other] = [await lively(), await lively()];
    const { archiveId } = await start(sessionId);
    const layout = { type: 'pip' };
    for (const [method, what, more] of [
      ['POST', 'stop', {}],
      ['PUT', 'layout', { layout }],
      ['POST', 'link', {}],
    ] as const) {
      const answer = await served.call(method, `${archives}/${archiveId}/${what}`, {
        body: { sessionId: other, ...more },
      });
      assert.deepEqual([answer.status, answer.body.code], [404, 'ArchiveNotFound'], what);
    }
    assert.deepEqual((await list(other)).archives, []);
    const nowhere = await served.call('GET', `${archives}?sessionId=2_MX4xfn4xfmFhYWFhYWFhYWF-fg`);
    assert.equal(nowhere.status, 404);
    assert.equal((await list(sessionId)).archives[0]?.status, 'started');
  });

  it('are refused where the wish is wrong, or the session is recorded already', async () => {
    const sessionId = await lively();
    const refused = async (wish: object) => (await served.call('POST', archives, { body: wish })).body.code;
    assert.equal(await refused({ sessionId, resolution: '17x4' }), 'BadRequest');
    assert.equal(await refused({ sessionId, layout: { type: 'spiral' } }), 'LayoutInvalid');
    assert.equal(await refused({ sessionId, hasAudio: false, hasVideo: false }), 'BadRequest');
    assert.equal(await refused({ resolution: '640x480' }), 'BadRequest');
    await start(sessionId);
    assert.equal(await refused({ sessionId }), 'WrongState');
  });
});

it('without a log-in nothing is recorded, listed or led to in production', async (t) => {
  const production = await serve('production');
  t.after(() => production.close());
  const session = await production.platform.session();
  const body = { sessionId: session.id };
  for (const [method, path, sent] of [
    ['GET', `${archives}?sessionId=${encodeURIComponent(session.id)}`, undefined],
    ['POST', archives, body],
    ['POST', `${archives}/x/stop`, body],
    ['PUT', `${archives}/x/layout`, body],
    ['POST', `${archives}/x/link`, body],
  ] as const) {
    const answer = await production.call(method, path, { body: sent });
    assert.deepEqual([answer.status, answer.body.code], [401, 'LogInRequired'], `${method} ${path}`);
  }
});
