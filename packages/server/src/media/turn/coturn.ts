/**
 * coturn as a process beside the platform: it ends with it, is started again when it dies, and writes nothing but what
 * its folder in the data folder takes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, isIPv6 } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { limits } from '@cloister/protocol';
import type { Journal } from '../../core/index.ts';
import { atMost, type Cancel, type Clock, replaceFile } from '../../lib/index.ts';
import { type CoturnSettings, coturnConfig } from './coturn-config.ts';
import { LineGate, readLine } from './coturn-line.ts';

export interface CoturnDeps {
  /** The program `turnserver`. */
  readonly bin: string;
  readonly settings: CoturnSettings;
  readonly journal: Journal;
  readonly clock: Clock;
}

/** How often a starting coturn is asked whether it answers. */
const askEveryMs = 50;
const ownerOnly = 0o700;

export class Coturn {
  readonly #deps: CoturnDeps;
  readonly #gate = new LineGate();
  #child: ChildProcess | null = null;
  #running = false;
  #closed = false;
  #waitMs = limits.turnRestartMs;
  #cancelRestart: Cancel = () => {};

  constructor(deps: CoturnDeps) {
    this.#deps = deps;
  }

  /** Whether it answered and has not died since. */
  get running(): boolean {
    return this.#running;
  }

  /** Process id, null while it does not run. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Starts it and waits until it answers. Where it does not, it is tried again until `close`.
   * @returns why it does not run, null when it does
   */
  async start(): Promise<string | null> {
    const { journal, clock } = this.#deps;
    const failed = await this.#launch().catch((error: unknown) => String(error));
    if (failed === null) {
      journal.record('info', 'The TURN server runs', { port: this.#deps.settings.port });
      return null;
    }
    if (this.#closed) return failed;
    journal.record('error', 'The TURN server does not run', { error: failed, delayMs: this.#waitMs });
    this.#cancelRestart = clock.after(this.#waitMs, () => void this.start());
    this.#waitMs = Math.min(this.#waitMs * 2, limits.turnRestartSecondsMax * 1000);
    return failed;
  }

  /** Ends it and waits until it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRestart();
    const child = this.#child;
    if (!child) return;
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await atMost(this.#deps.clock, limits.turnStopSeconds * 1000, ended);
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await ended;
    }
  }

  async #launch(): Promise<string | null> {
    const { bin, settings, clock } = this.#deps;
    const { folder, listen, port } = settings;
    // Two coturns of one user share a port without a word, and each gets some of the other's clients.
    for (const address of listen) {
      if (!(await isFree(address, port))) return taken(port);
    }
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: ownerOnly });
    const file = path.join(folder, 'turnserver.conf');
    await replaceFile(file, coturnConfig(settings));
    if (this.#closed) return 'the platform stops';
    // Should this process be killed, the kernel ends coturn too.
    const words = ['--pdeathsig', 'KILL', '--', bin, '-c', file];
    const child = spawn('setpriv', words, { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`setpriv (Debian package util-linux) did not start: ${error.message}`));
      child.once('close', (code, signal) => resolve(`it ended with ${code ?? signal}; its own lines say why`));
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#log(line));
    }
    let cancelLate: Cancel = () => {};
    const late = new Promise<string>((resolve) => {
      const giveUp = () => resolve(`no answer within ${limits.turnStartSeconds} s`);
      cancelLate = clock.after(limits.turnStartSeconds * 1000, giveUp);
    });
    const asking = ask(clock, listen[0] ?? '', port);
    const failed = await Promise.race([asking.answered, ended, late]);
    asking.stop();
    cancelLate();
    if (failed !== null) {
      child.kill('SIGKILL');
      await ended;
      this.#child = null;
      return failed;
    }
    this.#running = true;
    const since = clock.now();
    void ended.then((why) => this.#lost(why, clock.now() - since));
    return null;
  }

  #lost(why: string, ranMs: number): void {
    this.#child = null;
    this.#running = false;
    if (this.#closed) return;
    if (ranMs > limits.turnRestartSecondsMax * 1000) this.#waitMs = limits.turnRestartMs;
    const { journal, clock } = this.#deps;
    journal.record('error', 'The TURN server was lost', { error: why, durationMs: ranMs, delayMs: this.#waitMs });
    this.#cancelRestart = clock.after(this.#waitMs, () => void this.start());
    this.#waitMs = Math.min(this.#waitMs * 2, limits.turnRestartSecondsMax * 1000);
  }

  #log(text: string): void {
    const { journal, clock } = this.#deps;
    const read = readLine(text);
    if (!read) return;
    const { passes, left } = read.level === 'warn' ? this.#gate.take(clock.now()) : { passes: true, left: 0 };
    if (left > 0) journal.record('warn', 'Lines of the TURN server were left out', { count: left });
    if (passes) journal.record(read.level, 'The TURN server says', { line: read.line });
  }
}

function taken(port: number): string {
  return `port ${port} is taken; if by the service of the package: systemctl disable --now coturn; if not: set turnPort`;
}

/** Whether nobody listens at a port, neither UDP nor TCP. */
async function isFree(address: string, port: number): Promise<boolean> {
  const udp = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const tcp = createServer();
  try {
    await Promise.all([
      once(udp.bind({ address, port, exclusive: true }), 'listening'),
      once(tcp.listen({ host: address, port, exclusive: true }), 'listening'),
    ]);
    return true;
  } catch {
    return false;
  } finally {
    const closed = tcp.listening ? once(tcp, 'close') : null;
    tcp.close();
    udp.close();
    await closed;
  }
}

/** Sends STUN binding requests (RFC 8489) until one is answered, which resolves with null. */
function ask(clock: Clock, address: string, port: number): { answered: Promise<null>; stop(): void } {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const request = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]);
  let cancel: Cancel = () => {};
  const again = () => {
    // What cannot be delivered yet comes back as an error: nobody listens so far.
    socket.send(request, port, address, () => {});
    cancel = clock.after(askEveryMs, again);
  };
  socket.on('error', () => {});
  const answered = new Promise<null>((resolve) => {
    socket.once('message', () => resolve(null));
  });
  again();
  return {
    answered,
    stop() {
      cancel();
      socket.close();
    },
  };
}
