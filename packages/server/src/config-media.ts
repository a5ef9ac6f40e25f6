/** Where media and TURN listen and what clients are told, where the settings leave it open. */
import { isIP, isIPv6 } from 'node:net';
import { isWildcard, localAddresses } from './lib/index.ts';

interface Wishes {
  readonly host: string;
  readonly lan: boolean;
  readonly mediaListen?: readonly string[] | undefined;
  readonly mediaAddress?: readonly string[] | undefined;
}

export interface MediaPlaces {
  /** Literal addresses; undefined where host is a name, which is looked up at the start. */
  readonly mediaListen: readonly string[] | undefined;
  /** What is announced, addresses and names. */
  readonly mediaAddress: readonly string[];
}

/** Fills in both settings. An empty list counts as not set. */
export function mediaPlaces(wishes: Wishes): MediaPlaces {
  const announced = wishes.mediaAddress?.length ? wishes.mediaAddress : undefined;
  const mediaListen = wishes.mediaListen?.length ? wishes.mediaListen : listenBeside(wishes.host, announced);
  return { mediaListen, mediaAddress: announced ?? announcedFor(mediaListen ?? [], wishes.lan) };
}

/** HTTP on `::` takes both families, a media socket one: each family that clients are told of gets its wildcard. */
function listenBeside(host: string, announced: readonly string[] | undefined): readonly string[] | undefined {
  if (isIP(host) === 0) return undefined;
  if (host !== '::' || !announced) return [host];
  const [v6, v4] = [announced.some(isIPv6), !announced.every(isIPv6)];
  return [...(v4 ? ['0.0.0.0'] : []), ...(v6 ? ['::'] : [])];
}

/** A wildcard is announced on the local network alone, by the first address there; elsewhere the operator has to say. */
function announcedFor(listen: readonly string[], lan: boolean): string[] {
  return listen.flatMap((address) => {
    if (!isWildcard(address)) return [address];
    if (!lan) return [];
    const family = isIP(address);
    return [localAddresses().find((each) => isIP(each) === family) ?? (family === 6 ? '::1' : '127.0.0.1')];
  });
}

interface TurnWishes {
  readonly turnListen?: readonly string[] | undefined;
  readonly turnAddress?: readonly string[] | undefined;
  readonly turnTlsCert?: string | undefined;
  readonly turnTlsKey?: string | undefined;
  readonly turnTlsHost?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly publicUrl?: string | undefined;
}

/** Fills in what TURN takes from other settings: certificate and key as a pair, addresses, the name in the certificate. */
export function turnPlaces(wishes: TurnWishes, { mediaListen, mediaAddress }: MediaPlaces) {
  const listen = wishes.turnListen?.length ? wishes.turnListen : undefined;
  const told = listen?.some(isWildcard) === false ? listen : mediaAddress.filter((each) => isIP(each) !== 0);
  const turnAddress = wishes.turnAddress?.length ? wishes.turnAddress : told;
  const own = wishes.turnTlsCert ?? wishes.turnTlsKey;
  const host = wishes.publicUrl && new URL(wishes.publicUrl).hostname.replace(/^\[|\]$/g, '');
  return {
    turnListen: listen ?? mediaListen,
    turnAddress,
    turnTlsCert: own ? wishes.turnTlsCert : wishes.tlsCert,
    turnTlsKey: own ? wishes.turnTlsKey : wishes.tlsKey,
    turnTlsHost: wishes.turnTlsHost ?? host ?? turnAddress[0],
  };
}
