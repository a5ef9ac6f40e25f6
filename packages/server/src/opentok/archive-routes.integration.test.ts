import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Session } from '../core/index.ts';
import { type Body, type RestFixture, restFixture } from './rest-fixture.ts';

let rest: RestFixture;
before(async () => {
  rest = await restFixture();
});
after(() => rest.close());

const path = '/v2/project/{k}/archive';
const start = (body: object, at = path) => rest.call('POST', at, { body });
const settled = () => new Promise(setImmediate);

/** A session with a publisher. */
async function room(): Promise<{ session: Session; streamId: string; sessionId: string }> {
  const session = await rest.session();
  const streamId = await rest.publish(await rest.enter(session));
  return { session, streamId, sessionId: session.id };
}

async function started(wish: object = {}): Promise<Body> {
  const { sessionId, streamId } = await room();
  const answer = await start({ sessionId, ...wish });
  assert.equal(answer.statusCode, 200, answer.body);
  await settled();
  return { ...answer.json(), published: streamId };
}

async function refused(body: object, status: number, why: RegExp) {
  const answer = await start(body);
  assert.equal(answer.statusCode, status, answer.body);
  assert.match(answer.json().message, why);
}

const read = async (id: string) => (await rest.call('GET', `${path}/${id}`)).json();
const stop = (id: string) => rest.call('POST', `${path}/${id}/stop`);

describe('starting', () => {
  it('ARC1 ARC7 ARC8 needs a session alone, and answers the archive', async () => {
    const { sessionId, streamId } = await room();
    const answer = await start({ sessionId, name: 'Visit', multiArchiveTag: 'first' }, '/v2/partner/{k}/archive/');
    assert.equal(answer.statusCode, 200, answer.body);
    const { id, createdAt, updatedAt, ...others } = answer.json();
    assert.match(id, /^[a-z0-9]{8}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{12}$/);
    assert.deepEqual([createdAt % 1000, Number.isInteger(updatedAt)], [0, true]);
    const key = Number(rest.projectId);
    assert.deepEqual(others, {
      status: 'started',
      name: 'Visit',
      reason: '',
      sessionId,
      partnerId: key,
      projectId: key,
      size: 0,
      duration: 0,
      outputMode: 'composed',
      streamMode: 'auto',
      hasAudio: true,
      hasVideo: true,
      hasTranscription: false,
      sha256sum: '',
      password: '',
      resolution: '640x480',
      url: null,
      streams: [{ streamId, hasAudio: true, hasVideo: true }],
      multiArchiveTag: 'first',
    });
    const later = await read(id);
    assert.equal('multiArchiveTag' in later, false);
    rest.recordings.last.observer.began(createdAt + 1234);
    assert.equal((await read(id)).createdAt, createdAt + 1234);
    const apart = await started({ outputMode: 'individual' });
    assert.equal('resolution' in apart, false);
    const rated = await started({ maxBitrate: 200_000 });
    assert.equal(rated.maxBitrate, 200_000);
    assert.equal((await started({ quantizationParameter: 20 })).quantizationParameter, 20);
  });

  it('ARC2 needs a session that can be archived and is not', async () => {
    const { sessionId } = await room();
    assert.equal((await start({ sessionId })).statusCode, 200);
    await refused({ sessionId }, 409, /archived already/);
    assert.equal((await start({ sessionId, multiArchiveTag: 'a' })).statusCode, 200);
    await refused({ sessionId, multiArchiveTag: 'a' }, 409, /multiArchiveTag/);
    await refused({ sessionId: (await rest.session()).id }, 404, /No clients are actively connected/);
    await refused({ sessionId: '1_unknown' }, 404, /Session not found/);
    for (const wish of [{ mediaMode: 'relayed' }, { e2ee: true }] as const) {
      const session = await rest.session(wish);
      await rest.enter(session);
      await refused({ sessionId: session.id }, 409, /cannot be archived/);
    }
  });

  it('ARC3 ARC4 REST8 takes what OpenTok takes, in the spelling of its SDKs, and nothing else', async () => {
    const ruby = await started({ hasAudio: 'true', hasVideo: 'false', layout: { screenshare_type: 'pip' } });
    assert.deepEqual([ruby.hasAudio, ruby.hasVideo], [true, false]);
    assert.deepEqual(rest.recordings.last.order.layout, { type: 'bestFit', screenshareType: 'pip' });
    await started({ layout: { type: 'custom', stylesheet: 'stream { float: left }' }, resolution: '1080x1920' });
    const { sessionId } = await room();
    const wrong: readonly [object, RegExp][] = [
      [{ hasAudio: false, hasVideo: false }, /cannot both be false/],
      [{ hasAudio: 1 }, /hasAudio must be/],
      [{ outputMode: 'both' }, /outputMode/],
      [{ streamMode: 'some' }, /streamMode/],
      [{ resolution: '320x240' }, /resolution/],
      [{ outputMode: 'individual', resolution: '640x480' }, /needs the outputMode composed/],
      [{ maxBitrate: 200_000, quantizationParameter: 20 }, /exclude each other/],
      [{ maxBitrate: '200000' }, /maxBitrate must be a number/],
      [{ maxBitrate: 99_999 }, /maxBitrate/],
      [{ quantizationParameter: 41 }, /quantizationParameter/],
      [{ layout: 'pip' }, /layout must be an object/],
      [{ layout: {} }, /layout was refused: it has no type/],
      [{ layout: { type: 'pip', stylesheet: 'x' } }, /The layout was refused/],
      [{ layout: { type: 'pip', screenshareType: 'pip' } }, /The layout was refused/],
      [{ name: 'x'.repeat(limits.archiveTextChars + 1) }, /name is longer/],
    ];
    for (const [wish, why] of wrong) await refused({ sessionId, ...wish }, 400, why);
    await refused({}, 400, /sessionId is missing/);
  });

  it('ARC5 does not pretend to transcribe', async () => {
    const { sessionId } = await room();
    await refused({ sessionId, hasTranscription: true }, 501, /transcription/);
    assert.equal((await start({ sessionId, hasTranscription: false })).statusCode, 200);
  });

  it('ARC6 without a recorder says so', async () => {
    const bare = await restFixture({ recorder: false });
    const session = await bare.session();
    await bare.enter(session);
    const answer = await bare.call('POST', path, { body: { sessionId: session.id } });
    assert.deepEqual([answer.statusCode, answer.headers['cloister-error']], [501, 'RecorderMissing']);
    assert.deepEqual((await bare.call('GET', path)).json(), { count: 0, items: [] });
    assert.equal((await bare.call('GET', `${path}/x`)).statusCode, 404);
    await bare.close();
  });

  it('ARC16 happens by itself with the first stream of a session that wants it', async () => {
    const session = await rest.session({ archiveMode: 'always', archiveName: 'Round', archiveResolution: '1280x720' });
    const client = await rest.enter(session);
    const list = async () => (await rest.call('GET', `${path}?sessionId=${session.id}`)).json();
    assert.equal((await list()).count, 0);
    const begun = Promise.withResolvers<void>();
    rest.recordings.whileStarting = () => begun.resolve();
    await rest.publish(client);
    await begun.promise;
    rest.recordings.whileStarting = () => {};
    // A start of the same tag is refused from here on; once the archive is stored, the list has it.
    while ((await list()).count === 0) await settled();
    const { count, items } = await list();
    assert.deepEqual([count, items[0].name, items[0].resolution], [1, 'Round', '1280x720']);
    assert.equal((await stop(items[0].id)).statusCode, 409);
  });
});

describe('afterwards', () => {
  it('ARC7 ARC9 ARC11 DOWN1 a stopped archive has its size, length and hash, and a link once it is available', async () => {
    const { id } = await started();
    rest.recordings.endsAtOnce = false;
    const stopped = await stop(id);
    rest.recordings.endsAtOnce = true;
    assert.deepEqual(
      [stopped.statusCode, stopped.json().status, stopped.json().reason],
      [200, 'stopped', 'user initiated'],
    );
    assert.deepEqual([stopped.json().url, 'streams' in stopped.json()], [null, false]);
    assert.equal((await stop(id)).statusCode, 409);
    const result = rest.recordings.file(id);
    rest.recordings.last.observer.ended(result);
    const archive = await read(id);
    assert.deepEqual(
      [archive.status, archive.size, archive.duration, archive.sha256sum],
      ['available', result.sizeBytes, 66, result.sha256],
    );
    assert.match(archive.url, /^http:\/\/media\.example\/cloister\/v1\/archive\/[\w.-]+\/archive\.mp4$/);
    assert.notEqual((await read(id)).url, archive.url);
  });

  it('ARC10 REST3 the list is of all, newest first, a part at a time', async () => {
    const own = await restFixture();
    const session = await own.session();
    await own.enter(session);
    const ids: string[] = [];
    for (const multiArchiveTag of ['1', '2', '3']) {
      const answer = await own.call('POST', path, { body: { sessionId: session.id, multiArchiveTag } });
      ids.unshift(answer.json().id);
    }
    const list = async (query: string) => {
      const answer = await own.call('GET', `${path}${query}`);
      assert.equal(answer.statusCode, 200);
      const { count, items } = answer.json();
      return [count, items.map(({ id }: Body) => id)];
    };
    assert.deepEqual(await list(''), [3, ids]);
    assert.deepEqual(await list('/?&offset=1&count=1'), [3, [ids[1]]]);
    assert.deepEqual(await list(`?sessionId=${session.id}&count=${limits.archivesListed + 1}`), [3, ids]);
    assert.deepEqual(await list('?sessionId=1_other'), [0, []]);
    // No text of a database holds a zero byte.
    assert.deepEqual(await list('?sessionId=%00'), [0, []]);
    assert.deepEqual(await list('?count=0'), [3, [ids[0]]]);
    assert.deepEqual(await list('?count=x&offset=-1'), [3, ids]);
    await own.close();
  });

  it('ARC10 a list has archivesListedDefault items, and archivesListed at most', async () => {
    const asked: { offset: number; count: number }[] = [];
    const own = await restFixture({
      change: (core) => {
        const { archives } = core;
        archives.list = async (_project, { offset, count }) => {
          asked.push({ offset, count });
          return { count: 0, items: [] };
        };
        return core;
      },
    });
    for (const count of ['', limits.archivesListed, limits.archivesListed + 1]) {
      await own.call('GET', `${path}?count=${count}`);
    }
    assert.deepEqual(
      asked.map(({ count }) => count),
      [limits.archivesListedDefault, limits.archivesListed, limits.archivesListed],
    );
    await own.close();
  });

  it('ARC12 ARC15 it is deleted once it has ended, with its file', async () => {
    const { id } = await started();
    const remove = () => rest.call('DELETE', `${path}/${id}`);
    assert.equal((await remove()).statusCode, 409);
    await stop(id);
    const gone = await remove();
    assert.deepEqual([gone.statusCode, gone.body], [204, '']);
    assert.equal(rest.recordings.files.has(id), false);
    assert.deepEqual([(await remove()).statusCode, (await rest.call('GET', `${path}/${id}`)).statusCode], [404, 404]);
    assert.equal((await rest.call('GET', `${path}/%00`)).statusCode, 404);
    const failed = await started();
    rest.recordings.last.observer.failed('the encoder ended', rest.recordings.file(failed.id));
    const { status, reason, url } = await read(failed.id);
    assert.deepEqual([status, reason], ['failed', 'the encoder ended']);
    assert.match(url, /archive\.mp4$/, 'what was sealed before can be had');
    assert.equal((await rest.call('DELETE', `${path}/${failed.id}`)).statusCode, 204);
  });

  it('ARC13 the layout is changed and read while it is recorded', async () => {
    const { id } = await started();
    const put = (body: unknown, of = id) => rest.call('PUT', `${path}/${of}/layout`, { body });
    const changed = await put({ type: 'bestFit', screenshareType: 'horizontalPresentation' });
    assert.deepEqual([changed.statusCode, changed.json().id], [200, id]);
    const layout = await rest.call('GET', `${path}/${id}/layout`);
    assert.deepEqual(layout.json(), { type: 'bestFit', screenshareType: 'horizontalPresentation' });
    for (const body of [{}, { type: 'x' }, { type: 'custom' }, { type: 'pip', stylesheet: '' }, '[]']) {
      assert.equal((await put(body)).statusCode, 400, JSON.stringify(body));
    }
    await stop(id);
    assert.equal((await put({ type: 'pip' })).statusCode, 409);
    const apart = await started({ outputMode: 'individual' });
    assert.equal((await put({ type: 'pip' }, apart.id)).statusCode, 400);
  });

  it('ARC14 ARC15 streams are chosen by hand in the mode for that alone', async () => {
    const { id, published } = await started({ streamMode: 'manual' });
    const patch = async (body: object, of = id) =>
      (await rest.call('PATCH', `${path}/${of}/streams`, { body })).statusCode;
    assert.equal(await patch({ addStream: published, hasVideo: 'false' }), 204);
    await settled();
    assert.deepEqual((await read(id)).streams, [{ streamId: published, hasAudio: true, hasVideo: false }]);
    assert.equal(await patch({ removeStream: published }), 204);
    assert.equal(await patch({ removeStream: published }), 404);
    assert.equal(await patch({ addStream: 'unknown' }), 404);
    assert.equal(await patch({}), 400);
    assert.equal(await patch({ addStream: published, removeStream: published }), 400);
    assert.equal(await patch({ addStream: published, hasAudio: false, hasVideo: false }), 400);
    const automatic = await started();
    assert.equal(await patch({ addStream: automatic.published }, automatic.id), 405);
    assert.equal(await patch({ removeStream: 'x' }, 'a-broadcast'), 404);
  });

  it('ARC15 an archive of another project is not there', async () => {
    const { id } = await started();
    const { project, secret } = await rest.core.projects.create({ kind: 'system' }, rest.accountId, {});
    const as = rest.credential({ iss: project.id }, secret);
    for (const [method, below] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/stop'],
      ['GET', '/layout'],
    ] as const) {
      const answer = await rest.call(method, `/v2/project/${project.id}/archive/${id}${below}`, { as });
      assert.equal(answer.statusCode, 404, method);
    }
  });
});
