/** A disk that is full when an archive is started, as who starts it sees it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { recordingsIn } from '../../packages/server/src/archive/recordings-fixtures.ts';
import { type RestFixture, restFixture } from '../../packages/server/src/opentok/rest-fixture.ts';

let dataDir: string;
let rest: RestFixture;
before(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cloister-full-'));
  rest = await restFixture();
});
after(async () => {
  await rest.close();
  await rm(dataDir, { recursive: true });
});

test('ARC20 a full disk is a StorageFull of 503 for who starts an archive; nothing is left of the archive, and nobody hears of one', async () => {
  const session = await rest.session();
  const client = await rest.enter(session);
  let folder = '';
  rest.recordings.whileStarting = async (order, observer) => {
    folder = path.join(dataDir, 'archives', order.archiveId);
    await mkdir(folder, { recursive: true });
    // The first file that is written finds no room.
    await symlink('/dev/full', path.join(folder, 'about.json'));
    await recordingsIn(dataDir).start(order, observer);
  };
  const start = () => rest.call('POST', '/v2/project/{k}/archive', { body: { sessionId: session.id } });
  const refused = await start();
  assert.deepEqual([refused.statusCode, refused.json().code], [503, 503]);
  assert.match(refused.json().message, /disk of this server is full/);
  assert.equal(existsSync(folder), false);
  assert.equal(client.data('archiveStarted').length, 0);
  rest.recordings.whileStarting = () => {};
  assert.equal((await start()).statusCode, 200);
});
