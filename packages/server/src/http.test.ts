import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { certificateFor } from '../../../tests/rig/certificate.ts';
import type { Config } from './config.ts';
import { createHttpServer, type HttpWaits, requestFacts, type Tls } from './http.ts';

const long = 3_600_000;

/** A server whose `/never` does not answer, and what comes back on a socket that writes `lines` until it is closed. */
async function answerTo(
  t: TestContext,
  waits: Partial<HttpWaits>,
  lines: string,
  tls: Tls | null = null,
): Promise<string> {
  const app = createHttpServer(tls, { requestMs: long, headMs: long, silentMs: long, ...waits });
  t.after(() => app.close());
  app.post('/echo', async ({ body }) => body);
  app.get('/never', () => new Promise(() => {}));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  socket.on('error', () => {});
  socket.write(lines);
  await once(socket, 'close');
  return text;
}

const post = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n';

test('a body that does not arrive in time ends its socket, though nobody has read it', async (t) => {
  assert.match(await answerTo(t, { requestMs: 50, headMs: 50 }, `${post}\r\n{`), /^HTTP\/1\.1 408 /);
});

test('a head that does not arrive in time ends its socket, and so does a socket that asks for nothing', async (t) => {
  assert.match(await answerTo(t, { headMs: 50 }, post), /^HTTP\/1\.1 408 /);
  assert.match(await answerTo(t, { headMs: 50 }, ''), /^(HTTP\/1\.1 408 |$)/);
});

test('a socket on which nothing moves is closed', async (t) => {
  assert.equal(await answerTo(t, { silentMs: 50 }, 'GET /never HTTP/1.1\r\nHost: a\r\n\r\n'), '');
});

/** Of an address, in memory. */
function tlsFiles(): Tls {
  const { key, certificate } = certificateFor('127.0.0.1');
  return { key: readFileSync(key), cert: readFileSync(certificate) };
}

test('who does not finish the TLS handshake in time is dropped', async (t) => {
  assert.equal(await answerTo(t, { headMs: 50 }, '', tlsFiles()), '');
});

test('a server that closes does not wait for those in their TLS handshake', async () => {
  const app = createHttpServer(tlsFiles(), { requestMs: long, headMs: long, silentMs: long });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const silent = connect(port, '127.0.0.1');
  await once(app.server, 'connection');
  const dropped = once(silent, 'close');
  await app.close();
  await dropped;
});

test('a request that is there in time is answered', async (t) => {
  const answer = await answerTo(t, {}, `${post}Connection: close\r\n\r\n{}`);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /\{\}$/);
});

test('the limits of the table are those of a server, with and without TLS', () => {
  for (const tls of [null, { cert: '', key: '' }]) {
    const { requestTimeout, headersTimeout, timeout } = createHttpServer(tls).server as Server;
    assert.deepEqual(
      [requestTimeout, headersTimeout, timeout],
      [limits.requestSeconds, limits.requestHeadSeconds, limits.socketSilentSeconds].map((seconds) => seconds * 1000),
    );
  }
});

test('links lead to the address of the settings, or to the one by which the caller reaches us', () => {
  const request = { socket: { remoteAddress: '192.0.2.1' }, headers: { host: 'video.example:8443' } };
  const base = (config: Partial<Config>, tls = false) => {
    const settings = { trustedProxies: [], host: '0.0.0.0', port: 80, ...config } as unknown as Config;
    return requestFacts(settings, tls).baseUrl(request as unknown as IncomingMessage);
  };
  assert.equal(base({ publicUrl: 'https://calls.example.org' }), 'https://calls.example.org');
  assert.equal(base({}), 'http://video.example:8443');
  assert.equal(base({}, true), 'https://video.example:8443');
  assert.equal(base({ tlsTerminated: true }), 'https://video.example:8443');
});

test('of a client its class of network is told: this machine, a private one, or any other; a forwarded address counts from proxies alone', () => {
  const config = { trustedProxies: [{ address: '10.0.0.1', bits: 32 }], host: 'a', port: 1 } as unknown as Config;
  const { network } = requestFacts(config, false);
  const from = (remoteAddress: string, forwarded?: string) =>
    network({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as unknown as IncomingMessage);
  const classes = { '127.0.0.1': 'loopback', '::1': 'loopback', '::ffff:10.2.3.4': 'private', 'fd00::1': 'private' };
  for (const [address, expected] of Object.entries(classes)) assert.equal(from(address), expected, address);
  for (const address of ['8.8.8.8', '2606:4700::1111', '192.0.2.1']) assert.equal(from(address), 'public', address);
  assert.equal(from('10.0.0.1', '8.8.8.8'), 'public');
  assert.equal(from('10.0.0.2', '8.8.8.8'), 'private');
});
