/** STUN and TURN for clients: coturn beside the platform, one elsewhere, or none; and credentials for either. */
import { randomBytes } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import path from 'node:path';
import { type IceServer, limits, PlatformError, type PlaygroundTurn } from '@cloister/protocol';
import type { Journal } from '../../core/index.ts';
import { type Clock, isLoopback, isWildcard, localAddresses, type PortRange, type Prefix } from '../../lib/index.ts';
import { Coturn } from './coturn.ts';
import type { CoturnSettings } from './coturn-config.ts';
import { turnCredential } from './credential.ts';

export interface TurnOptions {
  /** `auto`: where it is installed. `require`: no start without it. */
  readonly mode: 'auto' | 'require' | 'off';
  /** The program `turnserver`; undefined where it is not installed. */
  readonly bin: string | undefined;
  /** The addresses that coturn is to listen on, wildcards too. */
  readonly listen: readonly string[];
  /** Addresses under which clients reach it. */
  readonly announced: readonly string[];
  /** What clients are told of media. */
  readonly media: readonly string[];
  readonly clients: readonly Prefix[];
  readonly port: number;
  readonly relayPorts: PortRange;
  /** `host`: the name in the certificate. */
  readonly tls: { readonly port: number; readonly cert: string; readonly key: string; readonly host: string } | null;
  /** Whether this is the development mode, the one in which peers may be on loopback. */
  readonly development: boolean;
  /** Milliseconds. */
  readonly credentialLife: number;
  /** A TURN server that the operator runs. */
  readonly elsewhere: { readonly urls: readonly string[]; readonly secret: string | null } | null;
  readonly dataDir: string;
  readonly journal: Journal;
  readonly clock: Clock;
}

export interface Turn {
  readonly state: PlaygroundTurn;
  /** Process id of our coturn. */
  readonly pid: number | null;
  /** When the servers of a connection are to be renewed, in milliseconds after they were made; null: never. */
  readonly renewMs: number | null;
  /** What one connection is told; its credentials are good for `credentialLife`. */
  iceServers(connectionId: string): IceServer[];
  close(): Promise<void>;
}

/**
 * Opens what the settings want, and waits until it answers.
 * @throws PlatformError `ConfigInvalid` where TURN is required and does not run.
 */
export async function openTurn(options: TurnOptions): Promise<Turn> {
  const { mode, bin, elsewhere, journal } = options;
  if (elsewhere) return remote(options, elsewhere);
  if (mode === 'off') return without('off');
  if (bin === undefined) {
    if (mode === 'require') throw new PlatformError('ConfigInvalid', { why: notInstalled });
    journal.record('warn', 'No TURN server: coturn is not installed; clients behind strict firewalls cannot connect');
    return without('missing');
  }
  const secret = randomBytes(32).toString('hex');
  const settings = coturnSettings(options, secret);
  const coturn = new Coturn({ bin, settings, journal, clock: options.clock });
  const failed = await coturn.start();
  if (failed !== null && mode === 'require') {
    await coturn.close();
    throw new PlatformError('ConfigInvalid', { why: `turn is require and the TURN server does not run: ${failed}` });
  }
  if (options.tls && isIP(options.tls.host) !== 0) {
    journal.record('warn', 'Firefox uses TURN over TLS by a host name only; set turnTlsHost to one');
  }
  const urls = urlsOf(options, settings);
  return {
    get state() {
      return coturn.running ? 'running' : 'failed';
    },
    get pid() {
      return coturn.pid;
    },
    renewMs: renewMsOf(options),
    iceServers: (connectionId) => serversOf(urls, secret, connectionId, options),
    close: () => coturn.close(),
  };
}

const notInstalled =
  'turn is require and coturn is not installed; install the Debian package coturn, or set turnServerBin';

function without(state: PlaygroundTurn): Turn {
  return { state, pid: null, renewMs: null, iceServers: () => [], close: async () => {} };
}

function remote(options: TurnOptions, { urls, secret }: { urls: readonly string[]; secret: string | null }): Turn {
  return {
    ...without('elsewhere'),
    renewMs: secret === null ? null : renewMsOf(options),
    iceServers: (connectionId) => serversOf(urls, secret, connectionId, options),
  };
}

/** At half of its life: a connection that is cut off for a while still has minutes left. */
function renewMsOf({ credentialLife }: TurnOptions): number {
  return Math.floor(credentialLife / 2);
}

function serversOf(
  urls: readonly string[],
  secret: string | null,
  connectionId: string,
  { clock, credentialLife }: TurnOptions,
): IceServer[] {
  const stun = urls.filter((url) => url.startsWith('stun'));
  const turn = urls.filter((url) => url.startsWith('turn'));
  const life = Math.min(credentialLife, limits.turnCredentialSeconds * 1000);
  return [
    ...(stun.length > 0 ? [{ urls: stun }] : []),
    ...(turn.length > 0 && secret !== null
      ? [{ urls: turn, ...turnCredential(secret, connectionId, clock.now() + life) }]
      : []),
  ];
}

function coturnSettings(options: TurnOptions, secret: string): CoturnSettings {
  const { announced, media, clients, port, relayPorts, dataDir, development } = options;
  const listen = options.listen.flatMap((address) =>
    isWildcard(address) ? localAddresses().filter((each) => isIP(each) === isIP(address)) : [address],
  );
  const tls = options.tls && { port: options.tls.port, cert: options.tls.cert, key: options.tls.key };
  const loopback = development && listen.every(isLoopback);
  const folder = path.join(dataDir, 'turn');
  return { listen, announced, media, clients, port, tls, relayPorts, loopback, secret, folder };
}

/** As OpenTok orders them: the fastest way first, TLS for those who get nothing else through. */
function urlsOf({ announced, port, tls }: TurnOptions, { listen }: CoturnSettings): string[] {
  const hosts = (announced.length > 0 ? announced : listen).map(bracketed);
  return [
    ...hosts.map((host) => `stun:${host}:${port}`),
    ...hosts.map((host) => `turn:${host}:${port}?transport=udp`),
    ...hosts.map((host) => `turn:${host}:${port}?transport=tcp`),
    ...(tls ? [`turns:${bracketed(tls.host)}:${tls.port}?transport=tcp`] : []),
  ];
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
