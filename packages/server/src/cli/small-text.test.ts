import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { isRefusal } from '../archive/seal/archive-fixtures.ts';
import { readPlatformKeys, readSmall } from './small-text.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-small-text-'));
after(() => rmSync(folder, { recursive: true }));

test('archiveKeyFileBytes is the most that is read of a manifest, and of the keys of a platform by either way', async () => {
  const file = path.join(folder, 'text');
  let text = '';
  const deps = { stdin: process.stdin, fetch: async () => new Response(text) };
  const ways = [
    () => readSmall(file, 'manifest'),
    () => readPlatformKeys(file, deps),
    () => readPlatformKeys('https://video.example/cloister/v1/manifest-keys', deps),
  ];
  for (const read of ways) {
    text = 'x'.repeat(limits.archiveKeyFileBytes);
    writeFileSync(file, text);
    assert.equal(await read(), text);
    text += 'x';
    writeFileSync(file, text);
    await assert.rejects(read(), (error) => isRefusal(error, 'BadRequest', /archiveKeyFileBytes, 65536 bytes/));
  }
});
