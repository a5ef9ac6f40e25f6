/** The platform as a program of its own: its own data folder, root key and ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { type AddressCertificate, certificateFor, type SignedCertificate } from './certificate.ts';
import { atEnd, ownChild, tempFolder } from './cleanup.ts';
import { command } from './command.ts';
import { newDataFolder } from './embedded.ts';
import { freePorts } from './ports.ts';
import { type TestDatabase, testDatabase } from './store.ts';
import { Feed, within } from './wait.ts';

const root = path.resolve(import.meta.dirname, '../..');
const PROGRAM = [path.join(root, 'packages/server/src/cli/main.ts'), 'serve'];
/** So many ports a platform needs for media. */
export const MEDIA_PORTS = 40;
const START_MS = 90_000;
const STOP_MS = 30_000;

/** What `dev-credentials.json` holds; in production they are made by the command. */
export interface Credentials {
  readonly url: string;
  readonly accountKey: string;
  readonly accountSecret: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** A way to a server, at a port of loopback. */
export interface Line {
  readonly port: number;
  /** Where it leads: a port of loopback. */
  lead(port: number): void;
}

export interface ServerOptions {
  /** Reachable by its address over HTTPS (`--lan`); default: loopback, plain. */
  readonly lan?: boolean;
  /** In production mode over HTTPS: on loopback, or with this certificate where `env` says. */
  readonly production?: boolean | AddressCertificate | SignedCertificate;
  readonly mediaWorkers?: number;
  /** Words before the program: what it is to run under. The program must stay the child that is started. */
  readonly under?: readonly string[];
  /** A module that is loaded before the program. */
  readonly preload?: string;
  /** The line that clients reach it by, where the test cuts or changes what goes over it. */
  readonly through?: Line;
  /** Any further settings, `CLOISTER_…`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running platform. */
export interface Server {
  readonly url: string;
  readonly credentials: Credentials;
  readonly dataDir: string;
  readonly pid: number;
  /** All that it wrote so far. */
  logs(): string;
  /** Process ids of its media workers now, the oldest first: the spare one, which carries no session, is the last. */
  mediaWorkers(): number[];
  /** Process ids of its recorders now, without what shuts them in. */
  recorders(): number[];
  /** Asks it to stop and waits until it has; its database goes too. @throws when it does not end with 0 */
  stop(): Promise<void>;
  /** Ends it as Ctrl-C in a terminal does: the signal goes to its workers too. @throws when it does not end with 0 */
  interrupt(): Promise<void>;
  /** Ends it as a crash does (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again on the same data, at the same port. @param env settings that are other ones from then on */
  restart(env?: Readonly<Record<string, string>>): Promise<Server>;
}

interface Place {
  readonly command: readonly [string, ...string[]];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly database: TestDatabase;
  /** Of production: the certificate that clients must trust, and after the first start the credentials. */
  readonly certificate?: string;
  readonly credentials?: Credentials;
}

/** Starts a platform of its own and waits until calls can be made. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const folder = tempFolder('server');
  const dataDir = await newDataFolder();
  atEnd(() => rmSync(dataDir, { recursive: true, force: true }));
  const mediaPort = await freePorts(MEDIA_PORTS);
  const database = await testDatabase();
  const port = options.through ? await freePorts(1) : 0;
  options.through?.lead(port);
  const production = options.production ? productionFiles(folder, options.production) : null;
  return launch({
    command: commandOf(options),
    dataDir,
    database,
    ...(production && { certificate: production.certificate }),
    args: options.lan ? ['--lan'] : [],
    env: {
      CLOISTER_PORT: String(port),
      CLOISTER_DATA_DIR: dataDir,
      CLOISTER_ROOT_KEY_FILE: path.join(folder, 'root.key'),
      CLOISTER_MEDIA_PORTS: `${mediaPort}-${mediaPort + MEDIA_PORTS - 1}`,
      CLOISTER_MEDIA_WORKERS: String(options.mediaWorkers ?? 2),
      // Its port is one for the whole machine; tests that want it say which.
      CLOISTER_TURN: 'off',
      ...(options.through ? { CLOISTER_PUBLIC_URL: `http://127.0.0.1:${options.through.port}` } : {}),
      ...(database.url ? { CLOISTER_DATABASE_URL: database.url } : {}),
      ...production?.env,
      ...options.env,
    },
  });
}

function commandOf({ under = [], preload }: ServerOptions): [string, ...string[]] {
  const program = [process.execPath, ...(preload ? [`--import=${preload}`] : []), ...PROGRAM];
  return [...under, ...program] as [string, ...string[]];
}

/** What an operator has before the first start in production: a root key and a certificate. */
function productionFiles(folder: string, wanted: NonNullable<ServerOptions['production']>) {
  writeFileSync(path.join(folder, 'root.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  const files: AddressCertificate & Partial<SignedCertificate> =
    typeof wanted === 'object' ? wanted : certificateFor('127.0.0.1');
  const { key, certificate, authority } = files;
  return {
    certificate: readFileSync(authority ?? certificate, 'utf8'),
    env: { CLOISTER_MODE: 'production', CLOISTER_TLS_CERT: certificate, CLOISTER_TLS_KEY: key },
  };
}

async function launch(place: Place): Promise<Server> {
  const [program, ...words] = place.command;
  const child = spawn(program, [...words, ...place.args], {
    cwd: root,
    env: { ...process.env, ...place.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // With its workers it is a group of its own, as a shell would have it.
    detached: true,
  });
  ownChild(child);
  const lines = new Feed<string>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const logs = () => lines.items.join('\n');
  const exited = once(child, 'exit');
  try {
    const credentials = await within(
      START_MS,
      'the server to start',
      Promise.race([ready(place, lines), died(exited)]),
    );
    return running(place, child, exited, credentials, logs);
  } catch (error) {
    child.kill('SIGKILL');
    await place.database.stop();
    throw new Error(`the server did not start: ${(error as Error).message}\n${logs()}`, { cause: error });
  }
}

async function died(exited: Promise<unknown[]>): Promise<never> {
  const [code, signal] = await exited;
  throw new Error(`it ended with ${code ?? signal}`);
}

/** Waits until calls can be made. */
async function ready(place: Place, lines: Feed<string>): Promise<Credentials> {
  const line = await lines.next('the ready line', (text) => text.startsWith('Cloister is ready at'), { ms: START_MS });
  const credentials = place.certificate
    ? (place.credentials ?? (await firstCredentials(place, line)))
    : JSON.parse(readFileSync(path.join(place.dataDir, 'dev-credentials.json'), 'utf8'));
  if (place.certificate) trust(place.certificate);
  if (place.args.includes('--lan')) trust(readFileSync(path.join(place.dataDir, 'lan/ca.pem'), 'utf8'));
  const health = await fetch(`${credentials.url}/health`);
  if (health.status !== 200) throw new Error(`GET /health answered ${health.status}`);
  return credentials;
}

/** The first account and project, as an operator makes them. */
async function firstCredentials(place: Place, readyLine: string): Promise<Credentials> {
  const url = /https:\/\/\S+/.exec(readyLine)?.[0] ?? '';
  return { url, ...(await command<Omit<Credentials, 'url'>>(place, 'project', 'create', '--name', 'First')) };
}

function running(
  place: Place,
  child: ChildProcess,
  exited: Promise<unknown[]>,
  credentials: Credentials,
  logs: () => string,
): Server {
  return {
    url: credentials.url,
    credentials,
    dataDir: place.dataDir,
    pid: child.pid as number,
    logs,
    mediaWorkers: () => workersOf(child),
    recorders: () => recordersOf(child),
    stop: () => end(child, 'SIGTERM', exited, logs).finally(() => place.database.stop()),
    interrupt: () => end(child, 'SIGINT', exited, logs),
    kill: () => end(child, 'SIGKILL', exited, logs),
    restart: (env = {}) =>
      launch({ ...place, credentials, env: { ...place.env, CLOISTER_PORT: portOf(place, credentials), ...env } }),
  };
}

/** The port that it listens on; the address that clients use may lead elsewhere. */
function portOf({ env }: Place, { url }: Credentials): string {
  return env.CLOISTER_PORT && env.CLOISTER_PORT !== '0' ? env.CLOISTER_PORT : new URL(url).port;
}

/** Makes this process's own requests accept what that authority signed. */
function trust(caPem: string): void {
  setDefaultCACertificates([...getCACertificates('default'), caPem]);
}

async function end(child: ChildProcess, how: NodeJS.Signals, exited: Promise<unknown[]>, logs: () => string) {
  const running = child.exitCode === null && child.signalCode === null;
  if (running && how === 'SIGINT') process.kill(-(child.pid as number), how);
  else if (running) child.kill(how);
  await within(STOP_MS, `the server to end after ${how}`, exited);
  if (how !== 'SIGKILL' && child.exitCode !== 0) {
    throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${logs()}`);
  }
}

/** Processes that the server, or a sandbox that it started, runs the recorder in. */
function recordersOf(server: ChildProcess): number[] {
  const parents = new Map<number, number>();
  const recorders: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const [, parent] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8')) ?? [];
      parents.set(Number(name), Number(parent));
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const runs = words[0]?.endsWith('/node') && words.some((word) => word.endsWith('/recorder-process.ts'));
      if (runs) recorders.push(Number(name));
    } catch {
      // It has just ended.
    }
  }
  const isOfServer = (pid: number | undefined): boolean =>
    pid === server.pid || (pid !== undefined && pid > 1 && isOfServer(parents.get(pid)));
  return recorders.filter((pid) => isOfServer(pid));
}

/**
 * Children of the server that are media workers, the oldest first; from /proc, as the server would not tell a stranger.
 * Their ids say nothing about their age, as the kernel begins again with low ones when it has given the highest.
 */
function workersOf(server: ChildProcess): number[] {
  const workers = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const isWorker = /^Name:\tmediasoup/m.test(status) && status.includes(`\nPPid:\t${server.pid}\n`);
      if (!isWorker || /^State:\tZ/m.test(status)) return [];
      return [{ pid: Number(name), started: startOf(name) }];
    } catch {
      return [];
    }
  });
  return workers.sort((a, b) => a.started - b.started).map(({ pid }) => pid);
}

/** When a process was started, in ticks since the machine was; the 22nd field of proc_pid_stat(5), the name may have blanks. */
function startOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}
