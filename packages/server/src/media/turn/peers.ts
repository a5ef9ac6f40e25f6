/**
 * Where coturn may relay to, as its ranges `first-last`. In coturn an allowed range outweighs every denied one, so what
 * must never be reached is cut out of the allowed ones.
 */

import ipaddr from 'ipaddr.js';
import type { Prefix } from '../../lib/index.ts';

/** Addresses of one family as numbers, both ends included. */
interface Range {
  readonly six: boolean;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * What no participant may reach through us: IANA's special-purpose registries (RFC 6890 and later). Public addresses are
 * not here: in a relayed session they are the other participant.
 */
const special = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private (RFC 1918)
  '100.64.0.0/10', // carrier-grade NAT (RFC 6598)
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, and the metadata services of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments (RFC 6890)
  '192.0.2.0/24', // documentation (RFC 5737)
  '192.31.196.0/24', // AS112 (RFC 7535)
  '192.52.193.0/24', // AMT (RFC 7450)
  '192.88.99.0/24', // 6to4 relays (RFC 7526)
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112 (RFC 7534)
  '198.18.0.0/15', // benchmarking (RFC 2544)
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '::/96', // unspecified, loopback, IPv4-compatible
  '::ffff:0:0/96', // IPv4-mapped
  '::ffff:0:0:0/96', // IPv4-translated (RFC 2765)
  '64:ff9b::/96', // NAT64 (RFC 6052)
  '64:ff9b:1::/48', // NAT64 of a network's own (RFC 8215)
  '100::/64', // discard (RFC 6666)
  '2001::/23', // protocol assignments: Teredo, benchmarking, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: any IPv4 address
  '3fff::/20', // documentation (RFC 9637)
  '5f00::/16', // segment routing (RFC 9602)
  'fc00::/7', // unique local (RFC 4193)
  'fe80::/10', // link-local
  'fec0::/10', // site-local, deprecated
  'ff00::/8', // multicast
];

/** Where clouds hand credentials to whoever asks. A block of clients may lie around one of these. */
const metadata = [
  '169.254.0.0/16', // AWS, Google, Azure, Oracle, Tencent, Scaleway
  '100.100.100.200/32', // Alibaba
  '168.63.129.16/32', // Azure's wire server, a public address
  '192.0.0.192/32', // Oracle
  'fd00:ec2::/32', // AWS
  'fd20:ce::254/128', // Google
  'fd00:42::42/128', // Scaleway
];

/** The values of `denied-peer-ip`. */
export function deniedPeers(): string[] {
  return [...special, ...metadata].map((text) => written(rangeOf(text)));
}

/**
 * The values of `allowed-peer-ip`.
 * @param own addresses of media nodes and relays
 * @param clients the operator's blocks of clients; metadata services are taken out of them
 */
export function allowedPeers(own: readonly string[], clients: readonly Prefix[]): string[] {
  const never = metadata.map(rangeOf);
  const blocks = clients.map(({ address, bits }) => rangeOf(`${address}/${bits}`));
  const left = never.reduce((ranges, cut) => ranges.flatMap((range) => without(range, cut)), blocks);
  return [...new Set([...own.map((each) => written(rangeOf(each))), ...left.map(written)])];
}

function without(range: Range, cut: Range): Range[] {
  if (range.six !== cut.six || cut.last < range.first || cut.first > range.last) return [range];
  const before = { ...range, last: cut.first - 1n };
  const after = { ...range, first: cut.last + 1n };
  return [before, after].filter(({ first, last }) => first <= last);
}

function rangeOf(text: string): Range {
  const [address = '', bits] = text.split('/');
  const bytes = ipaddr.parse(address).toByteArray();
  const width = bytes.length * 8;
  const free = (1n << BigInt(width - Number(bits ?? width))) - 1n;
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { six: width === 128, first: value & ~free, last: value | free };
}

/**
 * A range that begins at 0.0.0.0 or :: has no lower end for coturn 4.6, across both families: `::-::ffff:ffff` would stand
 * for all of IPv4. The address itself is none that coturn relays to, so it is left out.
 */
function written({ six, first: from, last }: Range): string {
  const first = from === 0n && last > 0n ? 1n : from;
  return first === last ? addressOf(first, six) : `${addressOf(first, six)}-${addressOf(last, six)}`;
}

function addressOf(value: bigint, six: boolean): string {
  const count = six ? 16 : 4;
  const bytes = Array.from({ length: count }, (_, index) => Number((value >> BigInt(8 * (count - 1 - index))) & 0xffn));
  return ipaddr.fromByteArray(bytes).toString();
}
