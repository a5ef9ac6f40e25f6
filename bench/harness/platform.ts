/** The platform under the bench: the server of the tests' rig, with a probe inside. */
import { request } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tempFolder } from '../../tests/rig/cleanup.ts';
import { Customer } from '../../tests/rig/sdk.ts';
import { type Server, type ServerOptions, startServer } from '../../tests/rig/server.ts';
import { say } from './figure.ts';
import { cpuMicroseconds, residentKb } from './processes.ts';

const QUIET_MS = 1000;
const QUIET_SHARE = 0.05;
const QUIET_WITHIN_MS = 60_000;

export interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** CPU time since the start, in microseconds. */
export interface Cpu {
  readonly node: number;
  readonly workers: number;
}

export class Platform {
  readonly server: Server;
  readonly customer: Customer;
  readonly #probe: string;

  private constructor(server: Server, probe: string) {
    this.server = server;
    this.customer = new Customer(server.credentials);
    this.#probe = probe;
  }

  static async start(options: ServerOptions = {}): Promise<Platform> {
    const probe = path.join(tempFolder('probe'), 'socket');
    const preload = path.join(import.meta.dirname, 'probe.ts');
    const env = { ...options.env, NODE_OPTIONS: `--import=${preload}`, BENCH_PROBE: probe };
    return new Platform(await startServer({ mediaWorkers: 1, ...options, env }), probe);
  }

  get port(): number {
    return Number(new URL(this.server.url).port);
  }

  /** The delay of the server's event loop since this was last asked, in milliseconds. */
  delay(): Promise<Delay> {
    return this.#ask('/delay') as Promise<Delay>;
  }

  /** Collects the server's garbage; → heap in use and resident memory, the media workers' included, in kilobytes. */
  async memory(): Promise<{ heapKb: number; nodeKb: number; workersKb: number }> {
    const { heapUsed, external } = (await this.#ask('/memory')) as NodeJS.MemoryUsage;
    const workersKb = this.server.mediaWorkers().reduce((sum, pid) => sum + residentKb(pid), 0);
    return { heapKb: (heapUsed + external) / 1024, nodeKb: residentKb(this.server.pid), workersKb };
  }

  /**
   * Waits until the server has nothing left to do. It compiles the embedded database to faster code while it is first
   * used, for seconds and with hundreds of megabytes.
   */
  async quiet(): Promise<void> {
    const until = performance.now() + QUIET_WITHIN_MS;
    for (;;) {
      const before = this.cpu();
      await delay(QUIET_MS);
      const { node, workers } = this.cpu();
      if (node + workers - before.node - before.workers < QUIET_MS * 1000 * QUIET_SHARE) return;
      if (performance.now() > until) return say(`the server is still busy after ${QUIET_WITHIN_MS} ms; going on`);
    }
  }

  cpu(): Cpu {
    const workers = this.server.mediaWorkers().reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);
    return { node: cpuMicroseconds(this.server.pid), workers };
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  #ask(what: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asking = request({ socketPath: this.#probe, path: what }, async (response) => {
        let text = '';
        for await (const part of response) text += part;
        resolve(JSON.parse(text));
      });
      asking.on('error', reject).end();
    });
  }
}
