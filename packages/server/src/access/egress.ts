/**
 * The one way out (invariant 10): whatever the platform sends to an address that a customer named goes through here.
 * A name is resolved once, every one of its addresses is checked, and the connection is made to those checked addresses
 * and to nothing that is looked up again; the certificate is verified against the name. No redirect is followed, no
 * proxy variable is read, and time and size of the answer are bounded.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectTcp, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { limits, PlatformError } from '@cloister/protocol';
import type { Clock } from '../lib/index.ts';
import { canonicalAddress } from './cidr.ts';
import {
  createAddressJudge,
  type Destination,
  type OwnAddress,
  type Policy,
  parseDestination,
  refuse,
} from './destination.ts';

/** Who is trusted and what is shown instead of what Node has by itself. PEM. */
export interface EgressTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface EgressRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** `host`, `connection`, `content-length` and `transfer-encoding` are the egress's own and are ignored here. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything: resolving, connecting, sending and the whole answer. */
  readonly timeoutMs: number;
  /** Bytes of the answer's body that are read; the rest is not waited for. */
  readonly answerBytes: number;
  /** Breaks it off: the request then fails as one that got no answer. */
  readonly signal?: AbortSignal;
  readonly tls?: EgressTls;
}

/** A connection for another protocol than HTTP, inside TLS. */
export interface EgressConnection {
  /** `tls://HOST:PORT`. */
  readonly url: string;
  /** For resolving, connecting and the handshake. */
  readonly timeoutMs: number;
  readonly tls?: EgressTls;
}

export interface EgressAnswer {
  readonly status: number;
  /** Names in lower case; repeated ones joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether the body was longer than `answerBytes`. */
  readonly truncated: boolean;
}

export interface Egress {
  /**
   * Sends one request. Any status is an answer, redirects included.
   * @throws PlatformError `DestinationRefused` when the rules do not allow it, and nothing was sent then;
   *   `DestinationFailed` when it could not be resolved, reached or read in time.
   */
  request(request: EgressRequest): Promise<EgressAnswer>;
  /** Resolves and checks a URL as `request` would, and connects to nothing. Throws the same errors. */
  check(url: string): Promise<void>;
  /** Opens a connection whose handshake is done and whose certificate was checked. Throws as `request` does. */
  connect(connection: EgressConnection): Promise<Duplex>;
}

/** Addresses of a name. Throws when there are none. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** Where to connect: addresses that were checked, to be tried in this order; nothing else may be looked up. */
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly secure: boolean;
  /** The name or address in the URL: what the certificate must be for. */
  readonly host: string;
  readonly tls?: EgressTls;
  /** It is not for HTTP. */
  readonly bare?: true;
}

export type Connector = (endpoint: Endpoint) => Duplex;

export interface EgressDeps extends Policy {
  readonly clock: Clock;
  /** The system's resolver unless given. */
  readonly resolver?: Resolver;
  /** Real sockets unless given. */
  readonly connect?: Connector;
  /** Certificates of authorities to trust instead of Node's own list, in PEM. */
  readonly ca?: readonly string[];
}

const systemResolver: Resolver = async (host) => {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** Makes the way out. `ownAddresses` is asked anew for each request, since a port may be known only after the start. */
export function createEgress(deps: EgressDeps): Egress {
  const judge = createAddressJudge(deps);
  const resolve = deps.resolver ?? systemResolver;
  const connect = deps.connect ?? socketConnector(deps.ca);

  async function endpointOf(destination: Destination): Promise<Endpoint> {
    const { label, literal, host, port, secure } = destination;
    const addresses = literal === null ? await resolved(resolve, destination) : [literal];
    if (addresses.length > limits.egressAddresses) refuse(label, 'its name has too many addresses');
    const own = await ownResolved(resolve, deps.ownAddresses(), port);
    for (const address of addresses) {
      const why = judge(address, destination, own);
      if (why !== null) refuse(label, why);
    }
    return { addresses, port, secure, host: literal ?? host };
  }

  return {
    async request(request) {
      const destination = parseDestination(request.url);
      const deadline = createDeadline(deps.clock, request.timeoutMs, destination.label, request.signal);
      try {
        const found = await Promise.race([endpointOf(destination), deadline.passed]);
        const endpoint = request.tls ? { ...found, tls: request.tls } : found;
        return await Promise.race([
          exchange(destination, endpoint, request, connect, deadline.signal),
          deadline.passed,
        ]);
      } finally {
        deadline.end();
      }
    },
    async connect({ url, timeoutMs, tls }) {
      const destination = parseDestination(url.replace(/^tls:/, 'https:'));
      const deadline = createDeadline(deps.clock, timeoutMs, destination.label);
      try {
        const found = await Promise.race([endpointOf(destination), deadline.passed]);
        const socket = connect({ ...found, bare: true, ...(tls && { tls }) });
        return await Promise.race([secured(socket, destination.label), deadline.passed]).catch((error: unknown) => {
          socket.destroy();
          throw error;
        });
      } finally {
        deadline.end();
      }
    },
    async check(url) {
      const destination = parseDestination(url);
      const deadline = createDeadline(deps.clock, limits.webhookTimeoutSeconds * 1000, destination.label);
      try {
        await Promise.race([endpointOf(destination), deadline.passed]);
      } finally {
        deadline.end();
      }
    },
  };
}

/** The socket, once its handshake is done. */
async function secured(socket: Duplex, label: string): Promise<Duplex> {
  // What happens to it later is told to whoever has it by then.
  socket.on('error', () => {});
  try {
    await once(socket, 'secureConnect');
    return socket;
  } catch (cause) {
    throw failed(label, reasonOf(cause), cause);
  }
}

async function resolved(resolve: Resolver, { host, label }: Destination): Promise<readonly string[]> {
  try {
    const addresses = await resolve(host);
    if (addresses.length > 0) return addresses;
  } catch (cause) {
    throw failed(label, 'its name could not be resolved', cause);
  }
  throw failed(label, 'its name has no address');
}

/**
 * Where this platform listens, with the names among it as the addresses that they lead to now. One that leads nowhere
 * stays a name, for which the judge refuses its ports at every address.
 */
async function ownResolved(
  resolve: Resolver,
  own: readonly OwnAddress[],
  port: number,
): Promise<readonly OwnAddress[]> {
  const all = own
    .filter(({ ports }) => !ports || (port >= ports.first && port <= ports.last))
    .map(async (each) => {
      if (each.address === 'localhost' || canonicalAddress(each.address) !== undefined) return [each];
      const addresses = await resolve(each.address).catch(() => []);
      return addresses.length === 0 ? [each] : addresses.map((address) => ({ ...each, address }));
    });
  return (await Promise.all(all)).flat();
}

interface Deadline {
  /** Rejects when the time is over. */
  readonly passed: Promise<never>;
  /** Aborts when the time is over or `end` is called. */
  readonly signal: AbortSignal;
  end(): void;
}

function createDeadline(clock: Clock, ms: number, label: string, given?: AbortSignal): Deadline {
  const abort = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined); // It may reject when nobody waits any more.
  const over = (why: string) => {
    reject(failed(label, why));
    abort.abort();
  };
  const cancel = clock.after(ms, () => over('it gave no complete answer in time'));
  const breakOff = () => over('it was broken off');
  if (given?.aborted) breakOff();
  given?.addEventListener('abort', breakOff, { once: true });
  return {
    passed: promise,
    signal: abort.signal,
    end() {
      cancel();
      given?.removeEventListener('abort', breakOff);
      abort.abort();
    },
  };
}

function failed(destination: string, why: string, cause?: unknown): PlatformError {
  return new PlatformError('DestinationFailed', { destination, why }, { cause });
}

/** One request and its answer over one connection of its own. */
function exchange(
  destination: Destination,
  endpoint: Endpoint,
  { method, headers, body, answerBytes }: EgressRequest,
  connect: Connector,
  signal: AbortSignal,
): Promise<EgressAnswer> {
  const { url, label } = destination;
  const { promise, resolve, reject } = Promise.withResolvers<EgressAnswer>();
  const fail = (cause: unknown): void => reject(failed(label, reasonOf(cause), cause));
  // With `createConnection` and no agent, Node pools nothing, resolves nothing and reads no proxy variable.
  const outgoing = httpRequest({
    method,
    path: `${url.pathname}${url.search}`,
    headers: headersOf(destination, headers, body),
    maxHeaderSize: limits.egressHeaderBytes,
    setDefaultHeaders: false,
    createConnection: () => connect(endpoint),
  });
  signal.addEventListener('abort', () => outgoing.destroy(), { once: true });
  outgoing.on('error', fail);
  outgoing.on('close', () => fail(undefined)); // Says nothing new after an answer; else the other end hung up.
  outgoing.on('response', (answer) => readAnswer(answer, answerBytes, resolve, fail));
  outgoing.end(body);
  return promise;
}

function headersOf(
  { url, host, port, secure, literal }: Destination,
  given: Readonly<Record<string, string>> | undefined,
  body: string | Uint8Array | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given ?? {})) headers[name.toLowerCase()] = value;
  delete headers['transfer-encoding'];
  const shown = literal?.includes(':') ? `[${literal}]` : host;
  headers.host = url.port === '' || port === (secure ? 443 : 80) ? shown : `${shown}:${port}`;
  headers.connection = 'close';
  headers['accept-encoding'] = 'identity';
  headers['content-length'] = String(body === undefined ? 0 : Buffer.byteLength(body));
  return headers;
}

function readAnswer(
  answer: IncomingMessage,
  answerBytes: number,
  resolve: (answer: EgressAnswer) => void,
  fail: (cause: unknown) => void,
): void {
  const parts: Buffer[] = [];
  let size = 0;
  const finish = (truncated: boolean): void => {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) headers[name] = [value ?? ''].flat().join(', ');
    resolve({ status: answer.statusCode ?? 0, headers, body: Buffer.concat(parts), truncated });
  };
  answer.on('data', (part: Buffer) => {
    const room = answerBytes - size;
    parts.push(part.length > room ? part.subarray(0, room) : part);
    size += part.length;
    if (size <= answerBytes) return;
    finish(true);
    answer.destroy();
  });
  answer.on('end', () => finish(false));
  answer.on('error', fail);
}

/** Sockets that reach the checked addresses only: where Node would look a name up, it is handed those. */
function socketConnector(ca: readonly string[] | undefined): Connector {
  return ({ addresses, port, secure, host, tls, bare }) => {
    const answers = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const checked: LookupFunction = (_name, options, callback) => {
      const [first] = answers;
      if (options.all) callback(null, answers);
      else callback(null, first?.address ?? '', first?.family);
    };
    // A literal address is connected to as it stands and has no server name (RFC 6066, 3).
    const target = { host, port, lookup: checked, autoSelectFamily: true };
    if (!secure) return connectTcp(target);
    const literal = addresses.length === 1 && addresses[0] === host;
    return connectTls({
      ...target,
      servername: literal ? '' : host,
      ca: tls?.ca ?? (ca ? [...ca] : undefined),
      cert: tls?.cert,
      key: tls?.key,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(bare ? {} : { ALPNProtocols: ['http/1.1'] }),
    });
  };
}

/** What went wrong, in constant words: the cause's own may hold addresses of an inner network. */
function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  if (code === 'ECONNREFUSED') return 'the connection was refused';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'the connection was cut';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'it could not be reached';
  if (code.startsWith('HPE_')) return 'its answer is not HTTP';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another name';
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (/CERT|SELF_SIGNED|UNABLE_TO|ISSUER/.test(code)) return 'its certificate is not trusted';
  if (/SSL|TLS/.test(code)) return 'TLS could not be set up';
  return 'the request broke off';
}

function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  return typeof code === 'string' ? code : '';
}
