import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { isRefusal } from '../archive/seal/archive-fixtures.ts';
import { loadConfig } from '../config.ts';
import { type TurnConfigWords, turnConfigCommand } from './turn-config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-turn-config-'));
after(() => rmSync(folder, { recursive: true }));
const secretFile = path.join(folder, 'secret');
writeFileSync(secretFile, 'shared\n', { mode: 0o600 });

const settings = (env: Record<string, string> = {}) =>
  loadConfig(
    {
      CLOISTER_DATA_DIR: path.join(folder, 'data'),
      CLOISTER_ROOT_KEY_FILE: path.join(folder, 'root.key'),
      CLOISTER_TURN_URLS: 'turn:turn.example.org:3478',
      CLOISTER_TURN_SECRET_FILE: secretFile,
      CLOISTER_MEDIA_ADDRESS: '198.51.100.3',
      CLOISTER_TURN_CLIENTS: '10.20.0.0/16',
      ...env,
    },
    [],
  );
const words: TurnConfigWords = {
  listen: ['10.0.0.5'],
  address: ['198.51.100.2'],
  relay: ['198.51.100.4'],
  cert: undefined,
  key: undefined,
  folder: '/var/lib/turn',
};

test('it has the secret of the settings, the peers that they allow, and no loopback', () => {
  const lines = turnConfigCommand(words, settings()).split('\n');
  for (const line of [
    'listening-ip=10.0.0.5',
    'external-ip=198.51.100.2/10.0.0.5',
    'static-auth-secret=shared',
    'allowed-peer-ip=198.51.100.3',
    'allowed-peer-ip=198.51.100.4',
    'allowed-peer-ip=10.20.0.0-10.20.255.255',
    'denied-peer-ip=10.0.0.0-10.255.255.255',
    'no-tls',
  ]) {
    assert.ok(lines.includes(line), line);
  }
  assert.equal(lines.includes('allow-loopback-peers'), false);
  const secure = turnConfigCommand({ ...words, cert: '/etc/c.pem', key: '/etc/k.pem' }, settings()).split('\n');
  assert.ok(secure.includes('tls-listening-port=5349') && secure.includes('pkey=/etc/k.pem'));
});

test('what is missing or is no address is said', () => {
  const refused = (changed: Partial<TurnConfigWords>, why: RegExp) =>
    assert.throws(
      () => turnConfigCommand({ ...words, ...changed }, settings()),
      (error: unknown) => isRefusal(error, 'BadRequest', why),
    );
  refused({ listen: [] }, /--listen ADDRESS is needed/);
  refused({ listen: ['turn.example.org'] }, /--listen turn\.example\.org is no literal address/);
  refused({ relay: ['0.0.0.0'] }, /--relay 0\.0\.0\.0 is no literal address/);
  refused({ cert: '/etc/c.pem' }, /--cert and --key go together/);
  const none = settings({ CLOISTER_TURN_URLS: '', CLOISTER_TURN_SECRET_FILE: '' });
  assert.throws(
    () => turnConfigCommand(words, none),
    (error: unknown) => isRefusal(error, 'BadRequest', /turnSecretFile first/),
  );
});
