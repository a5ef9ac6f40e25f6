/** A way to the server that can be cut: a TCP proxy between a client and the platform. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { atEnd } from './cleanup.ts';

export class CuttableLine {
  readonly port: number;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #target: number | null = null;
  #whole = true;

  /** Listens on a free port of loopback; `lead` says where to. */
  static async open(): Promise<CuttableLine> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new CuttableLine(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.unref();
    server.on('connection', (near) => this.#join(near));
    atEnd(() => this.close());
  }

  /** Where the line leads: a port of loopback. */
  lead(port: number): void {
    this.#target = port;
  }

  /** Breaks every connection and takes no new one until `mend`. */
  cut(): void {
    this.#whole = false;
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  mend(): void {
    this.#whole = true;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket): void {
    near.on('error', () => near.destroy());
    if (!this.#whole || this.#target === null) return void near.resetAndDestroy();
    const far = connect(this.#target, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#open.add(one);
      one.on('error', () => one.destroy());
      one.on('close', () => {
        this.#open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
