/**
 * A version of the address list as customers get it: JSON whose bytes are signed and never change, plain text for external
 * dynamic lists of firewalls, and a file for nft. All of it is of the enterprise line.
 */
import {
  type AddressBlock,
  type AddressPorts,
  type AddressProtocol,
  type AddressVersion,
  isEmergency,
  printPorts,
  stateOf,
} from './address-block.ts';

/** Times as RFC 3339 writes them. */
export interface PublishedBlock {
  readonly id: string;
  readonly prefix: string;
  readonly component: AddressBlock['component'];
  readonly zone: string;
  readonly ports: readonly string[];
  readonly protocols: readonly AddressBlock['protocols'][number][];
  readonly announcedAt: string;
  readonly effectiveAt: string;
  readonly withdrawalAnnouncedAt: string | null;
  readonly withdrawnAt: string | null;
  /** Why it came, or goes, without notice; null where it had one. */
  readonly emergency: string | null;
}

export interface PublishedList {
  readonly type: 'cloister-ip-ranges';
  readonly schema: 1;
  readonly version: string;
  readonly createdAt: string;
  readonly prefixes: readonly PublishedBlock[];
  /** Without notice when this version was made: their addresses are given to those alone who acknowledge it. */
  readonly emergencies: readonly PublishedBlock[];
}

const iso = (ms: number) => new Date(ms).toISOString();
const isoOrNull = (ms: number | null) => (ms === null ? null : iso(ms));

function published(block: AddressBlock): PublishedBlock {
  const { id, prefix, component, zone, ports, protocols, emergency, withdrawalEmergency } = block;
  return {
    ...{ id, prefix, component, zone, ports: ports.map(printPorts), protocols },
    announcedAt: iso(block.announcedAt),
    effectiveAt: iso(block.effectiveAt),
    withdrawalAnnouncedAt: isoOrNull(block.withdrawalAnnouncedAt),
    withdrawnAt: isoOrNull(block.withdrawnAt),
    emergency: emergency?.reason ?? withdrawalEmergency?.reason ?? null,
  };
}

/** Blocks of the enterprise line. */
export function ofCustomers({ blocks }: Pick<AddressVersion, 'blocks'>): AddressBlock[] {
  return blocks.filter(({ line }) => line === 'enterprise');
}

export function publishedList(version: AddressVersion): PublishedList {
  const { token, createdAt } = version;
  const blocks = ofCustomers(version);
  const sudden = (block: AddressBlock) => isEmergency(block, createdAt);
  return {
    type: 'cloister-ip-ranges',
    schema: 1,
    version: token,
    createdAt: iso(createdAt),
    prefixes: blocks.filter((each) => !sudden(each)).map(published),
    emergencies: blocks.filter(sudden).map(published),
  };
}

/** The bytes that are served and signed. */
export function listBytes(version: AddressVersion): Buffer {
  return Buffer.from(`${JSON.stringify(publishedList(version), null, 2)}\n`);
}

/**
 * What a firewall should let through now: all that is not withdrawn, so also what comes into effect later.
 * @param acknowledged number of the last version that the project has acknowledged
 */
export function openedFor(version: AddressVersion, now: number, acknowledged: number): AddressBlock[] {
  return ofCustomers(version).filter(
    (block) => stateOf(block, now) !== 'withdrawn' && (!isEmergency(block, now) || block.announcedIn <= acknowledged),
  );
}

/** One prefix a line, each once. */
export function listText(blocks: readonly AddressBlock[]): string {
  return [...new Set(blocks.map(({ prefix }) => prefix))].map((prefix) => `${prefix}\n`).join('');
}

interface Opening {
  readonly prefix: string;
  readonly protocol: AddressProtocol;
  readonly ports: AddressPorts;
}

/** Ports of each prefix and protocol, merged: sets of nft hold no two intervals that overlap. Prefixes never do. */
function openings(blocks: readonly AddressBlock[]): Opening[] {
  const byPlace = new Map<string, { prefix: string; protocol: AddressProtocol; ports: AddressPorts[] }>();
  for (const { prefix, protocols, ports } of blocks) {
    for (const protocol of protocols) {
      const place = byPlace.get(`${prefix} ${protocol}`) ?? { prefix, protocol, ports: [] };
      byPlace.set(`${prefix} ${protocol}`, place);
      place.ports.push(...ports);
    }
  }
  return [...byPlace.values()].flatMap(({ prefix, protocol, ports }) =>
    mergePorts(ports).map((each) => ({ prefix, protocol, ports: each })),
  );
}

/** The same ports in ranges that neither overlap nor touch, ascending. */
export function mergePorts(ports: readonly AddressPorts[]): AddressPorts[] {
  const merged: AddressPorts[] = [];
  for (const each of [...ports].sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (!last || each.first > last.last + 1) merged.push(each);
    else merged[merged.length - 1] = { first: last.first, last: Math.max(last.last, each.last) };
  }
  return merged;
}

const table = 'inet cloister_ip_ranges';

/** Commands for `nft -f`, which makes them all or none; loaded again they replace what the last ones made. */
export function listNft(token: string, blocks: readonly AddressBlock[]): string {
  const elements = (six: boolean) =>
    openings(blocks.filter(({ prefix }) => prefix.includes(':') === six)).map(
      ({ prefix, protocol, ports }) => `${prefix} . ${protocol} . ${printPorts(ports)}`,
    );
  const set = (name: string, type: string, six: boolean) => [
    `add set ${table} ${name} { type ${type} . inet_proto . inet_service; flags interval; }`,
    `flush set ${table} ${name}`,
    ...elements(six).map((each) => `add element ${table} ${name} { ${each} }`),
  ];
  return `${[
    `# Address list ${token}. Chain "allow" accepts what goes to it, and answers. Use it from a base chain of your own, such as`,
    `#   nft add chain ${table} forward '{ type filter hook forward priority 0; policy drop; }'`,
    `#   nft add rule ${table} forward jump allow`,
    `add table ${table}`,
    ...set('allowed4', 'ipv4_addr', false),
    ...set('allowed6', 'ipv6_addr', true),
    `add chain ${table} allow`,
    `flush chain ${table} allow`,
    `add rule ${table} allow ct state established,related accept`,
    `add rule ${table} allow ip daddr . meta l4proto . th dport @allowed4 accept`,
    `add rule ${table} allow ip6 daddr . meta l4proto . th dport @allowed6 accept`,
  ].join('\n')}\n`;
}

/** What differs between two versions, by block. */
export interface ListDiff {
  readonly from: string;
  readonly to: string;
  readonly added: readonly PublishedBlock[];
  readonly changed: readonly { readonly before: PublishedBlock; readonly after: PublishedBlock }[];
  /** Withdrawn for so long that the later version does not name it any more. */
  readonly removed: readonly PublishedBlock[];
}

export function diffOf(from: AddressVersion, to: AddressVersion): ListDiff {
  const [before, after] = [from, to].map(
    (each) => new Map(ofCustomers(each).map((block) => [block.id, published(block)])),
  );
  return {
    from: from.token,
    to: to.token,
    added: [...after!.values()].filter(({ id }) => !before!.has(id)),
    changed: [...after!.values()].flatMap((now) => {
      const was = before!.get(now.id);
      return was && JSON.stringify(was) !== JSON.stringify(now) ? [{ before: was, after: now }] : [];
    }),
    removed: [...before!.values()].filter(({ id }) => !after!.has(id)),
  };
}
