import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { prepareLan } from './lan.ts';

const dataDir = mkdtempSync(path.join(tmpdir(), 'cloister-lan-'));
after(() => rmSync(dataDir, { recursive: true }));
const addresses = ['192.0.2.7', '2001:db8::7'];
const DAY_MS = 86_400_000;

function openssl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}

test('openssl accepts the chain for every address, strictly, and for no other', async () => {
  const lan = await prepareLan({ dataDir, addresses });
  const ca = path.join(dataDir, 'ca-seen-by-phone.pem');
  const leaf = path.join(dataDir, 'leaf.pem');
  writeFileSync(ca, lan.caCertPem);
  writeFileSync(leaf, lan.cert);
  for (const ip of ['127.0.0.1', '::1', ...addresses]) {
    openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, '-verify_ip', ip, leaf);
  }
  const wrong = spawnSync('openssl', ['verify', '-CAfile', ca, '-verify_ip', '192.0.2.8', leaf]);
  assert.notEqual(wrong.status, 0);
  assert.match(openssl('x509', '-in', ca, '-noout', '-text'), /CA:TRUE, pathlen:0/);
  assert.deepEqual(lan.addresses, addresses);
});

test('a TLS client that trusts the authority reaches a server with this certificate', async () => {
  const lan = await prepareLan({ dataDir, addresses });
  const server = createServer({ cert: lan.cert, key: lan.key }, (_, answer) => answer.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const status = await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, ca: lan.caCertPem }, (answer) => resolve(answer.resume().statusCode)).once(
        'error',
        reject,
      );
    });
    assert.equal(status, 200);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('the authority is kept, privately; server key and code are new at each start', async () => {
  const first = await prepareLan({ dataDir, addresses });
  const second = await prepareLan({ dataDir, addresses });
  assert.equal(second.caCertPem, first.caCertPem);
  assert.notEqual(second.key, first.key);
  assert.match(first.code, /^\d{8}$/);
  assert.equal(statSync(path.join(dataDir, 'lan/ca.key')).mode & 0o777, 0o600);
  assert.equal(statSync(path.join(dataDir, 'lan')).mode & 0o777, 0o700);
});

test('an authority that ends within 30 days or is damaged is replaced', async () => {
  const { caCertPem } = await prepareLan({ dataDir, addresses });
  const later = Date.now() + 336 * DAY_MS;
  const renewed = await prepareLan({ dataDir, addresses, now: later });
  assert.notEqual(renewed.caCertPem, caCertPem);
  writeFileSync(path.join(dataDir, 'lan/ca.pem'), 'damaged');
  const mended = await prepareLan({ dataDir, addresses });
  assert.notEqual(mended.caCertPem, renewed.caCertPem);
  assert.equal(readFileSync(path.join(dataDir, 'lan/ca.pem'), 'utf8'), mended.caCertPem);
});

test('the QR code is drawn for a terminal', async () => {
  const { qrText } = await prepareLan({ dataDir, addresses });
  assert.match(await qrText('https://192.0.2.7:8080/playground'), /[▀▄█]/);
});
