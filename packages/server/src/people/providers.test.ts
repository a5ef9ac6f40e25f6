import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { PlatformError } from '@cloister/protocol';
import { tempFolder } from '../../../../tests/rig/cleanup.ts';
import { assignedBy, readProviders } from './providers.ts';

const folder = tempFolder('providers');
const entry = {
  id: 'clinic',
  name: 'Clinic',
  issuer: 'https://login.clinic.example',
  clientId: 'cloister',
  roles: [
    { group: 'video-owners', account: '100', role: 'owner' },
    { group: 'video', account: '100', role: 'engineer' },
    { group: 'night-shift', account: 'operator', role: 'operatorSupport' },
  ],
};

function file(content: unknown): string {
  const name = path.join(folder, 'providers.json');
  writeFileSync(name, typeof content === 'string' ? content : JSON.stringify(content));
  return name;
}

function refused(content: unknown, words: RegExp): void {
  const isRefused = ({ code, message }: PlatformError) => code === 'ConfigInvalid' && words.test(message);
  assert.throws(() => readProviders(file(content)), isRefused);
}

test('the first rule whose group somebody is in says what they are, in which account', () => {
  const [provider] = readProviders(file([entry]));
  assert.deepEqual(assignedBy(provider!, ['video', 'video-owners']), { accountId: '100', role: 'owner' });
  assert.deepEqual(assignedBy(provider!, ['other', 'video']), { accountId: '100', role: 'engineer' });
  assert.deepEqual(assignedBy(provider!, ['night-shift']), { accountId: null, role: 'operatorSupport' });
  assert.equal(assignedBy(provider!, ['Video']), null);
  assert.equal(assignedBy(provider!, []), null);
});

test('a secret is read from a file of its own; no file at all means no service', () => {
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, 'a secret\n');
  assert.equal(readProviders(file([{ ...entry, clientSecretFile: secret }]))[0]?.clientSecret, 'a secret');
  assert.deepEqual(readProviders(undefined), []);
});

test('what is wrong in the file is named at the start', () => {
  refused('{', /is not JSON/);
  refused([{ ...entry, clientId: undefined }], /0\.clientId/);
  refused([{ ...entry, issuer: 'login' }], /0\.issuer/);
  refused([{ ...entry, extra: 1 }], /extra/);
  refused([{ ...entry, roles: [{ group: 'a', account: '100', role: 'operator' }] }], /not one of that account/);
  refused([{ ...entry, roles: [{ group: 'a', account: 'operator', role: 'owner' }] }], /not one of that account/);
  refused([entry, entry], /two entries have the id clinic/);
  refused([{ ...entry, clientSecretFile: path.join(folder, 'nowhere') }], /nowhere cannot be read: ENOENT/);
  assert.throws(() => readProviders(path.join(folder, 'none.json')), /ENOENT/);
});
