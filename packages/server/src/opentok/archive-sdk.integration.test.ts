/** OpenTok's own Node SDK, unmodified, through its calls of archives, over HTTP. The recorder is the double of the rules. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type RestFixture, restFixture } from './rest-fixture.ts';

/** The SDK comes without types; its answers are what is looked at. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of what an untyped package answers
type Answer = any;
type Sdk = Record<string, (...args: Answer[]) => void>;

const OpenTok = createRequire(import.meta.url)('opentok') as new (apiKey: string, secret: string, url: string) => Sdk;

let rest: RestFixture;
let url: string;
let sdk: Sdk;
before(async () => {
  rest = await restFixture({ startAt: Date.now() });
  await rest.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(rest.app.server.address() as AddressInfo).port}`;
  sdk = new OpenTok(rest.projectId, rest.secret, url);
});
after(() => rest.close());

/** Calls a method of the SDK and waits for its callback. */
function ask(method: string, ...args: unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sdk[method]!(...args, (error: Error | null, ...answer: unknown[]) =>
      error ? reject(error) : resolve(answer.length > 1 ? answer : answer[0]),
    );
  });
}

async function room() {
  const session = await rest.session();
  const streamId = await rest.publish(await rest.enter(session));
  return { sessionId: session.id, streamId };
}

const settled = () => new Promise(setImmediate);

test('ARC1 ARC7 ARC10 ARC11 ARC12 archives are started, read, listed, stopped and deleted', async () => {
  const { sessionId } = await room();
  const options = {
    name: 'Visit',
    hasVideo: true,
    outputMode: 'composed',
    resolution: '1280x720',
    layout: { type: 'custom', stylesheet: 'stream { float: left }' },
    multiArchiveTag: 'first',
    maxBitrate: 400_000,
  };
  const archive = await ask('startArchive', sessionId, options);
  assert.deepEqual(
    [archive.status, archive.name, archive.resolution, archive.multiArchiveTag, archive.maxBitrate],
    ['started', 'Visit', '1280x720', 'first', 400_000],
  );
  assert.equal((await ask('getArchive', archive.id)).streams.length, 1);
  const [items, count] = await ask('listArchives', { sessionId, offset: 0, count: 10 });
  assert.deepEqual([count, items.map(({ id }: Answer) => id)], [1, [archive.id]]);
  await assert.rejects(ask('deleteArchive', archive.id), /./);
  rest.recordings.endsAtOnce = false;
  const stopped = await new Promise<Answer>((resolve, reject) =>
    archive.stop((error: Error | null, answer: Answer) => (error ? reject(error) : resolve(answer))),
  );
  rest.recordings.endsAtOnce = true;
  assert.deepEqual([stopped.status, stopped.reason], ['stopped', 'user initiated']);
  rest.recordings.last.observer.ended(rest.recordings.file(archive.id));
  const available = await ask('getArchive', archive.id);
  assert.equal(available.status, 'available');
  const file = await fetch(available.url.replace('http://media.example', url), { headers: { range: 'bytes=0-6' } });
  assert.deepEqual([file.status, await file.text()], [206, 'archive']);
  await ask('deleteArchive', archive.id);
  await assert.rejects(ask('getArchive', archive.id), /Archive not found/);
  await assert.rejects(ask('deleteArchive', archive.id), /Archive not found/);
});

test('ARC2 ARC3 ARC11 ARC15 refusals are what the SDK makes of them', async () => {
  const { sessionId } = await room();
  const archive = await ask('startArchive', sessionId, {});
  await assert.rejects(ask('startArchive', sessionId, {}), /is being archived already/);
  await assert.rejects(ask('startArchive', (await rest.session()).id, {}), /Session not found/);
  await assert.rejects(ask('startArchive', sessionId, { resolution: 'huge' }), /resolution must be one of/);
  await ask('stopArchive', archive.id);
  await assert.rejects(ask('stopArchive', archive.id), /archive is available/);
  await assert.rejects(ask('stopArchive', 'unknown'), /Archive not found/);
  const wrong = new OpenTok(rest.projectId, 'wrong', url);
  const refused = new Promise((resolve, reject) =>
    wrong.listArchives!({}, (error: Error | null) => (error ? reject(error) : resolve(null))),
  );
  await assert.rejects(refused, /Invalid API key or secret/);
});

test('ARC13 ARC14 layouts and streams are changed', async () => {
  const { sessionId, streamId } = await room();
  const archive = await ask('startArchive', sessionId, { streamMode: 'manual' });
  await ask('setArchiveLayout', archive.id, 'bestFit', null, 'pip');
  assert.deepEqual(await rest.core.archives.layout(rest.projectId, archive.id), {
    type: 'bestFit',
    screenshareType: 'pip',
  });
  await assert.rejects(ask('setArchiveLayout', archive.id, 'custom', null, null), /./);
  await ask('addArchiveStream', archive.id, streamId, { hasAudio: true, hasVideo: false });
  await settled();
  assert.deepEqual((await ask('getArchive', archive.id)).streams, [{ streamId, hasAudio: true, hasVideo: false }]);
  await ask('removeArchiveStream', archive.id, streamId);
  await assert.rejects(ask('removeArchiveStream', archive.id, streamId), /Archive or stream not found/);
  const automatic = await ask('startArchive', sessionId, { multiArchiveTag: 'auto' });
  await assert.rejects(ask('addArchiveStream', automatic.id, streamId, {}), /Unsupported Stream Mode/);
});
