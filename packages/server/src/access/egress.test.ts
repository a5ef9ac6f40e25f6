import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { limits, PlatformError } from '@cloister/protocol';
// @peculiar/x509 needs the metadata polyfill before it loads.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { ManualClock, systemClock } from '../lib/index.ts';
import { classesOf } from './cidr.ts';
import { createEgress, type EgressDeps, type EgressRequest, type Endpoint } from './egress.ts';

const loopbackResolver = async () => ['127.0.0.1'];

function egressWith(deps: Partial<EgressDeps> = {}) {
  return createEgress({
    mode: 'development',
    destinations: [],
    ownAddresses: () => [],
    clock: systemClock,
    resolver: loopbackResolver,
    ...deps,
  });
}

function get(url: string, more: Partial<EgressRequest> = {}): EgressRequest {
  return { url, method: 'GET', timeoutMs: 5000, answerBytes: 1024, ...more };
}

async function listen(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function httpReceiver(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createHttpServer(listener);
  t.after(() => server.closeAllConnections());
  return listen(t, server);
}

function failsWith(code: string, why: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof PlatformError, String(error));
    assert.equal(error.code, code);
    assert.match(String(error.details.why), why);
    return true;
  };
}

test('a request arrives with its method, path, headers and body, and the answer comes back', async (t) => {
  let seen: unknown;
  const port = await httpReceiver(t, async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    seen = { method: request.method, url: request.url, headers: request.headers, body };
    response.writeHead(201, { 'x-answer': 'yes' }).end('done');
  });
  const answer = await egressWith().request({
    ...get(`http://receiver.test:${port}/hook?x=1#part`),
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Host: 'forged', 'Transfer-Encoding': 'chunked', Connection: 'x' },
    body: '{"ä":1}',
  });
  assert.deepEqual(seen, {
    method: 'POST',
    url: '/hook?x=1',
    headers: {
      'content-type': 'application/json',
      host: `receiver.test:${port}`,
      connection: 'close',
      'accept-encoding': 'identity',
      'content-length': '8',
    },
    body: '{"ä":1}',
  });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers['x-answer'], 'yes');
  assert.equal(answer.body.toString(), 'done');
  assert.equal(answer.truncated, false);
});

test('a name is resolved once, and the connection goes to the address that was checked', async (t) => {
  const port = await httpReceiver(t, (_request, response) => response.end('first'));
  let asked = 0;
  const resolver = async () => {
    asked += 1;
    return [asked === 1 ? '127.0.0.1' : '169.254.169.254'];
  };
  const egress = egressWith({ resolver });
  assert.equal((await egress.request(get(`http://rebind.test:${port}/`))).body.toString(), 'first');
  assert.equal(asked, 1);
  await assert.rejects(egress.request(get(`http://rebind.test:${port}/`)), failsWith('DestinationRefused', /metadata/));
});

test('one refused address among many refuses the whole name', async () => {
  const connect = () => assert.fail('connected');
  for (const bad of ['10.0.0.1', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1', 'fe80::1', '127.0.0.1']) {
    const egress = egressWith({ mode: 'production', resolver: async () => ['8.8.8.8', bad], connect });
    await assert.rejects(egress.request(get('https://mixed.test/')), failsWith('DestinationRefused', /leads|loopback/));
    await assert.rejects(egress.check('https://mixed.test/'), failsWith('DestinationRefused', /leads|loopback/));
  }
});

test('egressAddresses addresses of a name are accepted and one more is not', async () => {
  const many = (count: number) => async () => Array.from({ length: count }, (_, i) => `8.8.8.${i}`);
  await egressWith({ resolver: many(limits.egressAddresses) }).check('https://many.test/');
  await assert.rejects(
    egressWith({ resolver: many(limits.egressAddresses + 1) }).check('https://many.test/'),
    failsWith('DestinationRefused', /too many/),
  );
});

test('a name of this platform is refused at the addresses that it leads to, and at all while it leads nowhere', async () => {
  let known: string[] = ['9.9.9.9'];
  const egress = egressWith({
    mode: 'production',
    ownAddresses: () => [{ address: 'video.example', ports: { first: 443, last: 443 } }],
    resolver: async (host) => (host === 'video.example' ? known : host === 'alias.test' ? ['9.9.9.9'] : ['8.8.8.8']),
  });
  await assert.rejects(egress.check('https://video.example/hook'), failsWith('DestinationRefused', /this platform/));
  await assert.rejects(egress.check('https://alias.test/hook'), failsWith('DestinationRefused', /this platform/));
  await egress.check('https://receiver.test/hook');
  await egress
    .check('https://video.example:8443/hook')
    .catch((error) => assert.doesNotMatch(String(error.details.why), /this platform/));
  known = [];
  await assert.rejects(egress.check('https://receiver.test/hook'), failsWith('DestinationRefused', /this platform/));
});

test('a redirect is an answer and is not followed', async (t) => {
  let hits = 0;
  const port = await httpReceiver(t, (_request, response) => {
    hits += 1;
    response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
  });
  const answer = await egressWith().request(get(`http://127.0.0.1:${port}/`));
  assert.equal(answer.status, 302);
  assert.equal(hits, 1);
});

test('answerBytes bytes are read; one past it cuts the body and keeps the status', async (t) => {
  const port = await httpReceiver(t, (request, response) => {
    response.end('x'.repeat(Number(request.url?.slice(1))));
  });
  const egress = egressWith();
  const answerBytes = limits.webhookAnswerBytes;
  const ask = (bytes: number) => egress.request(get(`http://127.0.0.1:${port}/${bytes}`, { answerBytes }));
  const whole = await ask(answerBytes);
  assert.deepEqual([whole.body.length, whole.truncated], [answerBytes, false]);
  const cut = await ask(answerBytes + 1);
  assert.deepEqual([cut.status, cut.body.length, cut.truncated], [200, answerBytes, true]);
});

test('an endless body is not read on', async (t) => {
  const port = await httpReceiver(t, (_request, response) => {
    const more = (): void => {
      while (response.writable && response.write('x'.repeat(65_536)));
    };
    response.on('drain', more);
    more();
  });
  const answer = await egressWith().request(get(`http://127.0.0.1:${port}/`));
  assert.deepEqual([answer.body.length, answer.truncated], [1024, true]);
});

test('headers beyond egressHeaderBytes fail the request', async (t) => {
  const port = await httpReceiver(t, (_request, response) => {
    response.writeHead(200, { 'x-long': 'x'.repeat(limits.egressHeaderBytes) }).end();
  });
  await assert.rejects(egressWith().request(get(`http://127.0.0.1:${port}/`)), failsWith('DestinationFailed', /HTTP/));
});

test('the time limit covers a silent receiver and a resolver that does not answer', async (t) => {
  const started = Promise.withResolvers<void>();
  const port = await httpReceiver(t, () => started.resolve());
  const time = new ManualClock();
  const silent = egressWith({ clock: time }).request(get(`http://127.0.0.1:${port}/`));
  await started.promise;
  time.advance(5000);
  await assert.rejects(silent, failsWith('DestinationFailed', /in time/));
  const clock = new ManualClock();
  const stuck = egressWith({ clock, resolver: () => new Promise(() => undefined) });
  const pending = stuck.request(get('https://stuck.test/'));
  const checking = stuck.check('https://stuck.test/');
  clock.advance(Math.max(5000, limits.webhookTimeoutSeconds * 1000));
  await assert.rejects(pending, failsWith('DestinationFailed', /in time/));
  await assert.rejects(checking, failsWith('DestinationFailed', /in time/));
});

test('a request that is broken off fails at once, and one that is already is not made', async (t) => {
  const arrived = Promise.withResolvers<void>();
  let requests = 0;
  const port = await httpReceiver(t, () => {
    requests += 1;
    arrived.resolve();
  });
  const stop = new AbortController();
  const wish = { ...get(`http://receiver.test:${port}/`), timeoutMs: 60_000, signal: stop.signal };
  const broken = assert.rejects(egressWith().request(wish), failsWith('DestinationFailed', /broken off/));
  await arrived.promise;
  stop.abort();
  await broken;
  await assert.rejects(egressWith().request(wish), failsWith('DestinationFailed', /broken off/));
  assert.equal(requests, 1);
});

test('a body that comes a byte at a time does not stretch the time limit', async (t) => {
  const port = await httpReceiver(t, (_request, response) => {
    const drip = setInterval(() => response.write('x'), 10);
    response.on('close', () => clearInterval(drip));
  });
  const pending = egressWith().request(get(`http://127.0.0.1:${port}/`, { timeoutMs: 300 }));
  await assert.rejects(pending, failsWith('DestinationFailed', /in time/));
});

test('failures are told in constant words without inner addresses', async (t) => {
  const closed = createTcpServer();
  const port = await listen(t, closed);
  await new Promise((resolve) => closed.close(resolve));
  await assert.rejects(
    egressWith().request(get(`http://receiver.test:${port}/secret?token=secret`)),
    (error: unknown) => {
      failsWith('DestinationFailed', /refused/)(error);
      assert.doesNotMatch(JSON.stringify((error as PlatformError).toBody()), /127\.0\.0\.1|secret/);
      return true;
    },
  );
  const rubbish = createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0\r\n\r\n'));
  const rubbishPort = await listen(t, rubbish);
  await assert.rejects(
    egressWith().request(get(`http://127.0.0.1:${rubbishPort}/`)),
    failsWith('DestinationFailed', /not HTTP/),
  );
  const hangsUp = createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end()));
  const hangsUpPort = await listen(t, hangsUp);
  await assert.rejects(
    egressWith().request(get(`http://127.0.0.1:${hangsUpPort}/`)),
    failsWith('DestinationFailed', /cut|broke/),
  );
  const nowhere = egressWith({ resolver: async () => Promise.reject(new Error('ENOTFOUND')) });
  await assert.rejects(nowhere.request(get('https://nowhere.test/')), failsWith('DestinationFailed', /resolved/));
  const empty = egressWith({ resolver: async () => [] });
  await assert.rejects(empty.request(get('https://nowhere.test/')), failsWith('DestinationFailed', /no address/));
});

test('a switch of protocols is not an answer', async (t) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    );
    t.after(() => socket.destroy());
  });
  const port = await listen(t, server);
  await assert.rejects(
    egressWith().request(get(`http://127.0.0.1:${port}/`)),
    failsWith('DestinationFailed', /cut|broke/),
  );
});

test('no proxy variable is read', async (t) => {
  const port = await httpReceiver(t, (_request, response) => response.end('direct'));
  for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']) {
    const before = process.env[name];
    process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : 'http://127.0.0.1:1';
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
  assert.equal((await egressWith().request(get(`http://receiver.test:${port}/`))).body.toString(), 'direct');
});

async function certificateFor(...names: { type: 'dns' | 'ip'; value: string }[]) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=receiver',
    notBefore: new Date(Date.now() - 3600_000),
    notAfter: new Date(Date.now() + 3600_000),
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension(names), new x509.BasicConstraintsExtension(true)],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  };
}

test('TLS is verified against the name, though the connection goes to an address', async (t) => {
  const pair = await certificateFor({ type: 'dns', value: 'receiver.test' }, { type: 'ip', value: '127.0.0.1' });
  const serverNames: unknown[] = [];
  const server = createHttpsServer(pair, (_request, response) => response.end('sealed'));
  server.on('secureConnection', (socket) => serverNames.push(socket.servername));
  server.on('tlsClientError', () => undefined);
  const port = await listen(t, server);
  const trusting = egressWith({ ca: [pair.cert] });

  assert.equal((await trusting.request(get(`https://receiver.test:${port}/`))).body.toString(), 'sealed');
  assert.equal((await trusting.request(get(`https://receiver.test.:${port}/`))).body.toString(), 'sealed');
  assert.equal((await trusting.request(get(`https://127.0.0.1:${port}/`))).body.toString(), 'sealed');
  assert.deepEqual(serverNames, ['receiver.test', 'receiver.test', false]);
  await assert.rejects(
    trusting.request(get(`https://other.test:${port}/`)),
    failsWith('DestinationFailed', /another name/),
  );
  await assert.rejects(
    egressWith().request(get(`https://receiver.test:${port}/`)),
    failsWith('DestinationFailed', /not trusted/),
  );
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  t.after(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  });
  await assert.rejects(
    egressWith().request(get(`https://receiver.test:${port}/`)),
    failsWith('DestinationFailed', /not trusted/),
    'an environment variable cannot switch it off',
  );
});

test('a connection for another protocol is judged as a request is, and trusts and shows what it was given', async (t) => {
  const [server, client] = await Promise.all([
    certificateFor({ type: 'ip', value: '127.0.0.1' }),
    certificateFor({ type: 'dns', value: 'platform.test' }),
  ]);
  const shown: unknown[] = [];
  const receiver = createTlsServer(
    { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: false },
    (socket) => {
      shown.push(socket.authorized, socket.alpnProtocol);
      socket.end('hello');
    },
  );
  receiver.on('tlsClientError', () => undefined);
  const port = await listen(t, receiver);
  const url = `tls://127.0.0.1:${port}`;
  const egress = egressWith();
  const socket = await egress.connect({ url, timeoutMs: 5000, tls: { ca: server.cert, ...client } });
  const [text] = await once(socket, 'data');
  assert.equal(String(text), 'hello');
  assert.deepEqual(shown, [true, false]);
  socket.destroy();
  await assert.rejects(egress.connect({ url, timeoutMs: 5000 }), failsWith('DestinationFailed', /not trusted/));
  const strict = egressWith({ mode: 'production' });
  await assert.rejects(
    strict.connect({ url, timeoutMs: 5000 }),
    failsWith('DestinationRefused', /development mode only/),
  );
  const silent = createTcpServer((each) => each.on('error', () => {}));
  const late = egress.connect({ url: `tls://127.0.0.1:${await listen(t, silent)}`, timeoutMs: 50 });
  await assert.rejects(late, failsWith('DestinationFailed', /in time/));
});

/** Answers nothing, and keeps where it was told to go. */
function spy() {
  const endpoints: Endpoint[] = [];
  const connect = (endpoint: Endpoint) => {
    endpoints.push(endpoint);
    const socket = new PassThrough();
    queueMicrotask(() => socket.destroy(new Error('spy')));
    return socket;
  };
  return { endpoints, connect };
}

const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.ipV4().map((address) => `[::ffff:${address}]`),
  fc.ipV4().map((address) => `[64:ff9b::${address}]`),
  fc.nat({ max: 0xffff_ffff }).map(String),
  fc.nat({ max: 0xffff_ffff }).map((number) => `0x${number.toString(16)}`),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `0${a.toString(8)}.${b}`),
  fc.constantFrom('localhost', 'metadata.google.internal', '169.254.169.254', '127.1', '10.1', '[::1]', '0', 'a.test.'),
  fc.domain(),
);
const anyUrl = fc
  .tuple(
    fc.constantFrom('https:', 'http:', 'ftp:', 'HTTPS:', ''),
    fc.constantFrom('//', '/', '\\\\', ''),
    fc.constantFrom('', 'u@', 'u:p@'),
    host,
    fc.oneof(
      fc.constant(''),
      fc.nat(70_000).map((port) => `:${port}`),
    ),
    fc.webPath(),
  )
  .map((parts) => parts.join(''));
const resolvedTo = fc.array(
  fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('8.8.8.8', '2606:4700::1', '127.0.0.1', '10.0.0.1', '169.254.169.254', 'rubbish'),
  ),
  { maxLength: 3 },
);

for (const mode of ['production', 'development'] as const) {
  test(`property: in ${mode} nothing is ever connected to but what the rules allow`, async () => {
    let connected = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyUrl, fc.string(), fc.webUrl()), resolvedTo, async (url, addresses) => {
        const { endpoints, connect } = spy();
        const egress = egressWith({ mode, connect, resolver: async () => addresses });
        await assert.rejects(egress.request(get(url)), (error: unknown) => {
          assert.ok(error instanceof PlatformError, String(error));
          assert.ok(error.code === 'DestinationRefused' || error.code === 'DestinationFailed', error.code);
          return true;
        });
        const allowed = mode === 'production' ? ['public'] : ['public', 'loopback'];
        for (const address of endpoints.flatMap((endpoint) => endpoint.addresses)) {
          assert.deepEqual(
            classesOf(address)?.filter((kind) => !allowed.includes(kind)),
            [],
            `${url} → ${address}`,
          );
        }
        connected += endpoints.length;
        if (mode === 'production') assert.ok(endpoints.every((endpoint) => endpoint.secure));
      }),
      { numRuns: 500 },
    );
    assert.ok(connected > 0, 'some of the cases were allowed');
  });
}
