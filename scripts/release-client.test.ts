import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ClientIntegrity } from '@cloister/protocol/client-integrity';
import { releasesFile, releasesTable } from './docs/client-integrity.ts';
import { builtClient, withRelease } from './release-client.ts';

const release = (version: string, integrity: string): ClientIntegrity => ({
  version,
  files: [{ file: 'opentok.min.js', bytes: 5, integrity }],
});

test('a release is recorded once, the newest first', () => {
  const first = withRelease([], release('1.0.0', 'sha384-a'));
  const second = withRelease(first, release('1.1.0', 'sha384-b'));
  assert.deepEqual(
    second.map(({ version }) => version),
    ['1.1.0', '1.0.0'],
  );
  assert.deepEqual(withRelease(second, release('1.0.0', 'sha384-a')), second);
  assert.match(releasesTable(second), /1\.1\.0.*sha384-b[\s\S]*1\.0\.0.*sha384-a/);
});

test('a version that is released stands for one script for ever', () => {
  const releases = [release('1.0.0', 'sha384-a')];
  assert.throws(() => withRelease(releases, release('1.0.0', 'sha384-b')), /is released.*Raise the version/);
});

test('where this version is released, its client here is the one of the release', () => {
  const releases: readonly ClientIntegrity[] = JSON.parse(readFileSync(releasesFile, 'utf8'));
  const built = builtClient();
  if (releases.some(({ version }) => version === built.version)) withRelease(releases, built);
  assert.match(built.files[0]?.integrity ?? '', /^sha384-[\w+/]{64}$/);
});
