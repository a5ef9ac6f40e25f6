import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import type { Command } from './command.ts';
import { commands } from './commands.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-commands-'));
after(() => rmSync(folder, { recursive: true }));
const configFile = path.join(folder, 'config.json');
writeFileSync(configFile, JSON.stringify({ dataDir: path.join(folder, 'data') }));

/** Whether a command ends for want of a server, where none runs. */
async function asksServer({ run, arguments: words }: Command): Promise<boolean> {
  try {
    await run({ arguments: words.map((word) => path.join(folder, word)), options: {}, configFile });
    return false;
  } catch (error) {
    assert.ok(error instanceof PlatformError, String(error));
    return error.code === 'WrongState' && /no server runs/.test(error.message);
  }
}

test('the commands that need no server are those that the reference names, and no other', async () => {
  const offline: string[] = [];
  for (const [name, command] of Object.entries(commands)) if (!(await asksServer(command))) offline.push(name);
  const page = readFileSync(path.resolve(import.meta.dirname, '../../../../docs/reference/commands.md'), 'utf8');
  const [sentence = ''] = /All but .* ask the running server/.exec(page) ?? [];
  assert.deepEqual(
    Array.from(sentence.matchAll(/`([^`]+)`/g), ([, name]) => name),
    offline,
  );
});
