import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { makeLeg, makeWord } from '../store/store-fixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-security-verify-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const program = path.join(import.meta.dirname, 'main.ts');
const DEADLINE_MS = 60_000;

/** The command as a person runs it: what it wrote, and how it ended. */
function run(words: readonly string[], stdin = ''): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const args = [program, 'security', 'verify', ...words];
    const child: ChildProcess = execFile(process.execPath, args, { timeout: DEADLINE_MS }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
    child.stdin?.end(stdin);
  });
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(claims: object): string {
  const input = `${part({ alg: 'EdDSA', kid: 'k' })}.${part(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
}

const keySet = (key = publicKey, kid = 'k') => JSON.stringify({ keys: [{ kid, ...key.export({ format: 'jwk' }) }] });
const says = { suite: 'AEAD_AES_128_GCM', build: 1, dtlsVersion: 'DTLS 1.2' } as const;
const own = makeWord({ ...says, at: 1, end: 'peer', connectionId: 'p', frames: { own: true, other: false } });
const other = makeWord({ ...says, at: 2, end: 'client', connectionId: 'c', frames: { own: true, other: true } });
const facts = {
  ...{ type: 'cloister-security-record', version: 1, projectId: '1', sessionId: 's', mediaMode: 'relayed' },
  ...{ policy: 'prefer-aes256', zone: 'any', signedAt: 3 },
};
const legs = [makeLeg({ streamId: 'first' }), makeLeg({ streamId: 'second', observedBy: 'clients', agree: false })];
const record = signed({ ...facts, legs, transcript: [[], [own, other]] });
writeFileSync(at('record'), `${record}\n`);
writeFileSync(at('keys'), keySet());
const keys = ['--platform-keys', at('keys')];

test('a record that is as it was signed is shown: its legs, and who said what of them', async () => {
  for (const [source, stdin] of [
    [at('record'), ''],
    ['-', record],
  ] as const) {
    const { code, stdout, stderr } = await run([source, ...keys, '--json'], stdin);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      verified: source,
      ...facts,
      keyId: 'k',
      legs: legs.map((leg, index) => ({ leg: index + 1, ...leg })),
      transcript: [
        { leg: 2, ...own },
        { leg: 2, ...other },
      ],
    });
  }
  const { stdout } = await run([at('record'), ...keys]);
  const line = stdout.split('\n').find((each) => each.includes('"other":false'));
  assert.match(line ?? '', /^2 +1 +peer +p +1 +AEAD_AES_128_GCM +DTLS 1\.2 +- +\{"own":true,"other":false\}/);
});

test('one that was altered or cut, the key of somebody else, and what is no record end the command, each with its reason', async () => {
  const stranger = generateKeyPairSync('ed25519').publicKey;
  writeFileSync(at('stranger'), keySet(stranger));
  writeFileSync(at('others'), keySet(stranger, 'x'));
  const payload = Buffer.from(record.split('.')[1] ?? '', 'base64url').toString();
  const whitewashed = record.split('.');
  whitewashed[1] = Buffer.from(payload.replace('"other":false', '"other":true')).toString('base64url');
  const cases: [string, string, RegExp][] = [
    [whitewashed.join('.'), 'keys', /not verified: it was changed after it was signed, or signed by somebody else/],
    [record.slice(0, -20), 'keys', /not verified: .*is cut/],
    [record.slice(0, 200), 'keys', /not verified: .*is cut/],
    [record, 'stranger', /not verified: it was changed after it was signed, or signed by somebody else/],
    [record, 'others', /signed with a key that is not among those of the platform: k/],
    [
      signed({ type: 'cloister-archive-manifest', version: 1 }),
      'keys',
      /a cloister-archive-manifest, and no security rec/,
    ],
    [signed({ ...facts, version: 2, legs, transcript: [[], []] }), 'keys', /that this version knows/],
  ];
  for (const [text, set, why] of cases) {
    const { code, stdout, stderr } = await run(['-', '--platform-keys', at(set)], text);
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, why);
    assert.doesNotMatch(stderr, /^ +at /m);
  }
});

test('words that cannot be followed are told', async () => {
  const told = async (words: string[], why: RegExp) => {
    const { code, stderr } = await run(words);
    assert.equal(code, 1);
    assert.match(stderr, why);
  };
  await told([at('record')], /--platform-keys FILE or URL is needed/);
  await told([at('nothing'), ...keys], /nothing: ENOENT/);
  await told([folder, ...keys], /EISDIR/);
  await told([at('record'), '--platform-keys', at('record')], /no JWK set/);
  await told([], /cloister security verify takes SOURCE/);
});

test('securityRecordFileBytes are read of a record, and not one more', async () => {
  writeFileSync(at('large'), '');
  truncateSync(at('large'), limits.securityRecordFileBytes);
  assert.match((await run([at('large'), ...keys])).stderr, /no JWS in its compact form/);
  truncateSync(at('large'), limits.securityRecordFileBytes + 1);
  assert.match((await run([at('large'), ...keys])).stderr, /more than securityRecordFileBytes/);
});
