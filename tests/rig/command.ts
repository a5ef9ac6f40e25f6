/** The `cloister` command, run as a person runs it, against a running platform. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Server } from './server.ts';

const run = promisify(execFile);
const program = path.resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
const COMMAND_MS = 60_000;

/** What the command printed as JSON. @throws Error with what it said and `code`, when it ends with anything but 0 */
export async function command<Result>(server: Pick<Server, 'dataDir'>, ...words: string[]): Promise<Result> {
  return JSON.parse(await commandText(server, ...words, '--json')) as Result;
}

/** What the command printed for people. */
export async function commandText(server: Pick<Server, 'dataDir'>, ...words: string[]): Promise<string> {
  const env = { ...process.env, CLOISTER_DATA_DIR: server.dataDir };
  const { stdout } = await run(process.execPath, [program, ...words], { env, timeout: COMMAND_MS });
  return stdout;
}
