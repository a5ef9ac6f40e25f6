/**
 * Sets of addresses, and what kind of address one is. Every spelling of an address is one address here: IPv4-mapped
 * IPv6 is its IPv4 address, a zone id is dropped, and an IPv6 address that carries an IPv4 address inside (NAT64, 6to4,
 * Teredo, ISATAP, translation) is judged by both.
 */

import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Prefix } from '../lib/index.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [Address, number];

/** Kinds of address, the most dangerous to reach first. */
export const addressClasses = [
  'metadata',
  'unspecified',
  'loopback',
  'link-local',
  'multicast',
  'private',
  'reserved',
  'public',
] as const;
export type AddressClass = (typeof addressClasses)[number];

function range(text: string): Range {
  return ipaddr.parseCIDR(text);
}

/**
 * Addresses at which clouds hand credentials to whoever asks: AWS (instance, container, pod), Google, Azure's wire
 * server, Alibaba, Oracle, Tencent, Scaleway.
 */
const metadata = [
  '169.254.169.254/32',
  '169.254.169.253/32',
  '169.254.170.2/32',
  '169.254.170.23/32',
  '169.254.0.23/32',
  '169.254.42.42/32',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd00:ec2::253/128',
  'fd00:ec2::23/128',
  'fd20:ce::254/128',
  'fd00:42::42/128',
].map(range);

const metadataNames = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.tencentyun.com',
  'metadata.azure.com',
  'metadata.azure.internal',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** IANA special-purpose registries (RFC 6890 and later), as the library names them. What is not here is reserved. */
const classOfRange: Readonly<Record<string, AddressClass>> = {
  unicast: 'public',
  unspecified: 'unspecified',
  loopback: 'loopback',
  linkLocal: 'link-local',
  multicast: 'multicast',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'private',
  deprecatedSiteLocal: 'private',
};

const nat64 = range('64:ff9b::/96');
const nat64Local = range('64:ff9b:1::/48');
const sixToFour = range('2002::/16');
const teredo = range('2001::/32');
const translated = range('::ffff:0:0:0/96');
const compatible = range('::/96');

function within(address: Address, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/**
 * One address from any of its spellings; undefined for what is not an address. IPv4 must have four decimal parts: the
 * older forms (one number, octal, hexadecimal) are read by the URL parser, never here. Brackets and zone ids go.
 */
function parse(text: string): Address | undefined {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return undefined;
  // The library reads `::127.0.0.1` as the mapped form; sockets read it as ::7f00:1, and so does this.
  const old = /^::(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare)?.slice(1).map(Number);
  const six = old ? new ipaddr.IPv6([...new Array(12).fill(0), ...old]) : ipaddr.IPv6.parse(bare);
  return six.isIPv4MappedAddress() ? six.toIPv4Address() : six;
}

/** An address as it is written everywhere in this program (RFC 5952 for IPv6); undefined for what is not one. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text; // The common case, which needs no parsing.
  const address = parse(text);
  return address && written(address);
}

function written(address: Address): string {
  return address.kind() === 'ipv4' ? address.toString() : (address as ipaddr.IPv6).toRFC5952String();
}

function fourAt(bytes: readonly number[], ...places: number[]): ipaddr.IPv4 {
  return new ipaddr.IPv4(places.map((place) => bytes[place] as number));
}

/** The IPv4 addresses that an IPv6 address would reach through a translator or tunnel. */
function embedded(address: ipaddr.IPv6): ipaddr.IPv4[] {
  const bytes = address.toByteArray();
  const found: ipaddr.IPv4[] = [];
  if ([nat64, translated].some((each) => within(address, each))) found.push(fourAt(bytes, 12, 13, 14, 15));
  if (within(address, compatible) && !['::', '::1'].includes(address.toString())) {
    found.push(fourAt(bytes, 12, 13, 14, 15));
  }
  if (within(address, nat64Local)) {
    // RFC 6052, 2.2: where the address lies depends on the length of the prefix, which only the network knows.
    found.push(fourAt(bytes, 6, 7, 9, 10), fourAt(bytes, 7, 9, 10, 11), fourAt(bytes, 9, 10, 11, 12));
    found.push(fourAt(bytes, 12, 13, 14, 15));
  }
  if (within(address, sixToFour)) found.push(fourAt(bytes, 2, 3, 4, 5));
  if (within(address, teredo)) {
    found.push(fourAt(bytes, 4, 5, 6, 7));
    found.push(new ipaddr.IPv4(bytes.slice(12).map((byte) => byte ^ 0xff)));
  }
  // ISATAP (RFC 5214): the interface id is 0000:5efe or 0200:5efe and the address.
  if ((address.parts[4] === 0 || address.parts[4] === 0x200) && address.parts[5] === 0x5efe) {
    found.push(fourAt(bytes, 12, 13, 14, 15));
  }
  return found;
}

function classOf(address: Address): AddressClass {
  if (metadata.some((each) => within(address, each))) return 'metadata';
  if (within(address, nat64)) return 'public'; // It is what its IPv4 address is; that one is judged beside it.
  if (within(address, nat64Local)) return 'private';
  if (within(address, compatible) && address.range() === 'unicast') return 'reserved';
  return classOfRange[address.range()] ?? 'reserved';
}

/**
 * Every kind that an address is: its own and those of the IPv4 addresses inside it, the most dangerous first, without
 * repeats; undefined for what is not an address. Whoever lets an address through must accept all of them.
 */
export function classesOf(text: string): AddressClass[] | undefined {
  const address = parse(text);
  if (!address) return undefined;
  const inside = address.kind() === 'ipv6' ? embedded(address as ipaddr.IPv6) : [];
  const found = new Set([address, ...inside].map(classOf));
  return addressClasses.filter((each) => found.has(each));
}

/** The address itself and the IPv4 addresses inside it, canonical; empty for what is not an address. */
export function reachedBy(text: string): string[] {
  const address = parse(text);
  if (!address) return [];
  const inside = address.kind() === 'ipv6' ? embedded(address as ipaddr.IPv6) : [];
  return [address, ...inside].map(written);
}

/** Whether a host name, in any case and with or without its final dot, is that of a metadata service. */
export function isMetadataName(host: string): boolean {
  return metadataNames.has(host.toLowerCase().replace(/\.+$/, ''));
}

/** A set of addresses given by prefixes. */
export interface AddressSet {
  /** Whether the address, in any spelling, lies in one of the prefixes; false for what is not an address. */
  has(address: string): boolean;
}

/**
 * A set from prefixes. A prefix inside ::ffff:0:0/96 means the IPv4 addresses it maps. An IPv6 address is in the set by
 * its own value only, never by the IPv4 address inside it.
 * @throws TypeError for what is not a prefix: settings are checked before they get here.
 */
export function addressSet(prefixes: readonly Prefix[]): AddressSet {
  const ranges = prefixes.map(({ address, bits }): Range => {
    const network = parse(address);
    if (!network) throw new TypeError(`${address} is not an address`);
    const mapped = network.kind() === 'ipv4' && address.includes(':');
    const length = mapped ? bits - 96 : bits;
    if (length < 0 || length > (network.kind() === 'ipv4' ? 32 : 128)) {
      throw new TypeError(`${address}/${bits} is not a prefix`);
    }
    return [network, length];
  });
  return {
    has(text) {
      const address = parse(text);
      return address !== undefined && ranges.some((each) => within(address, each));
    },
  };
}
