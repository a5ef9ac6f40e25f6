/**
 * Prefixes of address lists: read in their one canonical form (RFC 5952 for IPv6), public, and not larger than a firewall
 * should be opened for; and whether one holds an address.
 */
import { limits, PlatformError } from '@cloister/protocol';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A prefix as it was read. */
export interface ListedPrefix {
  /** Canonical, such as `198.51.100.0/24`. */
  readonly text: string;
  readonly network: Address;
  readonly bits: number;
}

function written(address: Address): string {
  return address.kind() === 'ipv4' ? address.toString() : (address as ipaddr.IPv6).toRFC5952String();
}

function malformed(prefix: string): PlatformError {
  // What is not an address may be anything, also very long.
  return new PlatformError('AddressPrefixMalformed', { prefix: JSON.stringify(prefix.slice(0, 60)) });
}

/** The parts of a prefix, without a rule applied; null for what is none. */
function split(text: string): { readonly address: Address; readonly bits: number } | null {
  const match = /^([0-9a-fA-F.:]{2,45})\/(\d{1,3})$/.exec(text);
  if (!match) return null;
  const [, host = '', length = ''] = match;
  const four = ipaddr.IPv4.isValidFourPartDecimal(host);
  if (!four && (!host.includes(':') || !ipaddr.IPv6.isValid(host))) return null;
  const address = four ? ipaddr.IPv4.parse(host) : ipaddr.IPv6.parse(host);
  const bits = Number(length);
  return bits <= (four ? 32 : 128) ? { address, bits } : null;
}

function networkOf(address: Address, bits: number): Address {
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return address.kind() === 'ipv4' ? new ipaddr.IPv4(bytes) : new ipaddr.IPv6(bytes);
}

function holds(network: Address, bits: number, other: Address): boolean {
  return network.kind() === other.kind() && network.match(other as never, bits);
}

type Range = readonly [Address, number];

/** IANA's special-purpose ranges by kind, as the library knows them: documentation (RFC 5737, 3849) is among `reserved`. */
function specialRanges(of: object): readonly (readonly [kind: string, range: Range])[] {
  const { SpecialRanges } = of as { SpecialRanges: Readonly<Record<string, Range | readonly Range[]>> };
  return Object.entries(SpecialRanges).flatMap(([kind, found]) => {
    const ranges = (Array.isArray(found[0]) ? found : [found]) as readonly Range[];
    return ranges.map((range) => [kind, range] as const);
  });
}

const special = {
  ipv4: specialRanges(ipaddr.IPv4.prototype),
  ipv6: specialRanges(ipaddr.IPv6.prototype),
};

/** Whether two prefixes have an address in common. */
export function overlap(one: Pick<ListedPrefix, 'network' | 'bits'>, other: Pick<ListedPrefix, 'network' | 'bits'>) {
  return holds(one.network, one.bits, other.network) || holds(other.network, other.bits, one.network);
}

/** What of a prefix is not public; null where all of it is. */
function notPublic(network: Address, bits: number): string | null {
  const found = special[network.kind()].find(([, [base, length]]) =>
    overlap({ network, bits }, { network: base, bits: length }),
  );
  if (found) return found[0];
  // Of IPv6 nothing else has been given out (RFC 4291, 2.4; IANA's registry of global unicast).
  const global = network.kind() === 'ipv4' || holds(ipaddr.IPv6.parse('2000::'), 3, network);
  return global ? null : 'not given out';
}

/**
 * Reads a prefix for a list.
 * @param anyAddress whether addresses that are not public are taken too
 * @throws PlatformError `AddressPrefixMalformed`, `AddressPrefixMapped`, `AddressPrefixHostBits`, `AddressPrefixTooLarge`,
 *   `AddressPrefixNotPublic`
 */
export function readListedPrefix(text: string, { anyAddress }: { anyAddress: boolean }): ListedPrefix {
  const parts = split(text);
  if (!parts) throw malformed(text);
  const { address, bits } = parts;
  if (address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress()) {
    throw new PlatformError('AddressPrefixMapped', { prefix: text });
  }
  const network = networkOf(address, bits);
  const canonical = `${written(network)}/${bits}`;
  if (canonical !== text) throw new PlatformError('AddressPrefixHostBits', { prefix: text, canonical });
  const least = address.kind() === 'ipv4' ? limits.addressPrefixBitsV4 : limits.addressPrefixBitsV6;
  if (bits < least) throw new PlatformError('AddressPrefixTooLarge', { prefix: text, bits: least });
  const kind = anyAddress ? null : notPublic(network, bits);
  if (kind !== null) throw new PlatformError('AddressPrefixNotPublic', { prefix: text, kind });
  return { text: canonical, network, bits };
}

/** A prefix that was read before, out of a row. */
export function storedPrefix(text: string): ListedPrefix {
  const parts = split(text);
  if (!parts) throw malformed(text);
  return { text, network: parts.address, bits: parts.bits };
}

/** An address out of any text; null for what is none. IPv4 inside IPv6 is its IPv4 address, as sockets have it. */
export function readAddress(text: string): Address | null {
  if (!/^[0-9a-fA-F.:]{2,45}$/.test(text)) return null;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(':') || !ipaddr.IPv6.isValid(text)) return null;
  const six = ipaddr.IPv6.parse(text);
  return six.isIPv4MappedAddress() ? six.toIPv4Address() : six;
}

/** Whether an address lies in a prefix. */
export function within(address: Address, { network, bits }: Pick<ListedPrefix, 'network' | 'bits'>): boolean {
  return holds(network, bits, address);
}
