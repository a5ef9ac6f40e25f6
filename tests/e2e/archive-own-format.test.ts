/** An archive of a real call in our own format: each of two private keys opens it, and its manifest says what it is. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { tempFolder } from '../rig/cleanup.ts';
import { command, commandText } from '../rig/command.ts';
import { type Archive, download } from './archives.ts';
import { recorded, run } from './recorded.ts';
import { useStage } from './stage.ts';

const reader = path.resolve(import.meta.dirname, '../../docs/reference/open-sealed-archive.py');
const stage = useStage();
const folder = tempFolder('archive-own-format');
const at = (name: string) => path.join(folder, name);

/** A key and its certificate, in files named after it. */
function makeOwner(name: string, bits: number): void {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  writeFileSync(at(`${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const subject = ['-subj', `/CN=${name}`, '-days', '2'];
  run('openssl', ['req', '-new', '-x509', '-key', at(`${name}.key`), ...subject, '-out', at(`${name}.pem`)]);
}

before(() => {
  makeOwner('clinic', 2048);
  makeOwner('auditor', 3072);
  makeOwner('stranger', 2048);
});

async function oneRecorded(): Promise<Archive> {
  const sessionId = await stage.customer.session();
  const publisher = await stage.open();
  await publisher.join(stage.customer.ticket(sessionId));
  await publisher.publish();
  const archive = await recorded(stage, sessionId, [publisher], { name: 'Visit' });
  await publisher.close();
  return archive;
}

/** What a command that must fail says. */
async function refusal(...words: string[]): Promise<string> {
  const error = await commandText(stage.server, ...words).then(
    () => assert.fail(`cloister ${words.join(' ')} did not fail`),
    (thrown: Error & { stderr?: string }) => thrown,
  );
  return String((error as { stderr?: string }).stderr);
}

test('two certificates, two keys: each opens it alone, with the command and without Cloister', async () => {
  const { apiKey } = stage.customer.credentials;
  const certificates = ['--certificate', at('clinic.pem'), '--certificate', at('auditor.pem')];
  const set = await command<{ certificateSha256: string[] }>(
    stage.server,
    ...['project', 'archive-sealing', apiKey, '--format', 'cloister', ...certificates],
  );
  const archive = await oneRecorded();
  assert.equal(archive.password, '');
  assert.match(String(archive.url), /\/archive\.cloister$/);
  const sealed = await download(archive);
  writeFileSync(at('archive.cloister'), sealed);
  const kept = readFileSync(path.join(stage.server.dataDir, 'archives', archive.id, 'archive'));
  assert.deepEqual(kept, sealed);

  const route = `/cloister/v1/projects/${apiKey}/archives/${archive.id}/manifest`;
  writeFileSync(at('archive.jws'), String(await stage.customer.rest('GET', route, 'project')));
  const keysUrl = `${stage.server.url}/cloister/v1/manifest-keys`;
  const open = (...words: string[]) => ['archive', 'open', at('archive.cloister'), ...words];
  const checked = ['--manifest', at('archive.jws'), '--platform-keys', keysUrl];
  for (const owner of ['clinic', 'auditor']) {
    const out = at(`${owner}.ts`);
    const done = await command<{ format: string; verified: string }>(
      stage.server,
      ...open('--key', at(`${owner}.key`), '--out', out, ...checked),
    );
    assert.deepEqual([done.format, done.verified], ['cloister', 'manifest']);
    assert.deepEqual(run('python3', [reader, at('archive.cloister'), at(`${owner}.key`)]), readFileSync(out));
  }
  assert.deepEqual(readFileSync(at('clinic.ts')), readFileSync(at('auditor.ts')));
  const probe = ['-v', 'error', '-show_entries', 'format=format_name:stream=codec_name', '-of', 'json'];
  const { streams, format } = JSON.parse(run('ffprobe', [...probe, at('clinic.ts')]).toString());
  assert.equal(format.format_name, 'mpegts');
  assert.deepEqual(streams.map((each: { codec_name: string }) => each.codec_name).sort(), ['aac', 'h264']);

  assert.match(await refusal(...open('--key', at('stranger.key'), '--out', at('no.ts'))), /sealed to the certificate/);
  const manifest = JSON.parse(
    Buffer.from(readFileSync(at('archive.jws'), 'utf8').split('.')[1]!, 'base64url').toString(),
  );
  assert.deepEqual(manifest.certificateSha256, set.certificateSha256);
  assert.equal(Buffer.from(manifest.sha256, 'hex').toString('base64'), archive.sha256sum);
  const changed = Buffer.from(sealed);
  changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1;
  writeFileSync(at('archive.cloister'), changed);
  const opening = open('--key', at('clinic.key'), '--out', at('no.ts'), ...checked);
  assert.match(await refusal(...opening), /SHA-256 is not the one of the manifest/);
});

test('what archives are sealed to is shown and removed by command', async () => {
  const words = ['project', 'archive-sealing', stage.customer.credentials.apiKey];
  const shown = await command<{ format: string; certificates: string[] }>(stage.server, ...words);
  assert.deepEqual([shown.format, shown.certificates.length], ['cloister', 2]);
  const wrong = ['--format', 'cloister', '--certificate', at('clinic.pem'), '--certificate', at('clinic.key')];
  assert.match(await refusal(...words, ...wrong), /number 2 of 2: it holds a private key/);
  await command(stage.server, ...words, '--remove');
  assert.match(await refusal(...words), /has not set what its archives are sealed to/);
});
