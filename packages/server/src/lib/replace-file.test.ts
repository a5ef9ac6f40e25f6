import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { replaceFile } from './replace-file.ts';

test('the new text is in the place of the old one, for its owner alone, and nothing else is left', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloister-replace-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'state.json');
  for (const text of ['a longer first one', 'second']) {
    await replaceFile(file, text);
    assert.equal(await readFile(file, 'utf8'), text);
  }
  assert.deepEqual(await readdir(folder), ['state.json']);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await mkdir(path.join(folder, 'other.json.new'));
  await assert.rejects(replaceFile(path.join(folder, 'other.json'), 'x'), { code: 'EISDIR' });
});
