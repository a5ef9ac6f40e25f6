/** A disk that is full when an archive is started, as who starts it sees it: a small one, mounted for this test (as root). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { recordingsIn } from '../../packages/server/src/archive/recordings-fixtures.ts';
import { type RestFixture, restFixture } from '../../packages/server/src/opentok/rest-fixture.ts';

let dataDir: string;
let rest: RestFixture;
before(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cloister-full-'));
  // Itself, the folder of all archives, that of one, and what it is about: its next file finds no room.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=4', 'tmpfs', dataDir]);
  rest = await restFixture();
});
after(async () => {
  await rest.close();
  execFileSync('umount', [dataDir]);
  await rm(dataDir, { recursive: true });
});

test('ARC20 a full disk is a StorageFull of 503 for who starts an archive; nothing is left of the archive, and nobody hears of one', async () => {
  const session = await rest.session();
  const client = await rest.enter(session);
  let folder = '';
  rest.recordings.whileStarting = async (order, observer) => {
    folder = path.join(dataDir, 'archives', order.archiveId);
    await recordingsIn(dataDir).start(order, observer);
  };
  const start = () => rest.call('POST', '/v2/project/{k}/archive', { body: { sessionId: session.id } });
  const refused = await start();
  assert.deepEqual([refused.statusCode, refused.json().code], [503, 503]);
  assert.match(refused.json().message, /disk of this server is full/);
  assert.deepEqual([existsSync(path.dirname(folder)), existsSync(folder)], [true, false]);
  assert.equal(client.data('archiveStarted').length, 0);
  rest.recordings.whileStarting = () => {};
  assert.equal((await start()).statusCode, 200);
});
