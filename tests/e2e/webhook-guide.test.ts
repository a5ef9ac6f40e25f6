/** The receiver of the guide on webhooks, as it is written there, before a running platform and before impostors. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { ownChild, tempFolder } from '../rig/cleanup.ts';
import { command } from '../rig/command.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { Feed } from '../rig/wait.ts';
import { WeakClient } from '../rig/weak-client.ts';

const page = path.resolve(import.meta.dirname, '../../docs/guides/webhooks.md');
/** A refused call comes again after one second, then after two. */
const RETRY_MS = 30_000;

let server: Server;
let customer: Customer;
let secret: string;
let receiver: Receiver;

interface Receiver {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it handled: `event sessionId`. */
  readonly lines: Feed<string>;
}

/** Starts what the guide says, with this secret. */
async function startReceiver(key: string, port = 0): Promise<Receiver> {
  const [, source = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8')) ?? [];
  const file = path.join(tempFolder('receiver'), 'receiver.mjs');
  writeFileSync(file, source);
  const env = { ...process.env, SIGNATURE_SECRET: key, PORT: String(port) };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  ownChild(child);
  const lines = new Feed<string>();
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const listening = await lines.next('the receiver', (line) => line.startsWith('listening on '));
  return { url: `http://127.0.0.1:${listening.split(' ').at(-1)}/hook`, child, lines };
}

before(async () => {
  server = await startServer({ mediaWorkers: 1 });
  customer = new Customer(server.credentials);
  const { apiKey } = server.credentials;
  secret = await signatureSecret();
  receiver = await startReceiver(secret);
  for (const event of ['created', 'destroyed']) {
    const callback = { group: 'connection', event, url: receiver.url };
    await customer.rest('POST', `/v2/project/${apiKey}/callback`, 'project', callback);
  }
});

after(async () => {
  receiver?.child.kill();
  await server?.stop();
});

/** What the command prints for the project of the first start. */
async function signatureSecret(...options: string[]): Promise<string> {
  const words = ['project', 'signature-secret', server.credentials.apiKey, ...options];
  return (await command<{ signatureSecret: string }>(server, ...words)).signatureSecret;
}

/** Somebody comes and is sent away; → the session. */
async function visit(): Promise<string> {
  const sessionId = await customer.session();
  const client = await WeakClient.join(server.url, customer.ticket(sessionId));
  const connection = `/v2/project/${server.credentials.apiKey}/session/${sessionId}/connection/${client.connectionId}`;
  await customer.rest('DELETE', connection, 'project');
  client.close();
  return sessionId;
}

function signed(claims: object, key: string, head: object = { alg: 'HS256', typ: 'JWT' }): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode(head)}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

async function post(body: string, token: string | null): Promise<number> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return (await fetch(receiver.url, { method: 'POST', headers, body })).status;
}

function claimsFor(body: string, change: object = {}) {
  const now = Math.floor(Date.now() / 1000);
  const hash = createHash('sha256').update(body).digest('hex');
  return { iss: 'Vonage', iat: now, jti: crypto.randomUUID(), payload_hash: hash, ...change };
}

test('what the platform sends is believed, with the secret that the command prints', async () => {
  const sessionId = await visit();
  for (const event of ['connectionCreated', 'connectionDestroyed'])
    await receiver.lines.next(event, (line) => line === `${event} ${sessionId}`);
});

test('what somebody else sends is not', async () => {
  const body = JSON.stringify({ event: 'connectionCreated', sessionId: 'forged' });
  const now = Math.floor(Date.now() / 1000);
  const unsigned = signed(claimsFor(body), secret, { alg: 'none' }).replace(/[^.]*$/, '');
  const impostors: [string, string | null][] = [
    ['no token', null],
    ['no JWT', 'nothing'],
    ['the API secret', signed(claimsFor(body), server.credentials.apiSecret)],
    ['no signature', unsigned],
    ['another body', signed(claimsFor(`${body} `), secret)],
    ['a call that was recorded', signed(claimsFor(body, { iat: now - 301 }), secret)],
    ['a call of the future', signed(claimsFor(body, { iat: now + 330 }), secret)],
  ];
  for (const [what, token] of impostors) assert.equal(await post(body, token), 401, what);
  assert.ok(!receiver.lines.items.some((line) => line.includes('forged')));
});

test('a call that comes twice is handled once, and one that cannot be handled comes again', async () => {
  const body = JSON.stringify({ event: 'connectionCreated', sessionId: 'twice' });
  const claims = claimsFor(body);
  for (let time = 0; time < 2; time += 1) assert.equal(await post(body, signed(claims, secret)), 204);
  assert.equal(receiver.lines.items.filter((line) => line.includes('twice')).length, 1);
  assert.equal(await post('{', signed(claimsFor('{'), secret)), 500);
  const large = ' '.repeat(64 * 1024 + 1);
  assert.equal(await post(large, signed(claimsFor(large), secret)), 500);
});

test('once the secret is replaced, what was refused comes again and is believed by who has the new one', async () => {
  const replaced = await signatureSecret('--rotate');
  const sessionId = await visit();
  const old = receiver;
  const gone = new Promise((resolve) => old.child.once('exit', resolve));
  old.child.kill();
  await gone;
  receiver = await startReceiver(replaced, Number(new URL(old.url).port));
  await receiver.lines.next('the call', (line) => line === `connectionCreated ${sessionId}`, { ms: RETRY_MS });
  assert.ok(!old.lines.items.some((line) => line.includes(sessionId)));
});
