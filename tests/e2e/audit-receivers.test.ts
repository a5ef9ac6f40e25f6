/**
 * Every entry of the audit log gets to a real syslog server over TLS and to an OpenTelemetry receiver, which this test is: what
 * happens when they are away, and when the server is killed while it sends.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { signedCertificateFor } from '../rig/certificate.ts';
import { command } from '../rig/command.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { type Syslog, startSyslog } from '../rig/syslog.ts';
import { eventually } from '../rig/wait.ts';
import { times } from '../sample.ts';

const ROUNDS = times(2, 20);
const CHANGES = 10;
/** A receiver that was away is tried again after a few seconds. */
const ARRIVES_MS = 60_000;

interface LogRecord {
  readonly eventName: string;
  readonly timeUnixNano: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly { readonly key: string; readonly value: { readonly intValue?: string } }[];
}

let syslog: Syslog;
let otlp: HttpsServer;
let server: Server;
let customer: Customer;
/** What the OpenTelemetry receiver has taken. */
const records: LogRecord[] = [];
/** What it answers next, before it takes what comes after. */
const answers: number[] = [];

before(async () => {
  const certificate = signedCertificateFor('127.0.0.1');
  const [key, cert] = [readFileSync(certificate.key), readFileSync(certificate.certificate)];
  syslog = await startSyslog(certificate);
  otlp = createServer({ key, cert }, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    response.statusCode = answers.shift() ?? 200;
    assert.deepEqual([request.method, request.url], ['POST', '/v1/logs']);
    assert.equal(request.headers['content-type'], 'application/json');
    const body = JSON.parse(Buffer.concat(parts).toString());
    if (response.statusCode === 200) records.push(...body.resourceLogs[0].scopeLogs[0].logRecords);
    response.end('{"partialSuccess":{}}');
  });
  await once(otlp.listen(0, '127.0.0.1'), 'listening');
  server = await startServer({
    mediaWorkers: 1,
    env: {
      CLOISTER_AUDIT_SYSLOG: syslog.url,
      CLOISTER_AUDIT_SYSLOG_CA: certificate.authority,
      CLOISTER_AUDIT_SYSLOG_CERT: certificate.certificate,
      CLOISTER_AUDIT_SYSLOG_KEY: certificate.key,
      CLOISTER_AUDIT_OTLP: `https://127.0.0.1:${(otlp.address() as AddressInfo).port}`,
      CLOISTER_AUDIT_OTLP_CA: certificate.authority,
    },
  });
  customer = new Customer(server.credentials);
});

after(async () => {
  await server?.stop();
  await syslog?.kill();
  otlp?.close();
});

const make = async (count: number) => {
  for (let at = 0; at < count; at += 1) await customer.rest('POST', '/v2/project', 'account', { name: `${at}` });
};

/** Indexes that both receivers have, each once, when they have all that the log has. */
async function arrived(): Promise<void> {
  const { size } = await command<{ size: number }>(server, 'audit', 'show');
  const all = Array.from({ length: size }, (_, index) => index);
  const ofSyslog = () => syslog.messages().map(({ text }) => Number(JSON.parse(text).index));
  const ofOtlp = () =>
    records.map(({ attributes }) => Number(attributes.find(({ key }) => key.endsWith('index'))?.value.intValue));
  for (const [name, indexes] of Object.entries({ syslog: ofSyslog, otlp: ofOtlp })) {
    const missing = () => all.filter((index) => !indexes().includes(index));
    await eventually(
      `every entry at ${name}`,
      async () => missing(),
      (left) => left.length === 0,
      ARRIVES_MS,
    );
  }
}

test('every entry arrives at both, in order, as the log has it', async () => {
  await make(CHANGES);
  await arrived();
  const messages = syslog.messages();
  const indexes = messages.map(({ text }) => Number(JSON.parse(text).index));
  assert.deepEqual(
    indexes,
    indexes.toSorted((a, b) => a - b),
  );
  const created = messages.find(
    ({ id, text }) => id === 'project.created' && JSON.parse(text).actor.kind === 'account',
  )!;
  // Facility 13, severity 5: 13 * 8 + 5.
  assert.equal(created.priority, 109);
  const said = JSON.parse(created.text);
  assert.equal(said.actor.network, 'loopback');
  const record = records.find(({ body }) => JSON.parse(body.stringValue).index === said.index)!;
  assert.deepEqual(JSON.parse(record.body.stringValue), said);
  assert.deepEqual([record.eventName, record.timeUnixNano], ['project.created', `${said.at}000000`]);
});

test('receivers that are away refuse nobody, and get what they missed', async () => {
  await syslog.kill();
  answers.push(503, 503, 400);
  await make(CHANGES);
  assert.equal(((await (await fetch(`${server.url}/health`)).json()) as { audit: string }).audit, 'ok');
  await eventually(
    'the server to say so',
    async () => server.logs(),
    (logs) => logs.includes('wait for a receiver'),
    ARRIVES_MS,
  );
  await syslog.start();
  await arrived();
  assert.deepEqual(answers, []);
});

test('a server that is killed while it sends has sent everything after its next start', {
  timeout: 1_200_000,
}, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const making = make(CHANGES * 5).catch(() => {});
    const before = records.length;
    await eventually(
      'something to be sent',
      async () => records.length,
      (length) => length > before,
      ARRIVES_MS,
    );
    await server.kill();
    await making;
    server = await server.restart();
    await make(1);
    await arrived();
  }
});
