/**
 * Load on HTTP: connections that are kept open, each with one request under way at a time. Written for the bench since it
 * shares two cores with the server it loads: it looks at the status and the length of an answer and at nothing else.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { percentile } from './figure.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** The whole text of the next request. */
  next(): string;
}

export interface Load {
  readonly perSecond: number;
  /** Milliseconds from the request to the end of its answer. */
  readonly p50: number;
  readonly p99: number;
}

/** The first of the addresses that requests come from: a bucket of rates belongs to one, and a load to several. */
const FIRST_ADDRESS = 2;
const ADDRESSES = 32;

/** Address on loopback of the client number `index`. */
export function clientAddress(index: number): string {
  return `127.0.0.${FIRST_ADDRESS + (index % ADDRESSES)}`;
}

/** Loads the server for some seconds. @throws when an answer is not 200 */
export async function load(options: LoadOptions): Promise<Load> {
  const began = performance.now();
  const until = began + options.seconds * 1000;
  const all = Array.from({ length: options.connections }, (_, index) => drive(options, clientAddress(index), until));
  const times = (await Promise.all(all)).flat();
  const seconds = (performance.now() - began) / 1000;
  return { perSecond: times.length / seconds, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** One connection; → how long each of its requests took. */
function drive({ port, next }: LoadOptions, localAddress: string, until: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const times: number[] = [];
    const socket: Socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    let sentAt = 0;
    let got = '';
    const send = () => {
      sentAt = performance.now();
      if (sentAt >= until) {
        socket.destroy();
        return resolve(times);
      }
      socket.write(next());
    };
    socket.setEncoding('latin1');
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed a connection')));
    socket.on('data', (part: string) => {
      got += part;
      const end = got.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(got)?.[1] ?? 0);
      if (got.length < end + 4 + length) return;
      if (!got.startsWith('HTTP/1.1 200')) {
        socket.destroy();
        return reject(new Error(`instead of 200: ${got.slice(0, 500)}`));
      }
      times.push(performance.now() - sentAt);
      got = '';
      send();
    });
  });
}

/** A REST credential that nobody has shown before. */
export function freshCredential(apiKey: string, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: apiKey, ist: 'project', iat: now, exp: now + 180, jti: randomBytes(9).toString('base64url') };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
