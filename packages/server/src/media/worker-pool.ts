/**
 * The media workers: one process a core, each with one server port for UDP and TCP that all its clients share. A worker
 * that dies or hangs is replaced on the same port, by a spare process that is kept warm for it.
 */
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { limits } from '@cloister/protocol';
import type { TransportListenInfo, WebRtcServer, Worker } from 'mediasoup/types';
import type { Journal } from '../core/index.ts';
import { type Cancel, type Clock, ofFamily } from '../lib/index.ts';
import { WorkerLoad } from './capacity.ts';
import { startWorker } from './channel.ts';
import { SuiteWatch, watchChannel } from './suite-watch.ts';
import { cpuStanding, startWatchdog } from './watchdog.ts';

export interface PoolOptions {
  readonly workerBin: string;
  readonly workers: number;
  readonly address: { readonly listen: readonly string[]; readonly announced?: readonly string[] };
  /** The first ports are the workers', one each; the rest is for pipes. */
  readonly ports: { readonly min: number; readonly max: number };
  readonly journal: Journal;
  readonly clock: Clock;
  /** A worker is gone, with everything on it. Called synchronously, before it is replaced. */
  onLost(worker: MediaWorker, why: string): void;
}

/** A worker that runs, or ran: it is never taken up again, its place is. */
export interface MediaWorker {
  readonly port: number;
  readonly worker: Worker;
  readonly server: WebRtcServer;
  readonly watch: SuiteWatch;
  readonly load: WorkerLoad;
  readonly alive: boolean;
}

interface Process {
  readonly worker: Worker;
  readonly watch: SuiteWatch;
  /** OpenSSL inside the worker, as it says when it starts. */
  readonly openssl: string;
}

// A worker that was asked to end and has not is killed.
const endMs = 1000;
// With the spare process a replacement takes some 20 ms; clients that wait longer for it had better go elsewhere.
const replaceMsMax = 400;
const bindRetryMs = 50;
const bindRetryMsMax = 2000;

/** Where a worker's server listens: UDP and TCP on each address, with what is announced in place of its family. */
export function listenInfos({ listen, announced = [] }: PoolOptions['address'], port: number): TransportListenInfo[] {
  return listen.flatMap((ip) => {
    const told = announced.includes(ip) ? undefined : ofFamily(ip, listen, announced);
    return (['udp', 'tcp'] as const).map((protocol) => ({
      protocol,
      ip,
      port,
      ...(told === undefined ? {} : { announcedAddress: told }),
      ...(isIPv6(ip) ? { flags: { ipv6Only: true } } : {}),
    }));
  });
}

export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #places: (RunningWorker | null)[];
  /** What the worker of each place was measured to carry before it was lost. */
  readonly #measured: number[] = [];
  #spare: Promise<Process | null> = Promise.resolve(null);
  #closed = false;
  readonly #waiting = new Set<() => void>();
  #openssl = 'unknown';

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#places = new Array(options.workers).fill(null);
  }

  /** The OpenSSL that the workers say they have. */
  get openssl(): string {
    return this.#openssl;
  }

  /** Ports that pipes may use. */
  get pipePorts(): { min: number; max: number } {
    return { min: this.#options.ports.min + this.#options.workers, max: this.#options.ports.max };
  }

  /** The workers that run now. */
  get running(): readonly MediaWorker[] {
    return this.#places.filter((worker) => worker !== null);
  }

  /**
   * Starts all workers and the spare one.
   * @throws Error when the program cannot be started or a port cannot be had.
   */
  async start(): Promise<void> {
    try {
      const processes = await Promise.all(this.#places.map(() => this.#spawn()));
      this.#openssl = processes[0]?.openssl ?? this.#openssl;
      await Promise.all(processes.map((process, place) => this.#occupy(place, process)));
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#warm();
  }

  /** Resolves when at least one worker runs. */
  async ready(): Promise<void> {
    while (this.running.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves when every place has its worker, and after `replaceMsMax` at the latest. */
  async whole(): Promise<void> {
    let late = false;
    const cancel = this.#options.clock.after(replaceMsMax, () => {
      late = true;
      this.#wake();
    });
    while (!late && !this.#closed && this.#places.includes(null)) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    cancel();
  }

  /** Ends all workers; resolves when their processes are gone and their ports free. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ends = this.#places.map((worker) => worker && endProcess(worker.worker, () => worker.stop()));
    this.#places.fill(null);
    this.#wake();
    const spare = await this.#spare;
    if (spare) ends.push(endProcess(spare.worker, () => spare.worker.close()));
    await Promise.all(ends);
  }

  async #spawn(): Promise<Process> {
    const { workerBin, journal, clock } = this.#options;
    const watch = new SuiteWatch(clock);
    const tap = watchChannel(watch, (level, line) => journal.record(level, 'The media worker complains', { line }));
    let openssl = 'unknown';
    // `info` is on for the start alone, since the worker names its OpenSSL under it.
    const worker = await startWorker(
      { workerBin, logLevel: 'debug', logTags: ['dtls', 'info'] },
      {
        ...tap,
        log(level, line) {
          openssl = /openssl version: "([^"]+)"/.exec(line)?.[1] ?? openssl;
          tap.log(level, line);
        },
      },
    );
    // mediasoup would close its workers on Ctrl-C by itself, before the sessions on them have ended in order.
    const { onSignal } = worker as unknown as { onSignal: NodeJS.SignalsListener };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, onSignal);
    if (this.#closed) {
      worker.close();
      throw new Error('the pool of media workers is closed');
    }
    await worker.updateSettings({ logLevel: 'debug', logTags: ['dtls'] });
    return { worker, watch, openssl };
  }

  /** Puts a process in a place. A port that is not free at once belongs to the one that died and is tried again. */
  async #occupy(place: number, { worker, watch }: Process, retry = false): Promise<void> {
    const { address, ports, clock, journal } = this.#options;
    const port = ports.min + place;
    for (let waitMs = bindRetryMs; ; waitMs = Math.min(waitMs * 2, bindRetryMsMax)) {
      try {
        const server = await worker.createWebRtcServer({ listenInfos: listenInfos(address, port) });
        if (this.#closed) return worker.close();
        const load = new WorkerLoad(this.#measured[place]);
        const running = new RunningWorker({ port, worker, watch, server, load, clock });
        running.onGone = (why, silentMs) => this.#lose(place, running, why, silentMs);
        this.#places[place] = running;
        running.start();
        this.#wake();
        return;
      } catch (error) {
        if (!retry || this.#closed || worker.closed) {
          worker.close();
          throw error;
        }
        journal.record('warn', 'The port of a media worker is not free yet', { port, delayMs: waitMs });
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  #lose(place: number, running: RunningWorker, why: string, silentMs: number | null): void {
    if (this.#places[place] !== running) return;
    const { journal, onLost } = this.#options;
    this.#places[place] = null;
    this.#measured[place] = running.load.limit;
    const { worker, port } = running;
    journal.record('error', 'A media worker was lost', { worker: worker.pid, port, why, durationMs: silentMs });
    const exited = worker.subprocessClosed ? Promise.resolve() : once(worker, 'subprocessclose');
    running.kill();
    if (this.#closed) return;
    onLost(running, why);
    void exited.then(() => this.#replace(place));
  }

  async #replace(place: number): Promise<void> {
    const { journal, clock, ports } = this.#options;
    const port = ports.min + place;
    for (let waitMs = bindRetryMs; !this.#closed; waitMs = Math.min(waitMs * 2, bindRetryMsMax)) {
      const spare = await this.#spare;
      this.#spare = Promise.resolve(null);
      try {
        await this.#occupy(place, spare && !spare.worker.closed ? spare : await this.#spawn(), true);
        if (this.#closed) return;
        journal.record('info', 'A media worker is back', { worker: this.#places[place]?.worker.pid ?? null, port });
        this.#warm();
        return;
      } catch (error) {
        if (this.#closed) return;
        journal.record('error', 'A media worker could not be replaced', {
          port,
          error: String(error),
          delayMs: waitMs,
        });
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  /** Starts the spare process; where that fails, the next replacement starts its own. */
  #warm(): void {
    if (this.#closed) return;
    this.#spare = this.#spawn().catch(() => null);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A worker in its place, watched. */
class RunningWorker implements MediaWorker {
  readonly port: number;
  readonly worker: Worker;
  readonly server: WebRtcServer;
  readonly watch: SuiteWatch;
  readonly load: WorkerLoad;
  alive = true;
  onGone: (why: string, silentMs: number | null) => void = () => undefined;
  readonly #clock: Clock;
  #stopWatchdog: Cancel = () => undefined;

  constructor(parts: Pick<MediaWorker, 'port' | 'worker' | 'server' | 'watch' | 'load'> & { clock: Clock }) {
    this.port = parts.port;
    this.worker = parts.worker;
    this.server = parts.server;
    this.watch = parts.watch;
    this.load = parts.load;
    this.#clock = parts.clock;
  }

  start(): void {
    this.worker.once('died', () => this.#gone('the media worker died', null));
    this.#stopWatchdog = startWatchdog(this.#clock, {
      ask: () => this.worker.getResourceUsage(),
      standing: () => cpuStanding(this.worker.pid),
      onAnswer: (usage, answerMs) =>
        this.load.sample({ atMs: this.#clock.now(), cpuMs: usage.ru_utime + usage.ru_stime, answerMs }),
      onHung: (silentMs) => this.#gone(`the media worker did not answer for ${limits.workerAnswerSeconds} s`, silentMs),
    });
  }

  #gone(why: string, silentMs: number | null): void {
    if (!this.alive) return;
    this.alive = false;
    this.#stopWatchdog();
    this.onGone(why, silentMs);
  }

  /** Ends it in order. */
  stop(): void {
    this.alive = false;
    this.#stopWatchdog();
    this.worker.close();
  }

  /** Ends it whatever state it is in; closing a worker only asks it to end, which a hung one does not hear. */
  kill(): void {
    this.stop();
    killProcess(this.worker);
  }
}

function killProcess({ pid, subprocessClosed }: Worker): void {
  if (subprocessClosed) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}

/** Asks a worker to end and sees to it that it does. */
async function endProcess(worker: Worker, ask: () => void): Promise<void> {
  if (worker.subprocessClosed) return;
  const ended = once(worker, 'subprocessclose');
  ask();
  const timer = setTimeout(() => killProcess(worker), endMs);
  await ended;
  clearTimeout(timer);
}
