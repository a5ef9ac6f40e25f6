/**
 * The address of a client. Forwarded headers are words that anybody can send, so they count only when the socket itself
 * comes from a trusted proxy, and then from the right: each trusted proxy vouches for the one before it, and the first
 * address that is not a trusted proxy's is the client's.
 */
import { limits } from '@cloister/protocol';
import { type AddressSet, canonicalAddress } from './cidr.ts';

/** The parts of an HTTP request that say where it came from; header values as Node gives them. */
export interface RequestOrigin {
  /** `socket.remoteAddress`. */
  readonly socketAddress: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * The client's address in canonical form, or `unknown` for a socket that is gone already. Reads `X-Forwarded-For` and
 * `Forwarded` (RFC 7239); where both are there and disagree, one of them was sent through by a proxy that does not know
 * it, and neither is believed: the answer is then the proxy's own address. A hop that is not an address (`unknown`, an
 * obfuscated name, rubbish) ends the walk at the last one that is.
 */
export function clientAddress(origin: RequestOrigin, trustedProxies: AddressSet): string {
  const socket = canonicalAddress(origin.socketAddress ?? '');
  if (socket === undefined) return 'unknown';
  if (!trustedProxies.has(socket)) return socket;
  const answers = [listed(origin.headers['x-forwarded-for']), forwarded(origin.headers.forwarded)]
    .filter((hops) => hops.length > 0)
    .map((hops) => walk(socket, hops, trustedProxies));
  const [first = socket, second = first] = answers;
  return first === second ? first : socket;
}

function walk(socket: string, hops: readonly string[], trusted: AddressSet): string {
  let address = socket;
  for (const hop of hops.toReversed().slice(0, limits.forwardedHops)) {
    const next = hopAddress(hop);
    if (next === undefined) return address;
    address = next;
    if (!trusted.has(address)) return address;
  }
  return address;
}

function joined(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',');
}

function listed(value: string | readonly string[] | undefined): string[] {
  const text = joined(value);
  return text.trim() === '' ? [] : text.split(',').map((hop) => hop.trim());
}

/** The `for` of each element of a Forwarded header; an element without one stands as an empty hop. */
function forwarded(value: string | readonly string[] | undefined): string[] {
  const text = joined(value);
  if (text.trim() === '') return [];
  return splitOutsideQuotes(text, ',').map((element) => {
    for (const pair of splitOutsideQuotes(element, ';')) {
      const at = pair.indexOf('=');
      if (at >= 0 && pair.slice(0, at).trim().toLowerCase() === 'for') return unquote(pair.slice(at + 1).trim());
    }
    return '';
  });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string;
    if (quoted && character === '\\') {
      part += character + (text[i + 1] ?? '');
      i += 1;
      continue;
    }
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) {
      parts.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  return [...parts, part];
}

function unquote(text: string): string {
  const inside = /^"(.*)"$/s.exec(text)?.[1];
  return inside === undefined ? text : inside.replace(/\\(.)/gs, '$1');
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. */
function hopAddress(hop: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\w+)?$/.exec(hop)?.[1];
  if (bracketed !== undefined) return bracketed.includes(':') ? canonicalAddress(bracketed) : undefined;
  const withPort = /^([\d.]+):\w+$/.exec(hop)?.[1];
  return canonicalAddress(withPort ?? hop);
}
