import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { killStuck } from './stuck.ts';

/** Does not end when it is asked to. Its child does not either, and keeps its output open. */
const stubborn = `
process.on('SIGTERM', () => {});
require('node:child_process').spawn('sleep', ['600'], { stdio: 'inherit' }).on('spawn', () => console.log('there'));`;

function start(file: string) {
  const child = spawn(process.execPath, ['-e', stubborn, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { child, there: once(child.stdout, 'data'), closed: once(child, 'close') };
}

it('a file that does not end is killed with all that it started, another is left alone', async () => {
  const [stuck, other] = [start('/stuck.test.ts'), start('/other.test.ts')];
  try {
    await Promise.all([stuck.there, other.there]);
    stuck.child.kill('SIGTERM');
    await killStuck('/stuck.test.ts', 0);
    assert.deepEqual(await stuck.closed, [null, 'SIGKILL']);
    assert.equal(other.child.exitCode ?? other.child.signalCode, null);
  } finally {
    await Promise.all([other.closed, killStuck('/other.test.ts', 0)]);
  }
});
