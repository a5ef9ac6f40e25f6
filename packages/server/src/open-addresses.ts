/**
 * Where this node stands in the address list: the addresses of its names, looked up anew while it runs, and that it does not
 * start with an address that is not in effect.
 */
import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { Config } from './config.ts';
import { type AddressEndpoint, type Core, iceEndpoint, type NodeAddresses, signallingEndpoint } from './core/index.ts';
import type { Clock } from './lib/index.ts';

/** How often names are looked up. A client may be told of an address that went so long ago. */
const lookUpMs = 60_000;

interface Servers {
  iceServers(connectionId: string): readonly { readonly urls: readonly string[] }[];
}

interface Deps {
  readonly clock: Clock;
  readonly lookup?: (name: string) => Promise<LookupAddress[]>;
}

/** All that clients are told of this node. */
export function ownEndpoints(config: Config, turn: Servers): AddressEndpoint[] {
  const { first, last } = config.mediaPorts;
  const media = config.mediaAddress.flatMap((host) =>
    (['udp', 'tcp'] as const).flatMap((protocol) =>
      [...Array(last - first + 1).keys()].map(
        (each): AddressEndpoint => ({ what: 'mediaAddress', component: 'media', host, port: first + each, protocol }),
      ),
    ),
  );
  const servers = turn.iceServers('').flatMap(({ urls }) => urls.map(iceEndpoint));
  const api = config.publicUrl ? [signallingEndpoint(config.publicUrl, 'publicUrl')] : [];
  return [...api, ...servers, ...media];
}

/** @returns null where no line is set, so that no list holds here */
export async function openNames(
  config: Config,
  turn: Servers,
  { clock, lookup = (name) => dns.lookup(name, { all: true }) }: Deps,
): Promise<(NodeAddresses & { stop(): void }) | null> {
  const line = config.addressLine;
  if (!line) return null;
  const names = [...new Set(ownEndpoints(config, turn).map(({ host }) => host))].filter((host) => isIP(host) === 0);
  const known = new Map<string, readonly string[]>();
  const lookUp = async () => {
    for (const name of names) {
      // One that is not answered for keeps the addresses that it had.
      const found = await lookup(name).catch((): LookupAddress[] => []);
      if (found.length > 0) known.set(name, [...new Set(found.map(({ address }) => address))]);
    }
  };
  await lookUp();
  let stopped = false;
  let cancel = () => {};
  const again = () => {
    if (!stopped) cancel = clock.after(lookUpMs, () => void lookUp().then(again));
  };
  again();
  return {
    line,
    addressesOf: (host) => known.get(host) ?? [],
    stop() {
      stopped = true;
      cancel();
    },
  };
}

/**
 * Begins to remind those who are behind.
 * @returns how to end it
 * @throws PlatformError `AddressNotListed` where this node would announce an address that is not in effect on its line
 */
export async function openAddressList(config: Config, core: Core, turn: Servers): Promise<() => Promise<void>> {
  if (config.addressLine) {
    const last = await core.addressLists.last();
    for (const endpoint of ownEndpoints(config, turn)) core.addressCheck.require(last, last?.number ?? 0, endpoint);
  }
  core.addressReminders.start();
  return () => core.addressReminders.stop();
}
