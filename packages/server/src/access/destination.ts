/**
 * Where the platform may send a request. The rules, in the order in which they are asked:
 *
 * - an absolute http or https URL without user name or password, of `urlChars` at most; no metadata service by name;
 * - every address of the name must be allowed, not just the first;
 * - the platform's own addresses and ports: never;
 * - metadata, unspecified, link-local and multicast addresses: never;
 * - loopback: in development only, and never through a tunnel or translator;
 * - a prefix and port that the operator lists: any other kind of address, http or https;
 * - otherwise public addresses alone, by https, at port 443 or a port from 1024 up that no other protocol is known for.
 *
 * The host is read by the WHATWG URL parser, the only reader there is: decimal, octal and hexadecimal IPv4, full-width
 * digits and punycode all become one spelling before anything is judged, and zone ids are refused by it.
 */
import { limits, PlatformError } from '@cloister/protocol';
import { localAddresses, type PortRange, type PrefixPort } from '../lib/index.ts';
import { type AddressSet, addressSet, canonicalAddress, classesOf, isMetadataName, reachedBy } from './cidr.ts';

/** Development allows loopback; production does not. */
export type EgressMode = 'development' | 'production';

/** A URL whose text was checked; its name is not resolved yet. */
export interface Destination {
  readonly url: URL;
  /** For messages: scheme, host and port. Never a path or query, which may hold a secret. */
  readonly label: string;
  readonly secure: boolean;
  /** Name or address, without brackets and final dots. */
  readonly host: string;
  /** Canonical address where the host is one. */
  readonly literal: string | null;
  readonly port: number;
}

/** Ports from 1024 up that the Fetch standard blocks, since what listens there may take an HTTP request for its own. */
const foreignPorts = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** A refusal of a destination. `why` is in constant words. */
export function refuse(destination: string, why: string): never {
  throw new PlatformError('DestinationRefused', { destination, why });
}

/**
 * Reads and checks the text of a URL.
 * @throws PlatformError `DestinationRefused`
 */
export function parseDestination(text: string): Destination {
  if (text.length > limits.urlChars) refuse('(too long)', `it is longer than ${limits.urlChars} characters`);
  const url = URL.parse(text);
  if (!url) refuse('(unreadable)', 'it is not an absolute URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse('(unreadable)', 'its scheme is not https');
  const label = url.origin;
  if (url.username !== '' || url.password !== '') refuse(label, 'it holds a user name or password');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.+$/, '');
  if (host === '') refuse(label, 'it names no host');
  if (host.includes('%')) refuse(label, 'it holds a zone id');
  if (isMetadataName(host)) refuse(label, 'it is a metadata service');
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  if (port === 0) refuse(label, 'port 0 is none');
  return { url, label, secure, host, literal: canonicalAddress(host) ?? null, port };
}

/** An address at which this platform itself listens, and its ports; without them, all of them. */
export interface OwnAddress {
  /** A wildcard stands for every address of the machine; a name other than `localhost` for every address there is. */
  readonly address: string;
  readonly ports?: PortRange;
}

/** What decides about an address. */
export interface Policy {
  readonly mode: EgressMode;
  readonly destinations: readonly PrefixPort[];
  readonly ownAddresses: () => readonly OwnAddress[];
}

/**
 * Checks one resolved address of a destination. Returns why it is refused, in constant words, or null.
 * @param own where this platform listens, where its names have been resolved already; otherwise the policy's answer
 */
export type AddressJudge = (
  address: string,
  destination: Pick<Destination, 'secure' | 'port'>,
  own?: readonly OwnAddress[],
) => string | null;

/** The rules above, for one policy. */
export function createAddressJudge(policy: Policy): AddressJudge {
  const listed = policy.destinations.map(({ prefix, port }) => ({ set: addressSet([prefix]), port }));
  const isListed = (address: string, port: number): boolean =>
    listed.some((each) => each.port === port && each.set.has(address));

  return (address, { secure, port }, own = policy.ownAddresses()) => {
    const kinds = classesOf(address);
    if (!kinds) return 'its name does not lead to an address';
    const worst = kinds[0];
    if (worst === 'metadata') return 'it is a metadata service';
    if (worst === 'unspecified' || worst === 'link-local' || worst === 'multicast') {
      return `it leads to ${worst === 'unspecified' ? 'an unspecified' : `a ${worst}`} address`;
    }
    if (isOwn(address, port, own)) return 'it is this platform itself';
    if (worst === 'loopback') {
      if (policy.mode !== 'development') return 'loopback is allowed in development mode only';
      return kinds.length === 1 ? null : 'it leads to loopback through a tunnel';
    }
    if (isListed(address, port)) return null;
    if (worst !== 'public') return `it leads to a ${worst} address`;
    if (!secure) return 'it is not https';
    return port === 443 || (port >= 1024 && !foreignPorts.has(port)) ? null : `port ${port} is not one for webhooks`;
  };
}

/**
 * Loopback is one machine, and a socket on a wildcard is reached at every address of it, so an own loopback address
 * stands for all of loopback and a wildcard for that and every local address.
 */
function isOwn(address: string, port: number, own: readonly OwnAddress[]): boolean {
  const targets = reachedBy(address);
  const loopback = classesOf(address)?.includes('loopback') === true;
  return own.some(({ address: text, ports }) => {
    if (ports && (port < ports.first || port > ports.last)) return false;
    const known = canonicalAddress(text === 'localhost' ? '127.0.0.1' : text);
    if (known === undefined) return true; // A name may lead anywhere: these ports are refused at every address.
    const kind = classesOf(known)?.[0];
    if (kind === 'loopback') return loopback;
    if (kind === 'unspecified') return loopback || targets.some((target) => localSet().has(target));
    return targets.includes(known);
  });
}

function localSet(): AddressSet {
  return addressSet(localAddresses().map((address) => ({ address, bits: address.includes(':') ? 128 : 32 })));
}
