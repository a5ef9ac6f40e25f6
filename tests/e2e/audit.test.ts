/** The audit log of a running server: what a customer and a witness get of it, and what is left when it is killed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type ExportEntry, parseContent } from '../../packages/server/src/audit/index.ts';
import { command, commandText } from '../rig/command.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually, Feed } from '../rig/wait.ts';
import { randomOf, times } from '../sample.ts';

const run = promisify(execFile);
const python = path.resolve(import.meta.dirname, '../audit/independent.py');
/** With those of a smaller process, in tests/audit/kill.integration.test.ts, it is killed 200 times. */
const ROUNDS = times(2, 20);
/** After so many at most the server is killed, while others are under way. */
const CHANGES = 200;
const CHANGERS = 4;

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-audit-'));
const file = (name: string) => path.join(folder, name);
let server: Server;
let customer: Customer;

before(async () => {
  server = await startServer();
  customer = new Customer(server.credentials);
});

after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

const logUrl = () => `${server.url}/cloister/v1/audit`;

async function status(): Promise<{ size: number; state: string; checkpoint: string; why: string | null }> {
  return command(server, 'audit', 'show');
}

/** The entries of the whole log, exported and verified by the commands. */
async function exported(name = 'all.jsonl'): Promise<ReturnType<typeof parseContent>[]> {
  const keys = await (await fetch(`${logUrl()}/keys`)).text();
  writeFileSync(file('keys'), keys);
  await commandText(server, 'audit', 'export', '--out', file(name));
  await commandText(server, 'audit', 'verify', file(name), '--key', file('keys'));
  const [, ...lines] = readFileSync(file(name), 'utf8').trim().split('\n');
  return lines.map((line) => parseContent((JSON.parse(line) as ExportEntry).content!));
}

async function projectNamed(name: string): Promise<{ id: string }> {
  return (await customer.rest('POST', '/v2/project', 'account', { name })) as { id: string };
}

test('a change is in the log, public hashes without a log-in, content for the account alone, and health tells the state', async () => {
  const project = await projectNamed('Ward');
  const projectId = String(project.id);
  const found = await eventually(
    'the entry of the project',
    () => customer.rest('GET', `/cloister/v1/audit/entries?project=${projectId}`, 'account'),
    (answer) => JSON.stringify(answer).includes('"project.created"'),
    10_000,
  );
  const [entry] = (found as { entries: { content: Record<string, unknown> }[] }).entries.filter(
    ({ content }) => content.action === 'project.created',
  );
  assert.equal(entry?.content.projectId, projectId);
  assert.equal(entry?.content.accountId, server.credentials.accountKey);
  assert.deepEqual(await (await fetch(`${server.url}/health`)).json(), { status: 'ok', audit: 'ok' });
  const checkpoint = await fetch(`${logUrl()}/checkpoint`);
  const [origin, size] = (await checkpoint.text()).split('\n');
  assert.match(origin!, /^cloister\/audit\//);
  const tile = await fetch(`${logUrl()}/tile/0/000.p/${size}`);
  assert.equal((await tile.arrayBuffer()).byteLength, Number(size) * 32);
  assert.match(tile.headers.get('cache-control')!, /immutable/);
  for (const missing of [`0/000.p/${Number(size) + 1}`, '0/001', '0/../0/000', '9/000', 'entries/000']) {
    assert.equal((await fetch(`${logUrl()}/tile/${missing}`)).status, 404, missing);
  }
  for (const closed of ['entries', 'export']) {
    const method = closed === 'export' ? 'POST' : 'GET';
    assert.equal((await fetch(`${logUrl()}/${closed}`, { method })).status, 403, closed);
  }
});

test("the customer's export, as CSV and as JSON, verifies offline, and one with an edited cell names the entry", async () => {
  await exported();
  const checkpoint = await (await fetch(`${logUrl()}/checkpoint`)).text();
  writeFileSync(file('older'), checkpoint);
  const { id } = await projectNamed('Another');
  await eventually('the next entries', status, ({ checkpoint: now }) => now !== checkpoint);
  for (const format of ['csv', 'jsonl']) {
    const words = ['--account', server.credentials.accountKey, '--format', format, '--checkpoint', file('older')];
    await commandText(server, 'audit', 'export', ...words, '--out', file(`own.${format}`));
    const verified = await command<{ size: number }>(
      server,
      'audit',
      'verify',
      file(`own.${format}`),
      file('older'),
      '--key',
      file('keys'),
    );
    assert.ok(verified.size > Number(checkpoint.split('\n')[1]));
    const edited = readFileSync(file(`own.${format}`), 'utf8').replaceAll(`${id}`, '12345678');
    writeFileSync(file('edited'), edited);
    await assert.rejects(
      commandText(server, 'audit', 'verify', file('edited'), '--key', file('keys')),
      /entry \d+ was changed/,
    );
  }
  await assert.rejects(commandText(server, 'audit', 'verify', file('own.csv')), /--key is needed/);
});

test('a witness signs, the export carries it, and a program that shares no code with us confirms all formats', async () => {
  const words = ['witness', logUrl(), folder, '--key', file('keys'), '--name', 'clinic.example/witness', '--once'];
  const said = await commandText(server, ...words);
  const witness = /^witness (\S+)$/m.exec(said)![1]!;
  assert.match(said, /the log did not take the signature: No witness that this server knows/);
  await server.stop();
  server = await startServer({ env: { CLOISTER_AUDIT_WITNESSES: witness } });
  customer = new Customer(server.credentials);
  await projectNamed('Seen');
  await exported();
  rmSync(file('checkpoint'), { force: true });
  const signed = await commandText(server, 'witness', logUrl(), folder, '--key', file('keys'), '--once');
  assert.match(signed, /signed \d+ entries/);
  assert.doesNotMatch(signed, /did not take/);
  await exported();
  await commandText(server, 'audit', 'mirror', logUrl(), file('mirror'), '--key', file('keys'));
  const keys = readFileSync(file('keys'), 'utf8').trim().split('\n');
  const { stdout } = await run('python3', [python, file('mirror'), file('all.jsonl'), ...keys, witness]);
  const confirmed = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(confirmed.witnesses, ['clinic.example/witness']);
  assert.equal(confirmed.exported, confirmed.size);
  // The same program does find what is wrong.
  const bundle = file(`mirror/tile/entries/000.p/${confirmed.size}`);
  const bytes = readFileSync(bundle);
  bytes[10]! ^= 1;
  writeFileSync(bundle, bytes);
  await assert.rejects(
    run('python3', [python, file('mirror'), file('all.jsonl'), ...keys, witness]),
    /tile 0\/0 is not/,
  );
  await assert.rejects(commandText(server, 'audit', 'verify', file('mirror'), '--key', file('keys')), /tile\/0\/000/);
});

/** Makes projects on end until the server is gone. @param made gets those whose creation was answered */
async function changeUntilGone(made: Feed<string>): Promise<void> {
  for (;;) {
    try {
      made.push(String((await projectNamed(`change ${made.items.length}`)).id));
    } catch {
      return;
    }
  }
}

test('killed at random points, the log verifies and holds every change that was acknowledged', {
  timeout: 3_000_000,
}, async () => {
  const random = randomOf('audit kill');
  const acknowledged: string[] = [];
  let before = '';
  for (let round = 0; round < ROUNDS; round += 1) {
    const made = new Feed<string>();
    const making = Promise.all(Array.from({ length: CHANGERS }, () => changeUntilGone(made)));
    const most = 1 + Math.floor(random() * CHANGES);
    await made.next(`${most} changes that were acknowledged`, () => made.items.length >= most);
    before = await (await fetch(`${logUrl()}/checkpoint`)).text();
    await server.kill();
    await making;
    acknowledged.push(...made.items);
    server = await server.restart();
    const now = await status();
    assert.equal(now.state, 'ok', now.why ?? '');
    await exported();
    rmSync(file('killed'), { recursive: true, force: true });
    await commandText(server, 'audit', 'mirror', logUrl(), file('killed'), '--key', file('keys'));
    await commandText(server, 'audit', 'verify', file('killed'), '--key', file('keys'));
  }
  assert.ok(acknowledged.length > 0);
  const last = acknowledged.at(-1)!;
  await eventually(
    'the last change',
    () => customer.rest('GET', `/cloister/v1/audit/entries?project=${last}`, 'account'),
    (answer) => JSON.stringify(answer).includes('"project.created"'),
    10_000,
  );
  writeFileSync(file('before'), before);
  const contents = await exported();
  const created = new Set(contents.filter((each) => each?.action === 'project.created').map((each) => each!.projectId));
  assert.deepEqual(
    acknowledged.filter((id) => !created.has(id)),
    [],
  );
  assert.ok(contents.every((each) => each?.action !== 'audit.gap'));
  // What was published before the last kill is where this log began.
  await commandText(server, 'audit', 'verify', file('all.jsonl'), file('before'), '--key', file('keys'));
});
