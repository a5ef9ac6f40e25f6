/** The generated reference says what the code says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pageOf } from '../scripts/docs/page.ts';
import { generators } from '../scripts/docs.ts';

const root = path.resolve(import.meta.dirname, '..');

for (const generator of generators) {
  test(`${generator.file} is what npm run docs writes`, async () => {
    const kept = readFileSync(path.join(root, generator.file), 'utf8');
    assert.equal(kept, await pageOf(generator), 'it is stale: run npm run docs');
  });
}
