/** Free ports on loopback. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range that systems hand out by themselves. */
const FIRST = 20_000;
const LAST = 29_000;

/** What this process was given: a server binds the ports of its range only when it needs them. */
const given = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  const tcp = createServer();
  const udp = createSocket('udp4');
  try {
    await Promise.all([
      once(tcp.listen(port, '127.0.0.1'), 'listening'),
      once(udp.bind(port, '127.0.0.1'), 'listening'),
    ]);
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((resolve) => (tcp.listening ? tcp.close(resolve) : resolve(undefined)));
    await new Promise<void>((resolve) => {
      try {
        udp.close(resolve);
      } catch {
        resolve();
      }
    });
  }
}

/** The first of `count` ports in a row that are free for UDP and TCP. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const first = FIRST + Math.floor((Math.random() * (LAST - FIRST)) / count) * count;
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => given.has(port)) || !(await Promise.all(ports.map(isFree))).every(Boolean)) continue;
    for (const port of ports) given.add(port);
    return first;
  }
  throw new Error(`no ${count} ports in a row are free between ${FIRST} and ${LAST}`);
}
