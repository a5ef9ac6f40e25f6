/** What a crash left of archives that no row knows goes at the next start of the server. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';

test('a folder without an archive is removed at the start, and so is one whose removal a crash cut short', async () => {
  const first = await startServer();
  await first.interrupt();
  const archives = path.join(first.dataDir, 'archives');
  const left = [path.join(archives, randomUUID()), path.join(archives, `${randomUUID()}.removed`)];
  const foreign = path.join(archives, 'lost+found');
  for (const folder of [...left, foreign]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'archive'), 'cipher text');
  }
  const second = await first.restart();
  await eventually(
    'folders that no row knows',
    async () => left.filter((folder) => existsSync(folder)),
    (there) => there.length === 0,
  );
  assert.ok(existsSync(foreign), 'what is no archive was removed');
  await second.stop();
});
