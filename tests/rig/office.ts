/**
 * The network of a client somewhere else: a namespace of its own whose one line out loses packets and has a firewall on it.
 * Its addresses, and those of servers, are from the ranges for documentation (RFC 5737).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { type BrowserName, type BrowserOptions, launchBrowser, type TestBrowser } from './browser.ts';
import { command, ownChild } from './cleanup.ts';
import { openNamespace } from './namespace.ts';
import { freePorts } from './ports.ts';
import { layRoughLine, type RoughLine } from './rough-line.ts';

const LINE = { lossPercent: 5, delayMs: 10, jitterMs: 0, kbps: null, queueMs: 1000 } as const;
const PROGRAM = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' } as const;

/** Addresses of servers in this process's namespace. They stand on its loopback device and are routed to from outside. */
export function addServerAddresses(...addresses: readonly string[]): void {
  for (const address of addresses) command('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
}

/** From now on offices reach each other too, as on the Internet. */
export function letOfficesMeet(): void {
  command('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
}

export interface Office extends Pick<RoughLine, 'firewall'> {
  /** Of its clients, as others see it. */
  readonly address: string;
  /** Starts a browser in it. */
  launch(name: BrowserName, options?: BrowserOptions): Promise<TestBrowser>;
  /** Runs a command in it. @throws when it fails */
  run(program: string, ...words: string[]): void;
  /** A program that starts `executable` in it. */
  launcher(executable: string): string;
  close(): void;
}

/**
 * Opens one at the end of a line that loses 5 % each way and takes 10 ms.
 * @param place a number of its own in this test, from 0; offices reach the servers and, until they may meet, not each other
 * @param options `nat`: whether its clients have private addresses behind one that is seen; `hosts`: names that they know
 */
export async function openOffice(
  place: number,
  { nat = false, hosts = {} }: { readonly nat?: boolean; readonly hosts?: Readonly<Record<string, string>> } = {},
): Promise<Office> {
  const space = await openNamespace(hosts);
  const [near, address] = [`203.0.113.${place * 4 + 1}`, `203.0.113.${place * 4 + 2}`];
  const inside = nat ? { address: '192.168.7.2', gateway: '192.168.7.1' } : { address, gateway: near };
  const line = await layRoughLine(space, {
    ...LINE,
    seed: place + 1,
    near: { device: `office${place}`, address: near },
    far: { device: 'line', ...inside },
    shown: nat ? address : null,
    bits: 30,
    nearDefault: false,
  });
  // Each ends with its standard input.
  const bridges: ChildProcess[] = [];
  return {
    address,
    firewall: (lets) => line.firewall(lets),
    run: (program, ...words) => space.run(program, ...words),
    launcher: (executable) => space.launcher(executable),
    async launch(name, options = {}) {
      const executable = space.launcher(PROGRAM[name]);
      if (name === 'chromium') return launchBrowser(name, { ...options, executable });
      // It is driven through a port of its own loopback.
      const port = await freePorts(1);
      const bridge = spawn('python3', [path.join(import.meta.dirname, 'bridge.py'), String(space.pid), String(port)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      ownChild(bridge);
      bridges.push(bridge);
      await once(bridge.stdout, 'data');
      const args = [...(options.args ?? []), `--remote-debugging-port=${port}`];
      return launchBrowser(name, { ...options, executable, args });
    },
    close() {
      for (const bridge of bridges) bridge.stdin?.end();
      line.close();
      space.close();
    },
  };
}
