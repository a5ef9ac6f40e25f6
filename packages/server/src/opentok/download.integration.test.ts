import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { type RestFixture, restFixture } from './rest-fixture.ts';

let rest: RestFixture;
before(async () => {
  rest = await restFixture();
});
after(() => rest.close());

/** An archive that is available → its id, bytes and a link. */
async function available() {
  const session = await rest.session();
  await rest.publish(await rest.enter(session));
  const { id } = (await rest.call('POST', '/v2/project/{k}/archive', { body: { sessionId: session.id } })).json();
  await rest.call('POST', `/v2/project/{k}/archive/${id}/stop`);
  return { id, bytes: Buffer.from(rest.recordings.files.get(id)!), link: await linkOf(id) };
}

async function linkOf(id: string): Promise<string> {
  const { url } = (await rest.call('GET', `/v2/project/{k}/archive/${id}`)).json();
  return new URL(url).pathname;
}

const get = (link: string, headers: Record<string, string> = {}) => rest.call('GET', link, { as: null, headers });
const downloads = () => rest.acts.filter(({ action }) => action === 'archive.downloaded').length;

describe('the download of an archive', () => {
  it('DOWN1 DOWN2 gives the file, or a part of it, to whoever has the link', async () => {
    const { bytes, link } = await available();
    const whole = await get(link);
    assert.equal(whole.statusCode, 200);
    assert.deepEqual(whole.rawPayload, bytes);
    const { 'content-type': type, 'content-length': length, 'cache-control': cache } = whole.headers;
    assert.deepEqual([type, Number(length), cache], ['video/mp4', bytes.length, 'no-store']);
    const part = await get(link, { range: 'bytes=3-6' });
    assert.deepEqual([part.statusCode, part.headers['content-range']], [206, `bytes 3-6/${bytes.length}`]);
    assert.deepEqual(part.rawPayload, bytes.subarray(3, 7));
    const past = await get(link, { range: `bytes=${bytes.length}-` });
    assert.deepEqual([past.statusCode, past.headers['content-range']], [416, `bytes */${bytes.length}`]);
  });

  it('DOWN1 DOWN2 is over after archiveLinkSeconds, and with the archive', async () => {
    const { id, link } = await available();
    rest.clock.advance(limits.archiveLinkSeconds * 1000 - 1000);
    assert.equal((await get(link)).statusCode, 200);
    rest.clock.advance(1000);
    const late = await get(link);
    assert.deepEqual([late.statusCode, late.json().code], [403, 'LinkInvalid']);
    const fresh = await linkOf(id);
    assert.equal((await get(fresh)).statusCode, 200);
    await rest.call('DELETE', `/v2/project/{k}/archive/${id}`);
    assert.equal((await get(fresh)).statusCode, 404);
  });

  it('DOWN2 is nothing that can be made up or altered', async () => {
    const { link } = await available();
    const [, , , , key = ''] = link.split('/');
    const flipped = key.slice(0, -2) + (key.endsWith('AA') ? 'BB' : 'AA');
    const login = rest.core.keys.sign('login', { exp: rest.now() + 60, projectId: rest.projectId, archiveId: 'x' });
    for (const made of [flipped, key.slice(1), 'x', 'e30.e30.', login]) {
      assert.equal((await get(link.replace(key, made))).statusCode, 403, made);
    }
  });

  it('DOWN3 is one event for each link', async () => {
    const { id, link } = await available();
    const before = downloads();
    for (let count = 0; count < 3; count += 1) await get(link, { range: 'bytes=0-1' });
    assert.equal(downloads(), before + 1);
    await get(await linkOf(id));
    assert.equal(downloads(), before + 2);
  });

  it('DOWN3 is recorded when bytes are taken: not by a range past the end, nor by a download that ends before', async () => {
    const { link } = await available();
    const before = downloads();
    assert.equal((await get(link, { range: 'bytes=999999999-' })).statusCode, 416);
    const key = link.split('/').at(-2)!;
    const { stream } = await rest.core.archiveLinks.open(key, undefined);
    const taken = stream[Symbol.asyncIterator]();
    await taken.return?.();
    assert.equal(downloads(), before);
    const { stream: whole } = await rest.core.archiveLinks.open(key, undefined);
    await whole[Symbol.asyncIterator]().next();
    assert.equal(downloads(), before + 1);
  });

  it('DOWN2 leads nowhere while its project is suspended', async () => {
    const { link } = await available();
    const { projects } = rest.core;
    const actor = { kind: 'operator', via: 'cli' } as const;
    await projects.setStatus(actor, rest.projectId, 'SUSPENDED');
    const answer = await get(link);
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'ProjectSuspended']);
    await projects.setStatus(actor, rest.projectId, 'ACTIVE');
    assert.equal((await get(link)).statusCode, 200);
  });

  it('DOWN3 of archiveLinksCounted links the first use is remembered, and of the oldest it is told again', async () => {
    const { id, link } = await available();
    const archive = (await rest.core.archives.get(rest.projectId, id)).archive;
    await get(link);
    const others = Array.from({ length: limits.archiveLinksCounted }, () => rest.core.archiveLinks.pathOf(archive)!);
    const use = async (path: string) => {
      const { stream } = await rest.core.archiveLinks.open(path.split('/')[4]!, undefined);
      for await (const _ of stream);
    };
    for (const each of others.slice(1)) await use(each);
    const before = downloads();
    await use(link.replace('http://media.example', ''));
    assert.equal(downloads(), before);
    await use(others[0]!);
    await use(link);
    assert.equal(downloads(), before + 2);
  });
});
