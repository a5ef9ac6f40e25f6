import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlaygroundArchive } from '@cloister/protocol';
import {
  factsOf,
  isPlayable,
  layoutOptions,
  layouts,
  lengthOf,
  openCommand,
  opensslCommands,
  pastOf,
  sealingWords,
  stateOf,
  weightOf,
} from './archive-words.ts';

const archive: PlaygroundArchive = {
  archiveId: 'a',
  status: 'available',
  reason: 'user initiated',
  resolution: '1280x720',
  hasAudio: true,
  hasVideo: true,
  layout: null,
  automatic: false,
  createdAt: 0,
  durationMs: 65_400,
  sizeBytes: 4_240_000,
  fileName: 'archive.ts',
  sealed: { password: 'cGFzcw==', sha256: 'c2hh+/8=' },
  linked: true,
};

test('a length has hours only where there are any', () => {
  assert.deepEqual([0, 999, 59_499, 59_500, 65_400, 3_599_600, 3_661_000].map(lengthOf), [
    '0:00',
    '0:01',
    '0:59',
    '1:00',
    '1:05',
    '1:00:00',
    '1:01:01',
  ]);
});

test('a weight has two digits or three', () => {
  assert.deepEqual([0, 999, 1000, 9_949, 9_950, 999_499, 999_500, 4_240_000, 2_500_000_000].map(weightOf), [
    '0 B',
    '999 B',
    '1.0 kB',
    '9.9 kB',
    '10 kB',
    '999 kB',
    '1.0 MB',
    '4.2 MB',
    '2.5 GB',
  ]);
});

test('the facts name what is not in it', () => {
  assert.equal(factsOf(archive), '1:05 · 4.2 MB · 1280 × 720');
  assert.equal(factsOf({ ...archive, hasVideo: false }), '1:05 · 4.2 MB · Sound only');
  assert.equal(factsOf({ ...archive, hasAudio: false }), '1:05 · 4.2 MB · 1280 × 720 · No sound');
});

test('what is sealed and what is a ZIP does not play here', () => {
  assert.equal(isPlayable({ fileName: 'archive.mp4', sealed: null }), true);
  assert.equal(isPlayable({ fileName: 'archive.zip', sealed: null }), false);
  assert.equal(isPlayable(archive), false);
});

test('a failure says why', () => {
  assert.equal(stateOf({ status: 'failed', reason: 'the recorder failed' }), 'Failed: the recorder failed');
  assert.equal(stateOf({ status: 'failed', reason: '' }), 'Failed');
  assert.equal(stateOf(archive), 'Ready');
});

test('of one that failed what was kept is said, where there is some', () => {
  const failed = { ...archive, status: 'failed', reason: 'the recorder failed' } as const;
  assert.equal(pastOf(failed), 'Failed: the recorder failed · What was kept: 1:05 · 4.2 MB · 1280 × 720');
  assert.equal(pastOf({ ...failed, linked: false }), 'Failed: the recorder failed');
  assert.equal(pastOf(archive), factsOf(archive));
  assert.equal(pastOf({ ...archive, status: 'uploaded', linked: false }), 'In your storage');
});

test('what goes opened into a bucket is not said to be sealed there', () => {
  const words = (certificates: number, storage: Parameters<typeof sealingWords>[0]['storage']) => {
    const { to, opens, goes } = sealingWords({ certificateSha256: Array(certificates).fill('ab'), storage });
    return `${to}. ${opens}${goes}`;
  };
  assert.equal(words(0, null), 'Sealed with the project’s key. This server opens it when you play it.');
  const bucket = words(0, { type: 's3', sse: null });
  assert.match(
    bucket,
    /while it is here\. .* opens it and sends it to .* S3, over TLS\. Whoever may read there can play it\.$/,
  );
  assert.match(words(0, { type: 's3', sse: 's3' }), /encrypted there with keys of the storage\.$/);
  assert.match(words(0, { type: 's3', sse: 'kms' }), /encrypted there with a key of the key service\.$/);
  assert.match(words(0, { type: 'azure', sse: null }), /container of Azure/);
  assert.match(words(1, null), /^Sealed to the project’s certificate\. Only its private key .* does not have that\.$/);
  assert.match(
    words(3, { type: 's3', sse: null }),
    /^Sealed to 3 certificates .* any one of them .* As it is sealed it goes/,
  );
});

test('a layout of a stylesheet is shown, and need not be chosen', () => {
  assert.equal(layoutOptions('pip'), layouts);
  assert.deepEqual(layoutOptions('custom')[0], { id: 'custom', name: 'Custom' });
});

test('the commands name the file as it is downloaded, and everything but the key', () => {
  assert.equal(
    openCommand(archive),
    'npx cloister archive open archive.ts --key key.pem --password "cGFzcw==" --sha256 "c2hh+/8=" --out archive-clear.ts',
  );
  const files: PlaygroundArchive = {
    ...archive,
    fileName: 'archive.zip',
    sealed: { password: '', sha256: 'c2hh+/8=' },
  };
  assert.equal(
    openCommand(files),
    'npx cloister archive open archive.zip --key key.pem --sha256 "c2hh+/8=" --out archive-clear',
  );
  assert.match(opensslCommands(archive), /<<< "cGFzcw==" -out password\.enc\n/);
  assert.match(opensslCommands(archive), /-in archive\.ts -out archive-clear\.ts \\\n/);
});
