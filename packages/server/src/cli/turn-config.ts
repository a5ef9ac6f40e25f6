/** `cloister turn config`: the configuration of a coturn on another machine, as text. It asks no server. */
import { isIP } from 'node:net';
import type { Config } from '../config.ts';
import { isWildcard } from '../lib/index.ts';
import { coturnConfig } from '../media/index.ts';
import { badRequest } from './bad-request.ts';

/** The words of the command. */
export interface TurnConfigWords {
  /** Addresses of that machine. */
  readonly listen: readonly string[];
  /** Under which clients reach it, where that differs: one for each family at most. */
  readonly address: readonly string[];
  /** Of other TURN servers of this platform, which its relays may reach. */
  readonly relay: readonly string[];
  /** Paths on that machine; both or none. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Where it may write, on that machine. */
  readonly folder: string;
}

/**
 * The text, with the secret in it. Ports, the blocks of clients and the addresses of media are those of the settings.
 * @throws PlatformError `BadRequest` for words that cannot be followed
 */
export function turnConfigCommand(words: TurnConfigWords, config: Config): string {
  const { listen, address, relay, cert, key, folder } = words;
  if (!config.turnSecret)
    badRequest('set turnUrls and turnSecretFile first: they say which TURN server it is, and its secret');
  if (listen.length === 0) badRequest('--listen ADDRESS is needed: an address of the machine that it runs on');
  for (const [option, given] of Object.entries({ listen, address, relay })) {
    const wrong = given.find((each) => isIP(each) === 0 || isWildcard(each));
    if (wrong !== undefined) badRequest(`--${option} ${wrong} is no literal address; coturn must know which it is`);
  }
  if ((cert === undefined) !== (key === undefined)) badRequest('--cert and --key go together');
  return coturnConfig({
    listen,
    announced: address,
    media: [...config.mediaAddress, ...relay],
    clients: config.turnClients,
    port: config.turnPort,
    tls: cert !== undefined && key !== undefined ? { port: config.turnTlsPort, cert, key } : null,
    relayPorts: config.turnRelayPorts,
    loopback: false,
    secret: config.turnSecret,
    folder,
  });
}
