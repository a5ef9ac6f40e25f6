/** What a program can do that is shut in as a recorder is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { SandboxTrial, shutIn } from './sandbox.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-sandbox-'));
const secret = path.join(folder, 'secret');
writeFileSync(secret, 'a secret');
const server = createServer((socket) => socket.destroy());
let port: number;
let reached = 0;

before(async () => {
  server.on('connection', () => {
    reached += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** Runs a script inside and gives what it said, as JSON. */
function inside(script: string, sandbox: 'bubblewrap' | 'none' = 'bubblewrap'): unknown {
  const command = shutIn({ file: process.execPath, args: ['-e', script] }, sandbox);
  const { stdout, stderr } = spawnSync(command.file, [...command.args], { env: {}, timeout: 20_000 });
  assert.notEqual(stdout.toString(), '', stderr.toString());
  return JSON.parse(stdout.toString());
}

const attempts = () => `
const fs = require('node:fs');
const attempt = (what) => { try { return what() ?? 'done'; } catch (error) { return error.code; } };
const said = {
  secret: attempt(() => fs.readFileSync(${JSON.stringify(secret)}, 'utf8')),
  passwords: attempt(() => fs.readFileSync('/etc/passwd', 'utf8').length),
  write: attempt(() => fs.writeFileSync('/written', 'x')),
  writeBeside: attempt(() => fs.writeFileSync(${JSON.stringify(path.join(import.meta.dirname, 'written'))}, 'x')),
  environment: Object.keys(process.env).filter((name) => name !== 'PWD'),
};
const socket = require('node:net').connect(${port}, '127.0.0.1');
const tell = (network) => { console.log(JSON.stringify({ ...said, network })); process.exit(); };
socket.on('connect', () => tell('connected'));
socket.on('error', (error) => tell(error.code));`;

test('here there is bubblewrap', async () => {
  assert.equal(await new SandboxTrial('require', { record() {} }).forRecorder(), 'bubblewrap');
});

test('past archiveRecorderDataBytes the kernel gives no memory, in a sandbox and without one', () => {
  const bound = limits.archiveRecorderDataBytes;
  // Reserved and not touched: the machine that tests has less to give than this.
  const script = `
const fs = require('node:fs');
const inUse = () => Number(/VmData:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
const held = [];
while (inUse() < ${2 * bound}) {
  held.push(Buffer.allocUnsafeSlow(10_000_000));
  fs.writeSync(1, [inUse(), held.length * 10_000_000].join(' ') + '\\n');
}`;
  for (const sandbox of ['bubblewrap', 'none'] as const) {
    const command = shutIn({ file: process.execPath, args: ['-e', script] }, sandbox);
    const { stdout, status } = spawnSync(command.file, [...command.args], { env: {}, timeout: 20_000 });
    const [inUse = 0, held = 0] = stdout.toString().trim().split('\n').at(-1)!.split(' ').map(Number);
    assert.notEqual(status, 0);
    assert.ok(inUse <= bound && inUse > bound - 50_000_000, `${sandbox}: ${inUse}`);
    // What a recording may take is never what the kernel refuses.
    assert.ok(held > limits.archiveRecorderBytes, `${sandbox}: ${held}`);
  }
});

test('inside there is no file but the program, no place to write, no environment and no network', () => {
  const said = inside(attempts()) as Record<string, unknown>;
  assert.equal(said.secret, 'ENOENT');
  assert.equal(said.passwords, 'ENOENT');
  assert.equal(said.write, 'EROFS');
  assert.equal(said.writeBeside, 'EROFS');
  assert.deepEqual(said.environment, []);
  assert.match(String(said.network), /^E(CONNREFUSED|NETUNREACH)$/);
  assert.equal(reached, 0);
  assert.equal(readdirSync(import.meta.dirname).includes('written'), false);
});

test('the same script reads and connects where it is not shut in: the test can fail', () => {
  const script = attempts().replace(/ {2}write.*\n/g, '');
  const said = inside(script, 'none') as Record<string, unknown>;
  assert.equal(said.secret, 'a secret');
  assert.equal(said.network, 'connected');
});
