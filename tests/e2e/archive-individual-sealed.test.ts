/**
 * Individual archives of real calls in our own format: a ZIP of sealed files that each of two private keys opens, with the command
 * and without Cloister, also after the recorder or the server was killed.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { tempFolder } from '../rig/cleanup.ts';
import { command, commandText } from '../rig/command.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { type Archive, archiveCalls, download } from './archives.ts';
import { halves, like, publisher, recorded, run, strength } from './recorded.ts';
import { useStage } from './stage.ts';

const reader = path.resolve(import.meta.dirname, '../../docs/reference/open-sealed-archive.py');
const looks = [
  { colour: [200, 0, 0], hertz: 500 },
  { colour: [0, 0, 200], hertz: 1500 },
] as const;
const stage = useStage({ ready: () => sealToBoth() });
const folder = tempFolder('archive-individual-sealed');
const at = (name: string) => path.join(folder, name);

interface Manifest {
  readonly id: string;
  readonly name: string;
  readonly files: readonly {
    readonly filename: string;
    readonly size: number;
    readonly streamId: string;
    readonly startTimeOffset: number;
    readonly stopTimeOffset: number;
  }[];
}

async function sealToBoth(): Promise<void> {
  for (const [name, bits] of Object.entries({ clinic: 2048, auditor: 3072, stranger: 2048 })) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
    writeFileSync(at(`${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    run('openssl', ['req', '-new', '-x509', '-key', at(`${name}.key`), ...subject, '-out', at(`${name}.pem`)]);
  }
  const certificates = ['--certificate', at('clinic.pem'), '--certificate', at('auditor.pem')];
  const { apiKey } = stage.customer.credentials;
  await command(stage.server, 'project', 'archive-sealing', apiKey, '--format', 'cloister', ...certificates);
}

/** What a command that must fail says. */
async function refusal(...words: string[]): Promise<string> {
  const error = await commandText(stage.server, ...words).then(
    () => assert.fail(`cloister ${words.join(' ')} did not fail`),
    (thrown: Error & { stderr?: string }) => thrown,
  );
  return String((error as { stderr?: string }).stderr);
}

async function downloadTo(archive: Archive): Promise<string> {
  const file = at(`${archive.id}.zip`);
  writeFileSync(file, await download(archive));
  run('unzip', ['-q', '-t', file]);
  return file;
}

/** Whose stream it is, by its colour; every picture has it, and its tone is in it, the other's not. */
function whose(file: string): number {
  const pictures = halves(file);
  const found = looks.findIndex(({ colour }) => like(pictures[0]?.left ?? [], colour));
  const { colour, hertz } = looks[found] as (typeof looks)[number];
  assert.ok(pictures.length > 90, `${pictures.length} pictures`);
  assert.ok(pictures.every(({ left }) => like(left, colour)));
  for (const look of looks) {
    const heard = strength(file, look.hertz, 2);
    assert.ok(look.hertz === hertz ? heard > 0.02 : heard < 0.01, `${look.hertz} Hz: ${heard}`);
  }
  return found;
}

test('SEAL4 two certificates, two keys: each opens every file, with the command and without Cloister', async () => {
  const sessionId = await stage.customer.session();
  const people = await Promise.all(looks.map(({ colour, hertz }) => publisher(stage, sessionId, colour, hertz)));
  const archive = await recorded(stage, sessionId, people, { outputMode: 'individual', name: 'two visitors' });
  await Promise.all(people.map((each) => each.close()));
  assert.equal(archive.password, '');
  assert.match(String(archive.url), /\/archive\.zip$/);
  const kept = path.join(stage.server.dataDir, 'archives', archive.id);
  const zip = await downloadTo(archive);
  for (const file of [...readdirSync(kept).map((name) => path.join(kept, name)), zip]) {
    const bytes = readFileSync(file);
    for (const clear of ['matroska', 'V_VP8', 'A_OPUS', 'OpusHead', 'two visitors', 'startTimeOffset'])
      assert.equal(bytes.includes(clear), false, `${clear} in ${file}`);
  }

  const route = `/cloister/v1/projects/${stage.customer.credentials.apiKey}/archives/${archive.id}/manifest`;
  writeFileSync(at('archive.jws'), String(await stage.customer.rest('GET', route, 'project')));
  const checked = ['--manifest', at('archive.jws'), '--platform-keys', `${stage.server.url}/cloister/v1/manifest-keys`];
  const verified = await command<Record<string, unknown>>(stage.server, 'archive', 'verify', zip, ...checked);
  assert.deepEqual(
    [verified.format, verified.outputMode, verified.fileName],
    ['cloister', 'individual', 'archive.zip'],
  );
  const open = (...words: string[]) => ['archive', 'open', zip, ...words];
  for (const owner of ['clinic', 'auditor']) {
    const words = open('--key', at(`${owner}.key`), '--out', at(owner), ...checked);
    const done = await command<{ format: string; verified: string; files: string[] }>(stage.server, ...words);
    assert.deepEqual([done.format, done.verified, done.files.length], ['cloister', 'manifest', 3]);
  }
  const manifest: Manifest = JSON.parse(readFileSync(at(`clinic/${archive.id}.json`), 'utf8'));
  assert.deepEqual([manifest.id, manifest.name, manifest.files.length], [archive.id, 'two visitors', 2]);
  const found = new Set<number>();
  run('unzip', ['-q', zip, '-d', at('unzipped')]);
  for (const { filename, size, streamId, startTimeOffset, stopTimeOffset } of manifest.files) {
    assert.equal(filename, `${streamId}.webm`);
    const file = at(`clinic/${filename}`);
    assert.deepEqual(readFileSync(file), readFileSync(at(`auditor/${filename}`)));
    assert.equal(statSync(file).size, size);
    const probe = ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', file];
    const seconds = Number(run('ffprobe', probe).toString());
    assert.ok(Math.abs(seconds * 1000 - (stopTimeOffset - startTimeOffset)) < 250, `${seconds} s`);
    found.add(whose(file));
    // Without Cloister: unzipped, opened by a program that shares nothing with ours, and played as it is.
    const clear = at(`${filename}.by-python.webm`);
    writeFileSync(clear, run('python3', [reader, at(`unzipped/${filename}.cloister`), at('auditor.key')]));
    assert.equal(whose(clear), whose(file));
  }
  assert.deepEqual(found, new Set([0, 1]));

  const [first] = manifest.files;
  await command(
    stage.server,
    ...open('--key', at('clinic.key'), '--entry', String(first?.filename), '--out', at('one.webm')),
  );
  assert.deepEqual(readFileSync(at('one.webm')), readFileSync(at(`clinic/${first?.filename}`)));
  assert.match(await refusal(...open('--key', at('stranger.key'), '--out', at('no'))), /sealed to the certificate/);
  const changed = readFileSync(zip);
  changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1;
  writeFileSync(at('changed.zip'), changed);
  const spoilt = ['archive', 'open', at('changed.zip'), '--key', at('clinic.key'), '--out', at('no')];
  assert.match(await refusal(...spoilt), /was changed after it was sealed/);
  assert.match(await refusal(...spoilt, ...checked), /SHA-256 is not the one of the manifest/);
});

/** Bytes of cipher text of a file, its header for two certificates before them, from which on it opens. */
const someBytes = limits.archiveFileChunkBytes + 4096;

for (const victim of sample('killed in sealed individual archives', ['recorder', 'server'] as const, 1)) {
  test(`SEAL4 after a kill -9 of the ${victim} every file opens up to there, and the archive has its manifests`, async () => {
    const sessionId = await stage.customer.session();
    const { colour, hertz } = looks[0];
    const person = await publisher(stage, sessionId, colour, hertz);
    const { start } = archiveCalls(stage.customer);
    const { id } = await start(sessionId, { outputMode: 'individual' });
    const kept = path.join(stage.server.dataDir, 'archives', id);
    const spool = path.join(kept, 'stream-0');
    const sizeOf = async () => statSync(spool, { throwIfNoEntry: false })?.size ?? 0;
    const size = await eventually('a chunk that opens', sizeOf, (bytes) => bytes >= someBytes);
    const before = readFileSync(spool).subarray(0, size);
    if (victim === 'recorder') {
      const [recorder] = stage.server.recorders();
      process.kill(recorder as number, 'SIGKILL');
    } else {
      await stage.server.kill();
      stage.server = await stage.server.restart();
    }
    const read = () =>
      stage.customer.rest(
        'GET',
        `/v2/project/${stage.customer.credentials.apiKey}/archive/${id}`,
        'project',
      ) as Promise<Archive>;
    const archive = await eventually('the archive to come to its end', read, ({ status }) => status === 'failed');
    assert.ok(
      readFileSync(spool).subarray(0, size).equals(before),
      'a byte that was on the disk is not there any more',
    );
    const zip = await downloadTo(archive);
    const out = at(`${victim}-visit`);
    const words = ['archive', 'open', zip, '--key', at('clinic.key'), '--out', out];
    assert.match(await refusal(...words), /archive is cut: .*\.webm lacks the end/);
    const manifest: Manifest = JSON.parse(readFileSync(path.join(`${out}.cut`, `${id}.json`), 'utf8'));
    assert.equal(manifest.files.length, 1);
    for (const { filename } of manifest.files) {
      const pictures = halves(path.join(`${out}.cut`, `${filename}.cut`));
      assert.ok(pictures.length > 0 && pictures.every(({ left }) => like(left, colour)));
    }
    const { apiKey } = stage.customer.credentials;
    const signed = await stage.customer.rest(
      'GET',
      `/cloister/v1/projects/${apiKey}/archives/${id}/manifest`,
      'project',
    );
    writeFileSync(at(`${victim}.jws`), String(signed));
    const keys = ['--platform-keys', `${stage.server.url}/cloister/v1/manifest-keys`];
    const checked = await command<Record<string, unknown>>(
      stage.server,
      ...['archive', 'verify', zip, '--manifest', at(`${victim}.jws`), ...keys],
    );
    assert.equal(checked.status, 'failed');
    await person.close();
  });
}
