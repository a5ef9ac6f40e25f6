import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { isRefusal } from '../archive/seal/archive-fixtures.ts';
import { verifyArchiveCommand } from './archive-verify.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-archive-verify-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

const file = Buffer.from('a clear archive, as it was downloaded');
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = {
  ...{ type: 'cloister-archive-manifest', version: 1, archiveId: 'archive', projectId: '1', sessionId: 's' },
  ...{ status: 'available', reason: '', outputMode: 'composed', format: 'clear', fileName: 'archive.mp4' },
  ...{ sizeBytes: file.length, sha256: createHash('sha256').update(file).digest('hex'), certificateSha256: [] },
  ...{ startedAt: 0, stoppedAt: 60_000, durationMs: 60_000, signedAt: 60_000 },
};
const input = `${part({ alg: 'EdDSA', kid: 'k' })}.${part(claims)}`;
writeFileSync(at('manifest'), `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`);
writeFileSync(at('keys'), JSON.stringify({ keys: [{ kid: 'k', ...publicKey.export({ format: 'jwk' }) }] }));
writeFileSync(at('archive'), file);

const verify = (source: string, stdin = file, words: object = { manifest: at('manifest'), platformKeys: at('keys') }) =>
  verifyArchiveCommand(
    { manifest: undefined, platformKeys: undefined, ...words, source },
    { stdin: Readable.from([stdin]), fetch },
  );

test('a file that is the one is described by its manifest, also where it comes by a pipe', async () => {
  for (const source of [at('archive'), '-']) {
    assert.deepEqual(await verify(source), { verified: source, ...claims, keyId: 'k' });
  }
});

test('a file that is cut or changed is told, and so are words that are missing', async () => {
  await assert.rejects(verify('-', file.subarray(1)), (error) => isRefusal(error, 'ArchiveCut', /36 of 37 bytes/));
  const changed = Buffer.from(file.toString().toUpperCase());
  await assert.rejects(verify('-', changed), (error) => isRefusal(error, 'ArchiveChanged', /of the manifest/));
  await assert.rejects(verify(at('nothing')), (error) => isRefusal(error, 'ArchiveUnreadable', /ENOENT/));
  await assert.rejects(verify('-', file, {}), (error) => isRefusal(error, 'BadRequest', /--manifest FILE is needed/));
});
