/**
 * OpenTok's `ipWhitelist`: this client goes to no address but those in effect in the platform's address list, which comes with
 * the answer to the join. What is outside is refused with `OT_ADDRESS_NOT_LISTED`, and no packet is sent there.
 *
 * Names are held to the addresses that the platform says they have: a page cannot look them up.
 */
import type { ClientAddressList, IceServer, JoinAnswer, TransportOffer } from '@cloister/protocol';
import ipaddr from 'ipaddr.js';
import { OtError } from './errors.ts';

type Component = ClientAddressList['blocks'][number]['component'];
type Protocol = ClientAddressList['blocks'][number]['protocols'][number];

interface Place {
  readonly component: Component;
  readonly host: string;
  readonly port: number;
  readonly protocol: Protocol;
}

type Block = ClientAddressList['blocks'][number];

export class AddressHold {
  readonly #list: ClientAddressList;
  readonly #blocks: readonly { readonly block: Block; readonly prefix: readonly [ipaddr.IPv4 | ipaddr.IPv6, number] }[];

  constructor(list: ClientAddressList) {
    this.#list = list;
    // What is no prefix lets nothing through.
    const prefixes = list.blocks.filter(({ prefix }) => ipaddr.isValidCIDR(prefix));
    this.#blocks = prefixes.map((block) => ({ block, prefix: ipaddr.parseCIDR(block.prefix) }));
  }

  /** An address of the API or of signalling. @throws OtError `OT_ADDRESS_NOT_LISTED` */
  requireUrl(url: string): void {
    const { protocol, hostname, port } = new URL(url, globalThis.location?.href);
    const secure = protocol === 'https:' || protocol === 'wss:';
    const place = {
      component: 'api',
      host: bare(hostname),
      port: Number(port || (secure ? 443 : 80)),
      protocol: 'tcp',
    };
    this.#require(url, place as Place);
  }

  /** ICE servers, of the platform or of the application. @throws OtError `OT_ADDRESS_NOT_LISTED` */
  requireServers(servers: readonly IceServer[]): void {
    for (const url of servers.flatMap(({ urls }) => urls)) this.#require(url, icePlace(url));
  }

  /** Candidates of the media server. @throws OtError `OT_ADDRESS_NOT_LISTED` */
  requireOffer({ iceCandidates }: Pick<TransportOffer, 'iceCandidates'>): void {
    for (const { address, ip, port, protocol } of iceCandidates) {
      const host = String(address ?? ip);
      this.#require(host, {
        component: 'media',
        host,
        port: Number(port),
        protocol: protocol === 'tcp' ? 'tcp' : 'udp',
      });
    }
  }

  #require(named: string, place: Place | null): void {
    const addresses = place === null ? [] : isAddress(place.host) ? [place.host] : (this.#namesOf(place.host) ?? []);
    if (place && addresses.length > 0 && addresses.every((address) => this.#lists(address, place))) return;
    throw new OtError(
      'OT_ADDRESS_NOT_LISTED',
      `${named} is not in effect in the address list ${this.#list.version}, and ipWhitelist holds to it; ask the operator, or leave ipWhitelist out`,
    );
  }

  #namesOf(host: string): readonly string[] | undefined {
    return Object.hasOwn(this.#list.names, host) ? this.#list.names[host] : undefined;
  }

  #lists(address: string, { component, port, protocol }: Place): boolean {
    if (!isAddress(address)) return false;
    const parsed = ipaddr.process(address);
    return this.#blocks.some(({ block, prefix: [network, bits] }) => {
      if (block.component !== component || !block.protocols.includes(protocol)) return false;
      if (!block.ports.some(({ first, last }) => first <= port && port <= last)) return false;
      return network.kind() === parsed.kind() && parsed.match(network as never, bits);
    });
  }
}

/**
 * What a client with `ipWhitelist` holds to from its join on.
 * @param home by which it joined
 * @throws OtError `OT_ADDRESS_NOT_LISTED`
 */
export function holdOf({ addressList, signallingUrl }: JoinAnswer, home: string): AddressHold {
  if (!addressList) throw new OtError('OT_ADDRESS_NOT_LISTED', 'The platform answered without an address list');
  const hold = new AddressHold(addressList);
  hold.requireUrl(home);
  hold.requireUrl(signallingUrl);
  return hold;
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function isAddress(host: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(host) || (host.includes(':') && ipaddr.IPv6.isValid(host));
}

/** Of a STUN or TURN address (RFC 7064, 7065); null for what is none. */
function icePlace(url: string): Place | null {
  const match = /^(stuns?|turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?$/i.exec(url);
  if (!match) return null;
  const [, scheme = '', host = '', port, transport] = match;
  const secure = /s$/i.test(scheme);
  const protocol = secure || transport?.toLowerCase() === 'tcp' ? 'tcp' : 'udp';
  return {
    component: 'turn',
    host: bare(host),
    port: port === undefined ? (secure ? 5349 : 3478) : Number(port),
    protocol,
  };
}
