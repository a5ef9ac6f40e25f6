/** A machine without bubblewrap whose settings require it: the server says so at its start, and records nothing. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { archiveCalls } from './archives.ts';
import { useStage } from './stage.ts';

/** A view of the file system in which bubblewrap cannot be run. */
const withoutBubblewrap = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'mount --bind /dev/null /usr/bin/bwrap && exec "$@"',
  'sh',
];

const stage = useStage({
  options: async () => ({ server: { under: withoutBubblewrap, env: { CLOISTER_RECORDER_SANDBOX: 'require' } } }),
});

test('no recorder runs outside of a sandbox where one is required, and a person is told why', async () => {
  assert.match(stage.server.logs(), /WARNING: recorders cannot be shut in: archives are refused/);
  assert.match(stage.server.logs(), /a recorder cannot be shut in here/);
  const sessionId = await stage.customer.session();
  const participant = await stage.open();
  await participant.join(stage.customer.ticket(sessionId), null);
  await participant.publish();
  const start = archiveCalls(stage.customer).start(sessionId, {});
  await assert.rejects(start, /503|shut a recorder in/);
  assert.deepEqual(stage.server.recorders(), []);
  const folder = path.join(stage.server.dataDir, 'archives');
  assert.deepEqual(readdirSync(stage.server.dataDir).includes('archives') ? readdirSync(folder) : [], []);
});
