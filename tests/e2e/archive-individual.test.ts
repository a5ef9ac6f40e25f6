/** Individual archives of real calls: a ZIP of what each browser sent, started and downloaded as with OpenTok. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Archive, archiveCalls } from './archives.ts';
import { downloadTo, drawSeconds, halves, like, publisher, recorded, run, strength } from './recorded.ts';
import { useStage } from './stage.ts';

const red = [200, 0, 0] as const;
const blue = [0, 0, 200] as const;
const looks = [
  { colour: red, hertz: 500 },
  { colour: blue, hertz: 1500 },
];

const stage = useStage();
let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-individual-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Manifest {
  readonly id: string;
  readonly name: string;
  readonly partnerId: number;
  readonly sessionId: string;
  readonly files: readonly {
    readonly filename: string;
    readonly size: number;
    readonly streamId: string;
    readonly videoType: string;
    readonly startTimeOffset: number;
    readonly stopTimeOffset: number;
  }[];
}

/** Downloads an archive and takes it apart. */
async function unzipped(archive: Archive): Promise<{ zip: string; out: string; manifest: Manifest }> {
  const zip = await downloadTo(folder, archive, 'zip');
  const out = path.join(folder, archive.id);
  await mkdir(out);
  run('unzip', ['-q', zip, '-d', out]);
  return { zip, out, manifest: JSON.parse(await readFile(path.join(out, `${archive.id}.json`), 'utf8')) };
}

interface Probed {
  readonly format: { readonly format_name: string; readonly duration: string };
  readonly streams: readonly { readonly codec_name: string; readonly width?: number; readonly channels?: number }[];
}

function probe(file: string): Probed {
  return JSON.parse(run('ffprobe', ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', file]).toString());
}

test('ARC17 an individual archive is a ZIP with what each stream sent and its manifest, and lies on the disk as cipher text', async () => {
  const sessionId = await stage.customer.session();
  const people = await Promise.all(looks.map(({ colour, hertz }) => publisher(stage, sessionId, colour, hertz)));
  const archive = await recorded(stage, sessionId, people, { outputMode: 'individual', name: 'two visitors' });
  assert.equal(archive.password, '');
  assert.match(archive.url ?? '', /\/archive\.zip$/);
  const kept = path.join(stage.server.dataDir, 'archives', archive.id);
  const names = await readdir(kept);
  for (const name of names) {
    const bytes = await readFile(path.join(kept, name));
    for (const clear of ['matroska', 'V_VP8', 'A_OPUS', 'OpusHead', 'two visitors', 'startTimeOffset'])
      assert.equal(bytes.includes(clear), false, `${clear} in ${name}`);
  }
  const { zip, out, manifest } = await unzipped(archive);
  assert.deepEqual([manifest.id, manifest.name, manifest.sessionId], [archive.id, 'two visitors', sessionId]);
  assert.equal(manifest.partnerId, Number(stage.customer.credentials.apiKey));
  assert.equal(manifest.files.length, 2, JSON.stringify(manifest.files));
  assert.equal(names.filter((name) => name.startsWith('stream-')).length, 2);
  const seen = new Set<number>();
  for (const { filename, size, streamId, videoType, startTimeOffset, stopTimeOffset } of manifest.files) {
    assert.deepEqual([filename, videoType], [`${streamId}.webm`, 'custom']);
    const file = path.join(out, filename);
    assert.equal((await readFile(file)).length, size);
    const { format, streams } = probe(file);
    assert.equal(format.format_name, 'matroska,webm');
    assert.deepEqual(streams.map(({ codec_name }) => codec_name).sort(), ['opus', 'vp8']);
    assert.ok(Math.abs(Number(format.duration) * 1000 - (stopTimeOffset - startTimeOffset)) < 250);
    assert.ok(stopTimeOffset - startTimeOffset > 4000);
    // Whose stream it is: its colour says. The other's tone is not in it.
    const pictures = halves(file);
    const whose = looks.findIndex(({ colour }) => like(pictures[0]?.left ?? [], colour));
    seen.add(whose);
    const right = pictures.filter(({ left }) => like(left, looks[whose]?.colour ?? []));
    assert.equal(right.length, pictures.length);
    assert.ok(pictures.length > 90, `${pictures.length} pictures`);
    const [own, other] = whose === 0 ? [500, 1500] : [1500, 500];
    assert.ok(strength(file, own, 2) > 0.02, `${own} Hz: ${strength(file, own, 2)}`);
    assert.ok(strength(file, other, 2) < 0.01, `${other} Hz: ${strength(file, other, 2)}`);
  }
  assert.deepEqual(seen, new Set([0, 1]));
  await Promise.all(people.map((each) => each.close()));

  // A part of it, by the same link.
  const whole = await readFile(zip);
  const middle = Math.floor(whole.length / 2);
  for (const [range, start, end] of [
    [`bytes=1000-${middle - 1}`, 1000, middle],
    ['bytes=-5000', whole.length - 5000, whole.length],
  ] as const) {
    const answer = await fetch(archive.url as string, { headers: { range } });
    assert.equal(answer.status, 206, answer.status === 206 ? '' : await answer.text());
    assert.equal(answer.headers.get('content-type'), 'application/zip');
    assert.equal(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/${whole.length}`);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), whole.subarray(start, end));
  }
});

test('ARC14 ARC18 a stream that is taken out by hand and in again has a second file', async () => {
  const sessionId = await stage.customer.session();
  const person = await publisher(stage, sessionId, red, 500);
  const { start, addStream, removeStream, stop, available } = archiveCalls(stage.customer);
  const { id } = await start(sessionId, { outputMode: 'individual', streamMode: 'manual' });
  const streamId = await person.page.evaluate(() => window.rig.publisher().stream?.streamId ?? '');
  for (const _ of ['the first time', 'the second time']) {
    await addStream(id, streamId, { hasAudio: true, hasVideo: true });
    await person.page.evaluate(drawSeconds, 3);
    await removeStream(id, streamId);
  }
  await stop(id);
  const { out, manifest } = await unzipped(await available(id));
  assert.deepEqual(
    manifest.files.map(({ filename }) => filename),
    [`${streamId}.webm`, `${streamId}-1.webm`],
  );
  for (const { filename } of manifest.files) {
    assert.ok(
      halves(path.join(out, filename)).some(({ left }) => like(left, red)),
      filename,
    );
  }
  const [first, second] = manifest.files as [Manifest['files'][number], Manifest['files'][number]];
  assert.ok(first.stopTimeOffset <= second.startTimeOffset, JSON.stringify(manifest.files));
  await person.close();
});
