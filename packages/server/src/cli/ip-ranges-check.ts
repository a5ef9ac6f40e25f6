/**
 * `cloister ip-ranges check`: which blocks of an address list the network that it runs in does not reach, and what a call
 * there would lose. TCP is tried by connecting, UDP by STUN.
 */
import { readFileSync } from 'node:fs';
import { limits } from '@cloister/protocol';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { PublishedBlock } from '../core/index.ts';
import { type Clock, parsePortRange } from '../lib/index.ts';
import { badRequest } from './bad-request.ts';
import { type Credential, type MediaDoor, openMediaDoor, restCredential } from './media-door.ts';
import { type Reach, reachTcp, reachUdp } from './reach.ts';

type Protocol = 'udp' | 'tcp';
type Component = PublishedBlock['component'];

const block = z.object({
  prefix: z.string().max(64),
  component: z.enum(['media', 'api', 'turn', 'log']),
  ports: z.array(z.string().max(16)).max(limits.addressPortRanges),
  protocols: z.array(z.enum(['udp', 'tcp'])),
  effectiveAt: z.iso.datetime({ offset: true }),
  withdrawnAt: z.iso.datetime({ offset: true }).nullable(),
});
const list = z.object({
  type: z.literal('cloister-ip-ranges'),
  version: z.string(),
  prefixes: z.array(block).max(limits.addressBlocks),
  emergencies: z.array(block).max(limits.addressBlocks),
});

/** One port or range of one block, by one protocol. */
export interface Checked {
  readonly prefix: string;
  readonly component: Component;
  readonly port: string;
  readonly protocol: Protocol;
  /** `not tried`: it is not in effect yet, or what answers there could not be asked. */
  readonly result: Reach | 'not tried';
  /** What a call loses without it; null where it is reached. */
  readonly loses: string | null;
}

export interface CheckResult {
  readonly version: string;
  readonly missing: number;
  /** What becomes of calls here. */
  readonly calls: string;
  /** Why what is not tried is not, where something could not be asked. */
  readonly note: string | null;
  readonly checked: readonly Checked[];
}

interface Words {
  readonly source: string;
  readonly apiKey?: string | undefined;
  readonly secretFile?: string | undefined;
  /** Its address, where the source is a file. */
  readonly platform?: string | undefined;
}

interface Deps {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

const losses: Readonly<Record<Component, Readonly<Record<Protocol, string>>>> = {
  api: {
    tcp: 'everything: clients join and signal there',
    udp: 'nothing today',
  },
  media: {
    udp: 'media by UDP: it goes by TCP or through a relay, later and less smoothly',
    tcp: 'media by TCP: where UDP is kept back, calls need a relay',
  },
  turn: {
    udp: 'STUN and relays by UDP: relayed calls between networks',
    tcp: 'relays by TCP and TLS: the last way where UDP is kept back',
  },
  log: { tcp: 'logs of clients; calls go on', udp: 'logs of clients; calls go on' },
};

/**
 * @returns what was found
 * @throws PlatformError `BadRequest` for a source that is no list
 */
export async function checkRangesCommand(words: Words, { fetch, clock }: Deps): Promise<CheckResult> {
  const credential = credentialOf(words);
  const remote = /^https?:\/\//i.test(words.source);
  const text = remote ? await fetched(words.source, credential, { fetch, clock }) : readLocal(words.source);
  const { version, prefixes, emergencies } = readList(text);
  const platform = remote ? new URL(words.source).origin : words.platform?.replace(/\/+$/, '');
  let door: MediaDoor | null = null;
  let note: string | null = null;
  if (credential && platform) {
    await openMediaDoor(platform, credential, { fetch, now: clock.now() }).then(
      (opened) => (door = opened),
      (error: Error) => (note = error.message),
    );
  } else
    note =
      'media by UDP answers those alone who have joined: give --api-key and --secret-file, and --platform with a file';
  const checked: Checked[] = [];
  try {
    for (const each of [...prefixes, ...emergencies]) checked.push(...(await checkBlock(each, door, clock)));
  } finally {
    (door as MediaDoor | null)?.close();
  }
  const missing = checked.filter(({ loses }) => loses !== null).length;
  return { version, missing, calls: outlook(checked), note, checked };
}

function credentialOf({ apiKey, secretFile }: Words): Credential | null {
  if (apiKey === undefined && secretFile === undefined) return null;
  if (apiKey === undefined || secretFile === undefined)
    return badRequest('--api-key and --secret-file belong together');
  return { apiKey, secret: readLocal(secretFile).trim() };
}

function readLocal(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    return badRequest(`${file}: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

async function fetched(url: string, credential: Credential | null, { fetch, clock }: Deps): Promise<string> {
  if (!credential) return badRequest(`${url} is for projects: give --api-key and --secret-file`);
  const headers = { 'x-opentok-auth': restCredential(credential, clock.now()) };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) =>
    badRequest(`${url} could not be reached: the API itself is kept back, or the address is wrong`, cause),
  );
  const text = await answer.text();
  return answer.ok ? text : badRequest(`${url} answered ${answer.status}: ${text.slice(0, 300)}`);
}

/** @throws PlatformError `BadRequest` */
export function readList(text: string): z.output<typeof list> {
  try {
    return list.parse(JSON.parse(text));
  } catch (cause) {
    return badRequest('what was given is no address list of this platform', cause);
  }
}

async function checkBlock(of: z.output<typeof block>, door: MediaDoor | null, clock: Clock): Promise<Checked[]> {
  const now = clock.now();
  if (of.withdrawnAt !== null && Date.parse(of.withdrawnAt) <= now) return [];
  const inEffect = Date.parse(of.effectiveAt) <= now;
  const rows: Checked[] = [];
  for (const protocol of of.protocols) {
    for (const port of of.ports) {
      const where = { prefix: of.prefix, component: of.component, port, protocol };
      const result = inEffect ? await reachOf(where, door, clock) : 'not tried';
      const reached = result === 'reached' || result === 'not tried';
      rows.push({ ...where, result, loses: reached ? null : losses[of.component][protocol] });
    }
  }
  return rows;
}

type Where = Pick<Checked, 'prefix' | 'component' | 'port' | 'protocol'>;

async function reachOf(where: Where, door: MediaDoor | null, clock: Clock): Promise<Checked['result']> {
  const { prefix, component, port, protocol } = where;
  const range = parsePortRange(port.includes('-') ? port : `${port}-${port}`);
  if (!range) return badRequest(`the list has a port that is none: ${port.slice(0, 16)}`);
  if (component === 'media') {
    const inside = (door?.candidates ?? []).filter(
      (each) =>
        each.protocol === protocol && range.first <= each.port && each.port <= range.last && lies(each.address, prefix),
    );
    if (inside.length > 0) {
      const tries = inside.map((each) =>
        protocol === 'tcp'
          ? reachTcp(each.address, each.port, clock)
          : reachUdp(each.address, each.port, clock, door!.request()),
      );
      return best(await Promise.all(tries));
    }
    if (protocol === 'udp') return 'not tried';
  }
  if (component !== 'turn' && protocol === 'udp') return 'not tried';
  const ports = [...Array(Math.min(range.last - range.first + 1, limits.addressProbes)).keys()].map(
    (n) => range.first + n,
  );
  const tries = addressesOf(prefix).flatMap((address) =>
    ports.map((each) => (protocol === 'tcp' ? reachTcp(address, each, clock) : reachUdp(address, each, clock))),
  );
  return best(await Promise.all(tries));
}

/** What answers anywhere shows that the way is open. */
function best(found: readonly Reach[]): Reach {
  return (['reached', 'refused'] as const).find((each) => found.includes(each)) ?? 'silent';
}

function lies(address: string, prefix: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const [parsed, [network, bits]] = [ipaddr.process(address), ipaddr.parseCIDR(prefix)];
  return parsed.kind() === network.kind() && parsed.match(network as never, bits);
}

/** The first addresses of a prefix, `addressProbes` of them at most. */
export function addressesOf(prefix: string): string[] {
  let parsed: readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
  try {
    parsed = ipaddr.parseCIDR(prefix);
  } catch (cause) {
    return badRequest(`the list has a prefix that is none: ${prefix.slice(0, 64)}`, cause);
  }
  const [network, bits] = parsed;
  const bytes = network.toByteArray();
  const count = Math.min(limits.addressProbes, 2 ** Math.min(30, bytes.length * 8 - bits));
  return [...Array(count).keys()].map((step) => {
    const next = [...bytes];
    next[next.length - 1] = (next.at(-1) as number) + step;
    return ipaddr.fromByteArray(next).toString();
  });
}

/** What calls can do by what was reached. What was not tried is taken to be open. */
function outlook(checked: readonly Checked[]): string {
  const open = (component: Component, protocol: Protocol) =>
    checked.some((row) => row.component === component && row.protocol === protocol && row.loses === null);
  if (!open('api', 'tcp')) return 'no call is possible';
  if (open('media', 'udp')) return 'calls go directly';
  if (open('media', 'tcp')) return 'calls go directly, by TCP';
  if (open('turn', 'udp') || open('turn', 'tcp')) return 'calls go through a relay';
  return 'calls connect and have neither picture nor sound';
}
