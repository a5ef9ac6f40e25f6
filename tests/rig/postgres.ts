/**
 * A PostgreSQL of our own for tests: a new cluster in a temporary folder, on a loopback port with a password, ended and
 * removed by `stop`. The server refuses to run as root, so root starts it as the user `postgres`.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { eventually } from './wait.ts';

const run = promisify(execFile);
const readyWithinMs = 30_000;

/** A running cluster. */
export interface Postgres {
  /** Address of the database `cloister` in it. */
  readonly url: string;
  /** The folder with every file of the cluster, its write-ahead log included. */
  readonly folder: string;
  /** Makes another, empty database and returns its address. */
  create(name: string): Promise<string>;
  /** Kills every process of the cluster as a power cut would, and starts it again on the same port. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

async function binaries(): Promise<string> {
  const base = '/usr/lib/postgresql';
  const versions = await readdir(base).catch(() => []);
  const newest = versions
    .map(Number)
    .filter(Number.isFinite)
    .sort((a, b) => b - a)[0];
  if (newest === undefined) throw new Error(`No PostgreSQL under ${base}; install Debian's package "postgresql"`);
  return path.join(base, String(newest), 'bin');
}

/**
 * The command and its arguments as the user that may run a server. It gets SIGINT, which is a fast shutdown, when the
 * test that started it dies.
 */
function asServer(command: string, options: readonly string[]): [string, string[]] {
  const user = process.getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
  return ['setpriv', [...user, '--pdeathsig=INT', '--', command, ...options]];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function giveToServer(...files: string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { stdout } = await run('id', ['-u', 'postgres']);
  for (const file of files) await chown(file, Number(stdout), -1);
}

/** Starts the server and resolves when it says that it takes connections. */
async function startServer(bin: string, folder: string, port: number) {
  const options = ['-D', path.join(folder, 'data'), '-p', String(port), '-h', '127.0.0.1', '-k', folder];
  const child = spawn(...asServer(path.join(bin, 'postgres'), options), { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`PostgreSQL did not start: ${said}`)), readyWithinMs);
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
      if (!said.includes('ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
    child.on('exit', (code) => reject(new Error(`PostgreSQL ended with ${code}: ${said}`)));
  });
  return { child, ended };
}

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Makes and starts a cluster. Give every one back with `stop`. */
export async function startPostgres(): Promise<Postgres> {
  const bin = await binaries();
  const folder = await mkdtemp(path.join(tmpdir(), 'cloister-postgres-'));
  const password = randomBytes(12).toString('hex');
  const passwordFile = path.join(folder, 'password');
  await writeFile(passwordFile, password);
  await chmod(folder, 0o700);
  await giveToServer(folder, passwordFile);
  const initial = [
    '-D',
    path.join(folder, 'data'),
    '-U',
    'cloister',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
  ];
  await run(...asServer(path.join(bin, 'initdb'), [...initial, '-E', 'UTF8', '--locale=C', '--no-sync']));
  const port = await freePort();
  let server = await startServer(bin, folder, port);
  const address = (name: string) => `postgres://cloister:${password}@127.0.0.1:${port}/${name}`;
  const create = async (name: string): Promise<string> => {
    await query(address('postgres'), `create database "${name}"`);
    return address(name);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.child.exitCode !== null || server.child.signalCode !== null) return;
    const main = server.child.pid as number;
    if (signal !== 'SIGKILL') {
      process.kill(main, signal);
      await server.ended;
      return;
    }
    // Stopped first, so that it makes no other child while its children are counted.
    process.kill(main, 'SIGSTOP');
    const children = await childrenOf(main);
    for (const pid of [...children, main]) process.kill(pid, 'SIGKILL');
    await server.ended;
    // Their shared memory is in use until the last of them is gone, and the next server refuses to start on it.
    const gone = async (pid: number) =>
      /^State:\s+[ZX]|^$/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
    await Promise.all(children.map((pid) => eventually('the end of PostgreSQL', () => gone(pid), Boolean)));
  };
  return {
    url: await create('cloister'),
    folder,
    create,
    async crash() {
      await end('SIGKILL');
      server = await startServer(bin, folder, port);
    },
    async stop() {
      await end('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const content = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return content.trim().split(/\s+/).filter(Boolean).map(Number);
}
