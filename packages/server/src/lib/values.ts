/** Reads the small notations that people write into settings: durations, ranges, prefixes; and near misses of names. */
import { isIP } from 'node:net';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"` in milliseconds; `undefined` for anything else. A bare number has no unit and is refused. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2] as string] as number);
}

/** The shortest text that `parseDuration` reads as so many milliseconds. */
export function printDuration(ms: number): string {
  const [unit = 'ms', size = 1] = Object.entries(UNITS).findLast(([, each]) => ms % each === 0) ?? [];
  return `${ms / size}${unit}`;
}

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** `"40000-40100"`; `undefined` when it is not a range of ports. */
export function parsePortRange(text: string): PortRange | undefined {
  const [from = '', to = '', ...rest] = text.split('-').map((part) => part.trim());
  const first = parsePort(from);
  const last = parsePort(to);
  if (rest.length > 0 || first === undefined || last === undefined || last < first) return undefined;
  return { first, last };
}

/** An address with the number of leading bits that count. */
export interface Prefix {
  readonly address: string;
  readonly bits: number;
}

/** `"10.0.0.0/8"`, `"fd00::/8"`, or an address alone, which stands for itself; `undefined` for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address = '', bitsText, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const width = family === 4 ? 32 : 128;
  if (bitsText === undefined) return { address, bits: width };
  if (!/^\d{1,3}$/.test(bitsText)) return undefined;
  const bits = Number(bitsText);
  return bits <= width ? { address, bits } : undefined;
}

/** A prefix and the one port of it that is meant. */
export interface PrefixPort {
  readonly prefix: Prefix;
  readonly port: number;
}

/** `"10.1.0.0/16:443"`, `"[fd00::/8]:443"`; `undefined` for anything else. The port is not optional. */
export function parsePrefixPort(text: string): PrefixPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\d+)$/.exec(text);
  if (!match) return undefined;
  const prefix = parsePrefix(match[1] ?? match[2] ?? '');
  const port = parsePort(match[3] ?? '');
  return prefix && port !== undefined ? { prefix, port } : undefined;
}

/** The number of letters to add, drop or change to get from `a` to `b` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The known name that is most like `name`, when it is like enough to have been meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, far: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best && best.far <= Math.max(2, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined;
}
