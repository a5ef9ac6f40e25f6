/** The HTTP server: plain or TLS, with the limits of the table, and where a request came from. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '@cloister/protocol';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { addressSet, clientAddress, networkOf, type RateLimiter } from './access/index.ts';
import type { Config } from './config.ts';
import type { NetworkClass } from './core/index.ts';
import { signallingPath } from './signalling/index.ts';

/** TLS material in PEM. */
export interface Tls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** Certificate and key of the settings, or null where TLS ends elsewhere or there is none. */
export function tlsOf(config: Config): Tls | null {
  if (!config.tlsCert || !config.tlsKey) return null;
  return { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) };
}

/** How long a client may take, in milliseconds. */
export interface HttpWaits {
  readonly requestMs: number;
  readonly headMs: number;
  readonly silentMs: number;
}

const standardWaits: HttpWaits = {
  requestMs: limits.requestSeconds * 1000,
  headMs: limits.requestHeadSeconds * 1000,
  silentMs: limits.socketSilentSeconds * 1000,
};

/** Node looks for requests that take too long this many times in the shortest wait, so that none takes much longer. */
const looksInWait = 5;

/** @param waits for tests: other limits than those of the table. */
export function createHttpServer(tls: Tls | null, waits: HttpWaits = standardWaits): FastifyInstance {
  const { requestMs, headMs, silentMs } = waits;
  const http = {
    requestTimeout: requestMs,
    headersTimeout: headMs,
    connectionsCheckingInterval: Math.ceil(Math.min(requestMs, headMs) / looksInWait),
  };
  const options = {
    bodyLimit: limits.bodyBytes,
    requestTimeout: requestMs,
    connectionTimeout: silentMs,
    logger: false,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
  } as const;
  if (!tls) return fastify({ ...options, http });
  const https = { ...http, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: headMs } as const;
  const app = fastify({ ...options, https }) as unknown as FastifyInstance;
  endHandshakes(app);
  return app;
}

/** Drops those in their TLS handshake when the server closes: Node would wait for them, as long as they like. */
function endHandshakes(app: FastifyInstance): void {
  const shaking = new Map<string, Socket>();
  const nameOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    if (closing) return void socket.destroy();
    const name = nameOf(socket);
    shaking.set(name, socket);
    socket.once('close', () => shaking.get(name) === socket && shaking.delete(name));
  });
  app.server.on('secureConnection', (socket: Socket) => shaking.delete(nameOf(socket)));
  app.addHook('preClose', async () => {
    closing = true;
    for (const socket of shaking.values()) socket.destroy();
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route counts its requests in a scope of its own, and they are not counted by their address as well. */
    ownRate?: boolean;
  }
}

/**
 * Counts every request against its address before anything else is done for it: all routes, files and unknown paths.
 * To be called before routes are registered.
 */
export function limitAddresses(
  app: FastifyInstance,
  {
    limiter,
    clientAddress,
  }: { readonly limiter: RateLimiter; clientAddress(request: Pick<FastifyRequest, 'raw' | 'headers'>): string },
): void {
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config?.ownRate) return;
    limiter.require('address', clientAddress(request));
  });
}

/** Where requests come from: forwarded headers count only from trusted proxies. */
export function requestFacts(config: Config, tls: boolean) {
  const proxies = addressSet(config.trustedProxies);
  const origin = (request: IncomingMessage) => ({
    socketAddress: request.socket.remoteAddress,
    headers: request.headers,
  });
  const secure = (request: IncomingMessage): boolean => {
    const believed = proxies.has(request.socket.remoteAddress ?? '');
    return tls || config.tlsTerminated || (believed && request.headers['x-forwarded-proto'] === 'https');
  };
  const host = ({ headers }: IncomingMessage): string => headers.host ?? `${config.host}:${config.port}`;
  const addressOf = (request: IncomingMessage): string => clientAddress(origin(request), proxies);
  return {
    clientAddress: addressOf,
    /** From which class of network a client comes; what is neither of this machine nor private counts as public. */
    network: (request: IncomingMessage): NetworkClass => networkOf(addressOf(request)),
    /** The WebSocket address under which this client reaches us. */
    signallingUrl: (request: IncomingMessage): string =>
      `${secure(request) ? 'wss' : 'ws'}://${host(request)}${signallingPath}`,
    /** Our own address, as the settings have it or as this client reaches us; without a slash at the end. */
    baseUrl: (request: IncomingMessage): string =>
      config.publicUrl ?? `${secure(request) ? 'https' : 'http'}://${host(request)}`,
  };
}
