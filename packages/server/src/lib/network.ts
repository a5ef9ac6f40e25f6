/** The addresses of this machine and what kind of address one is. */
import { promises as dns, type LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host name or address means this machine alone. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether an address stands for every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The addresses under which other machines of the local network reach this one, IPv4 first; no link-local ones. */
export function localAddresses(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string[] {
  const outside = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((each) => !each.internal && !each.address.startsWith('fe80:') && !each.address.startsWith('169.254.'));
  return outside.sort((a, b) => a.family.localeCompare(b.family)).map((each) => each.address);
}

/**
 * Of addresses and names, the one that stands for an address's family. A name stands for IPv4, or for the only family
 * that there is in `all`.
 */
export function ofFamily(address: string, all: readonly string[], candidates: readonly string[]): string | undefined {
  const familyOfNames = all.every(isIPv6) ? 6 : 4;
  return candidates.find((each) => (isIP(each) || familyOfNames) === isIP(address));
}

/**
 * The addresses of this machine that a name or address leads to. A hosts file often gives `localhost` an address of a
 * family that is switched off, and nothing can listen there.
 */
export async function ownAddressesOf(
  host: string,
  {
    lookup = (name) => dns.lookup(name, { all: true }),
    interfaces = networkInterfaces(),
  }: {
    lookup?: (name: string) => Promise<LookupAddress[]>;
    interfaces?: ReturnType<typeof networkInterfaces>;
  } = {},
): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const own = new Set(Object.values(interfaces).flatMap((list) => (list ?? []).map(({ address }) => address)));
  const found = await lookup(host).catch((): LookupAddress[] => []);
  // All of 127.0.0.0/8 is this machine, whichever of it the interface names.
  const here = found.filter(({ address, family }) => own.has(address) || (family === 4 && isLoopback(address)));
  return [...new Set(here.map(({ address }) => address))];
}
