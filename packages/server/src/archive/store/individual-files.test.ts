/** What a recorder may say of its files: it decodes what strangers send, and is not believed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { limits } from '@cloister/protocol';
import type { BegunFile, EndedFile } from '../record/messages.ts';
import { stream } from '../recordings-fixtures.ts';
import { isRefusal } from '../seal/archive-fixtures.ts';
import { IndividualFiles } from './individual-files.ts';
import { readIndex, readMark } from './individual-index.ts';

let root: string;
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cloister-files-'));
});
after(() => rm(root, { recursive: true, force: true }));

const plain = { seal: (clear: string) => clear, open: (sealed: string) => sealed };
const about = {
  archiveId: 'id',
  projectId: '1',
  sessionId: 'session',
  name: 'a visit',
  createdAt: 1000,
  certificates: [],
};
const begun: BegunFile = { streamId: 'camera', container: 'webm', startMs: 40 };
const ended: EndedFile = { bytes: 12, headBytes: 2, crc32: 7, stopMs: 900 };

let made = 0;
async function files(certificates: string[] = []): Promise<{ folder: string; kept: IndividualFiles }> {
  made += 1;
  const folder = path.join(root, String(made));
  const kept = await IndividualFiles.create(folder, { ...about, certificates }, plain, () => 0);
  kept.describe(stream);
  return { folder, kept };
}

test('a stream has files in order; each part goes to its own', async () => {
  const { folder, kept } = await files();
  kept.describe({ ...stream, streamId: 'screen', videoType: 'screen', connectionData: 'name=other' });
  kept.began(0, begun);
  kept.began(1, { ...begun, streamId: 'screen', container: 'matroska' });
  for (const [file, text] of [
    [0, 'first '],
    [1, 'other '],
    [0, 'and second'],
  ] as const)
    kept.part(file, Buffer.from(text));
  kept.ended(0, ended);
  kept.began(2, { ...begun, startMs: 1000 });
  for (const ms of [98_765, 1234]) kept.mark(ms);
  await kept.abandon();
  assert.equal(await readMark(folder), 1234);
  assert.equal(readFileSync(path.join(folder, 'stream-0'), 'utf8'), 'first and second');
  assert.equal(readFileSync(path.join(folder, 'stream-1'), 'utf8'), 'other ');
  const index = await readIndex(folder, plain);
  assert.deepEqual(
    index.files.map(({ fileName, videoType, connectionData, stopMs }) => [fileName, videoType, connectionData, stopMs]),
    [
      ['camera.webm', 'camera', 'name=somebody', 900],
      ['screen.mkv', 'screen', 'name=other', null],
      ['camera-1.webm', 'camera', 'name=somebody', null],
    ],
  );
});

test('a recorder names no file by itself: no other stream, container, number or time, and nothing is written', async () => {
  const { folder, kept } = await files();
  const wrong: [number, unknown][] = [
    [0, { ...begun, streamId: '../../etc/passwd' }],
    [0, { ...begun, container: '../sh' }],
    [0, { ...begun, container: 'constructor' }],
    [1, begun],
    [-1, begun],
    [0, { ...begun, startMs: -1 }],
    [0, { ...begun, startMs: 0.5 }],
    [0, {}],
  ];
  for (const [file, facts] of wrong) {
    assert.throws(
      () => kept.began(file, facts as BegunFile),
      (error) => isRefusal(error, 'FrameInvalid'),
    );
  }
  kept.began(0, begun);
  assert.throws(() => kept.began(0, begun), { code: 'FrameInvalid' });
  for (const facts of [{ bytes: -1 }, { bytes: 1e300 }, { headBytes: 0.5 }, { crc32: 2 ** 32 }, { stopMs: -1 }]) {
    assert.throws(() => kept.ended(0, { ...ended, ...facts } as EndedFile), { code: 'FrameInvalid' });
  }
  await kept.finish();
  assert.deepEqual(readdirSync(folder).sort(), ['about.json', 'index.json', 'stream-0']);
});

test('of a file that is sealed to certificates what counts is what was stored, not what a recorder says of it', async () => {
  const { folder, kept } = await files(['pem']);
  kept.began(0, begun);
  kept.began(1, begun);
  for (const text of ['cipher ', 'text']) kept.part(0, Buffer.from(text));
  kept.ended(0, ended);
  await kept.abandon();
  const { certificates, files: known } = await readIndex(folder, plain);
  const text = Buffer.from('cipher text');
  const sha256 = createHash('sha256').update(text).digest('hex');
  assert.deepEqual(certificates, ['pem']);
  assert.deepEqual(known[0]?.stored, { bytes: text.length, crc32: crc32(text), sha256 });
  assert.deepEqual([known[0]?.ended?.bytes, known[1]?.ended, known[1]?.stored], [ended.bytes, null, null]);
});

test('cipher text of a file that has not begun, or has ended, is what the recording fails with', async () => {
  for (const file of [0, 1]) {
    const { kept } = await files();
    kept.began(0, begun);
    if (file === 0) kept.ended(0, ended);
    kept.part(file, Buffer.from('late'));
    await assert.rejects(kept.finish(), { code: 'FrameInvalid' });
  }
});

test('archiveFiles have room, and not one more', async () => {
  const { kept } = await files();
  for (let file = 0; file < limits.archiveFiles; file += 1) {
    kept.began(file, begun);
    kept.ended(file, ended);
  }
  assert.throws(() => kept.began(limits.archiveFiles, begun), { code: 'FrameInvalid' });
  await kept.finish();
});

test('a part counts as waiting until it is on the disk', async () => {
  const { kept } = await files();
  kept.began(0, begun);
  kept.part(0, Buffer.alloc(1_000_000));
  assert.ok(kept.writes.waiting > 1_000_000);
  await kept.writes.settled();
  assert.equal(kept.writes.waiting, 0);
  await kept.finish();
});
