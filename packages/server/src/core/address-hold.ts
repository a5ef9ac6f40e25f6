/**
 * Holds what is handed to a project that uses the address list against it. This is the one place where it is looked at:
 * signalling addresses, ICE servers and candidates all come here before a client gets them.
 */
import {
  type ClientAddressList,
  type IceServer,
  type JoinAnswer,
  PlatformError,
  type TransportOffer,
} from '@cloister/protocol';
import {
  type AddressBlock,
  type AddressComponent,
  type AddressLine,
  type AddressProtocol,
  type AddressVersion,
  isEmergency,
  momentsOf,
  stateOf,
} from './address-block.ts';
import { openedFor } from './address-document.ts';
import type { AddressLists } from './address-list.ts';
import { readAddress, storedPrefix, within } from './address-prefix.ts';
import type { Recorder } from './recorder.ts';

/** Where this node stands. */
export interface NodeAddresses {
  readonly line: AddressLine;
  /** The addresses that a name of ours has now; none for a name that is not ours. */
  addressesOf(host: string): readonly string[];
}

/** Something of ours that a client is to reach. */
export interface AddressEndpoint {
  readonly what: string;
  readonly component: AddressComponent;
  /** An address or a name of ours. */
  readonly host: string;
  readonly port: number;
  readonly protocol: AddressProtocol;
}

/** A block, ready to be asked. */
interface Ready {
  readonly block: AddressBlock;
  readonly prefix: ReturnType<typeof storedPrefix>;
}

/** Answers are kept: a platform hands out the same few addresses over and over. */
const answersMax = 1000;

export class AddressCheck {
  readonly #lists: AddressLists;
  readonly #node: NodeAddresses | null;
  #of: AddressVersion | null = null;
  /** Blocks in effect from `#since` until before `#until`. */
  #ready: readonly Ready[] = [];
  #until = 0;
  readonly #answers = new Map<string, AddressBlock | null>();

  constructor(lists: AddressLists, node: NodeAddresses | null) {
    this.#lists = lists;
    this.#node = node;
  }

  get line(): AddressLine | null {
    return this.#node?.line ?? null;
  }

  /** Addresses of a host, as the node knows them. */
  addressesOf(host: string): readonly string[] {
    return readAddress(host) ? [host] : (this.#node?.addressesOf(host) ?? []);
  }

  /** The block of this node's line that an address is in effect in, for this component, port and protocol. */
  blockOf(version: AddressVersion, address: string, endpoint: AddressEndpoint): AddressBlock | null {
    this.#refresh(version);
    const { component, port, protocol } = endpoint;
    const key = `${component} ${address} ${port} ${protocol}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const parsed = readAddress(address);
    const found = parsed && this.#ready.find(({ block, prefix }) => serves(block, endpoint) && within(parsed, prefix));
    if (this.#answers.size >= answersMax) this.#answers.clear();
    this.#answers.set(key, found?.block ?? null);
    return found?.block ?? null;
  }

  /** @returns the blocks that were used @throws PlatformError `AddressNotListed` */
  require(version: AddressVersion | null, acknowledged: number, endpoint: AddressEndpoint): AddressBlock[] {
    const addresses = this.addressesOf(endpoint.host);
    const refuse = (address: string): never => {
      throw new PlatformError('AddressNotListed', { what: endpoint.what, address, component: placeOf(endpoint) });
    };
    if (!version || addresses.length === 0) return refuse(endpoint.host);
    return addresses.map((address) => {
      const block = this.blockOf(version, address, endpoint);
      if (!block || (isEmergency(block, this.#lists.now()) && block.announcedIn > acknowledged)) return refuse(address);
      return block;
    });
  }

  #refresh(version: AddressVersion): void {
    const now = this.#lists.now();
    if (version === this.#of && now < this.#until) return;
    this.#of = version;
    const blocks = version.blocks.filter((block) => block.line === this.line && stateOf(block, now) === 'effective');
    this.#ready = blocks.map((block) => ({ block, prefix: storedPrefix(block.prefix) }));
    this.#until = Math.min(Number.POSITIVE_INFINITY, ...momentsOf(version.blocks).filter((at) => at > now));
    this.#answers.clear();
  }
}

function serves({ component, ports, protocols }: AddressBlock, endpoint: AddressEndpoint): boolean {
  if (component !== endpoint.component || !protocols.includes(endpoint.protocol)) return false;
  return ports.some(({ first, last }) => first <= endpoint.port && endpoint.port <= last);
}

function placeOf({ component, protocol, port }: AddressEndpoint): string {
  return `${component}, ${protocol} ${port}`;
}

/** Of one connection: its project uses the list. */
export class AddressHold {
  readonly #check: AddressCheck;
  readonly #lists: AddressLists;
  readonly #recorder: Recorder;
  readonly #who: { readonly projectId: string; readonly connectionId: string };
  /** Blocks without notice whose use by this connection is in the record. */
  readonly #noted = new Set<string>();

  constructor(
    parts: { check: AddressCheck; lists: AddressLists; recorder: Recorder },
    who: { projectId: string; connectionId: string },
  ) {
    this.#check = parts.check;
    this.#lists = parts.lists;
    this.#recorder = parts.recorder;
    this.#who = who;
  }

  /** @throws PlatformError `AddressNotListed` */
  async requireJoin({ signallingUrl, iceServers }: Pick<JoinAnswer, 'signallingUrl' | 'iceServers'>): Promise<void> {
    await this.#require([
      signallingEndpoint(signallingUrl),
      ...iceServers.flatMap(({ urls }) => urls.map(iceEndpoint)),
    ]);
  }

  /** @throws PlatformError `AddressNotListed` */
  async requireServers(iceServers: readonly IceServer[]): Promise<void> {
    await this.#require(iceServers.flatMap(({ urls }) => urls.map(iceEndpoint)));
  }

  /** @throws PlatformError `AddressNotListed` */
  async requireOffer({ iceCandidates }: Pick<TransportOffer, 'iceCandidates'>): Promise<void> {
    await this.#require(iceCandidates.map(candidateEndpoint));
  }

  /** What a client needs to hold to the list by itself. */
  async forClient({
    signallingUrl,
    iceServers,
  }: Pick<JoinAnswer, 'signallingUrl' | 'iceServers'>): Promise<ClientAddressList> {
    const version = await this.#lists.version(null);
    const { acknowledged } = await this.#lists.receiptOf(this.#who.projectId);
    const now = this.#lists.now();
    const blocks = openedFor(version, now, acknowledged).filter((block) => stateOf(block, now) === 'effective');
    const endpoints = [signallingEndpoint(signallingUrl), ...iceServers.flatMap(({ urls }) => urls.map(iceEndpoint))];
    const named = endpoints.map(({ host }) => host).filter((host) => readAddress(host) === null);
    return {
      version: version.token,
      blocks: blocks.map(({ prefix, component, ports, protocols }) => ({
        prefix,
        component,
        ports: [...ports],
        protocols: [...protocols],
      })),
      names: Object.fromEntries([...new Set(named)].map((host) => [host, [...this.#check.addressesOf(host)]])),
    };
  }

  async #require(endpoints: readonly AddressEndpoint[]): Promise<void> {
    const version = await this.#lists.last();
    const { projectId, connectionId } = this.#who;
    const { acknowledged } = await this.#lists.receiptOf(projectId);
    const now = this.#lists.now();
    for (const endpoint of endpoints) {
      for (const block of this.#check.require(version, acknowledged, endpoint)) {
        if (!isEmergency(block, now) || this.#noted.has(block.id)) continue;
        this.#noted.add(block.id);
        const { id: blockId, prefix } = block;
        const reason = block.emergency!.reason;
        const event = { type: 'addressList.emergencyUsed', projectId, connectionId, blockId, prefix, reason } as const;
        this.#recorder.record({ kind: 'system' }, event);
      }
    }
  }
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** A WebSocket or HTTP address of ours. */
export function signallingEndpoint(url: string, what = 'the signalling address'): AddressEndpoint {
  const { hostname, port, protocol } = new URL(url);
  const secure = protocol === 'wss:' || protocol === 'https:';
  return { what, component: 'api', host: bare(hostname), port: Number(port || (secure ? 443 : 80)), protocol: 'tcp' };
}

/** A STUN or TURN address (RFC 7064, 7065), which we wrote ourselves. */
export function iceEndpoint(url: string): AddressEndpoint {
  const [, scheme = '', host = '', port, transport] =
    /^(stuns?|turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?$/i.exec(url) ?? [];
  const secure = /s$/i.test(scheme);
  const protocol = transport?.toLowerCase() === 'tcp' || secure ? 'tcp' : 'udp';
  const number = port === undefined ? (secure ? 5349 : 3478) : Number(port);
  return { what: 'the ICE server', component: 'turn', host: bare(host), port: number, protocol };
}

/** A candidate as the media plane writes it. */
function candidateEndpoint(candidate: Readonly<Record<string, unknown>>): AddressEndpoint {
  const { address, ip, port, protocol } = candidate;
  const host = String(address ?? ip ?? '');
  return {
    what: 'the media address',
    component: 'media',
    host,
    port: Number(port),
    protocol: protocol === 'tcp' ? 'tcp' : 'udp',
  };
}
