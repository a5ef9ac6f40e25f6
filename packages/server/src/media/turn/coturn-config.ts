/**
 * The configuration of our coturn, as text (turnserver(1), 4.6 and later). It holds the shared secret, so it goes into a
 * file that only its owner reads and never onto a command line.
 */
import { isIP } from 'node:net';
import path from 'node:path';
import { limits } from '@cloister/protocol';
import type { PortRange, Prefix } from '../../lib/index.ts';
import { allowedPeers, deniedPeers } from './peers.ts';

export interface CoturnSettings {
  /** Literal addresses to listen on and to relay from, no wildcards. */
  readonly listen: readonly string[];
  /** Under which clients reach them, where that differs: one for each family at most. */
  readonly announced: readonly string[];
  /** Addresses of media nodes and of other TURN relays. */
  readonly media: readonly string[];
  /** The operator's blocks of clients, which peers may be in. */
  readonly clients: readonly Prefix[];
  /** UDP and TCP. */
  readonly port: number;
  /** null: no TLS. */
  readonly tls: { readonly port: number; readonly cert: string; readonly key: string } | null;
  /** One port for each allocation. */
  readonly relayPorts: PortRange;
  /** Whether peers may be on loopback; in development only. */
  readonly loopback: boolean;
  readonly secret: string;
  /** The folder in which it may write. */
  readonly folder: string;
}

/** The text, a setting a line. */
export function coturnConfig(settings: CoturnSettings): string {
  const { listen, port, relayPorts, secret, folder, loopback } = settings;
  const own = [...listen, ...settings.announced, ...settings.media].filter((each) => isIP(each) !== 0);
  const lines = [
    ...listen.map((address) => `listening-ip=${address}`),
    ...listen.map((address) => `relay-ip=${address}`),
    ...mappings(settings),
    `listening-port=${port}`,
    `min-port=${relayPorts.first}`,
    `max-port=${relayPorts.last}`,
    ...tlsLines(settings),
    'realm=cloister',
    'use-auth-secret',
    `static-auth-secret=${secret}`,
    'fingerprint',
    `stale-nonce=${limits.turnCredentialSeconds}`,
    `user-quota=${limits.turnAllocationsPerConnection}`,
    `total-quota=${relayPorts.last - relayPorts.first + 1}`,
    `max-bps=${limits.turnBytesPerSecond}`,
    'no-tcp-relay',
    'no-multicast-peers',
    ...(loopback ? ['allow-loopback-peers'] : []),
    ...deniedPeers().map((range) => `denied-peer-ip=${range}`),
    ...allowedPeers(own, settings.clients).map((range) => `allowed-peer-ip=${range}`),
    'no-cli',
    'no-rfc5780',
    'no-stun-backward-compatibility',
    'no-software-attribute',
    'log-file=stdout',
    'simple-log',
    `pidfile=${path.join(folder, 'turnserver.pid')}`,
    `userdb=${path.join(folder, 'turnserver.db')}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** `external-ip=PUBLIC/OWN`: behind a NAT the relay is known by another address than its own. */
function mappings({ listen, announced }: CoturnSettings): string[] {
  return announced.flatMap((outside) => {
    if (listen.includes(outside)) return [];
    const inside = listen.find((each) => isIP(each) === isIP(outside));
    return inside === undefined ? [] : [`external-ip=${outside}/${inside}`];
  });
}

function tlsLines({ tls }: CoturnSettings): string[] {
  // DTLS would be a third way over UDP, which no browser takes.
  if (!tls) return ['no-tls', 'no-dtls'];
  const files = [`cert=${path.resolve(tls.cert)}`, `pkey=${path.resolve(tls.key)}`];
  return [`tls-listening-port=${tls.port}`, ...files, 'no-tlsv1', 'no-tlsv1_1', 'no-dtls'];
}
