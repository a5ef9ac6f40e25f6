/** `cloister serve --json`: one line for programs, and the secret in it only where people are shown it too. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { atEnd, ownChild, tempFolder } from '../rig/cleanup.ts';
import { newDataFolder } from '../rig/embedded.ts';
import { freePorts } from '../rig/ports.ts';
import { within } from '../rig/wait.ts';

const program = path.resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
const START_MS = 90_000;

/** Starts the command, stops it at its first line, and gives all that it wrote on standard output. */
async function run(env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [program, 'serve', '--json'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  ownChild(child);
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const exited = once(child, 'exit');
  await within(START_MS, 'the ready line', Promise.race([once(child.stdout, 'data'), exited]));
  child.kill('SIGTERM');
  assert.deepEqual(await within(START_MS, 'the server to end', exited), [0, null]);
  return text;
}

test('serve --json prints where it is as one object in one line, with the secret at the first start alone', async () => {
  const dataDir = await newDataFolder();
  atEnd(() => rmSync(dataDir, { recursive: true, force: true }));
  const mediaPort = await freePorts(40);
  const env = {
    CLOISTER_PORT: '0',
    CLOISTER_DATA_DIR: dataDir,
    CLOISTER_ROOT_KEY_FILE: path.join(tempFolder('serve-json'), 'root.key'),
    CLOISTER_MEDIA_PORTS: `${mediaPort}-${mediaPort + 39}`,
    CLOISTER_MEDIA_WORKERS: '1',
  };
  const outputs = [await run(env), await run(env)];
  const { apiKey, apiSecret } = JSON.parse(readFileSync(path.join(dataDir, 'dev-credentials.json'), 'utf8'));
  for (const output of outputs) {
    assert.match(output, /^\{.*\}\n$/);
    const line = JSON.parse(output);
    assert.match(line.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(line.playground, `${line.url}/playground`);
    assert.equal(line.apiKey, apiKey);
  }
  assert.equal(JSON.parse(outputs[0]!).apiSecret, apiSecret);
  assert.ok(!outputs[1]!.includes(apiSecret));
});
