/**
 * The table of settings: for each its schema, its words, its default and whether it is a secret. The schema, the
 * variables' names, `config --explain` and docs/reference/configuration.md all come from here.
 *
 * Every schema takes both what JSON has (numbers, lists, booleans) and the text that a variable holds.
 */
import { isIP } from 'node:net';
import { limits } from '@cloister/protocol/limits';
import { z } from 'zod';
import {
  type PortRange,
  type Prefix,
  type PrefixPort,
  parseDuration,
  parsePortRange,
  parsePrefix,
  parsePrefixPort,
  printDuration,
} from './lib/index.ts';

/** As `core/address-block.ts` has them. */
const addressLines = ['standard', 'enterprise'] as const;
const longestMs = 365 * 86_400_000;

const text = (expected: string) => z.string({ error: `expected ${expected}` }).min(1, `expected ${expected}`);

const flag = z.union(
  [z.boolean(), z.enum(['true', 'false', '1', '0']).transform((word) => word === 'true' || word === '1')],
  {
    error: 'expected true or false',
  },
);

function integer(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, error);
}

/** A list in JSON, or text with commas; each entry is read by `read`, which gives `undefined` for what it cannot read. */
function list<T>(expected: string, read: (entry: string) => T | undefined) {
  const entries = z.union(
    [z.array(z.string()), z.string().transform((all) => all.split(',').map((entry) => entry.trim()))],
    {
      error: `expected a list of ${expected}`,
    },
  );
  return entries.transform((all, context): T[] => {
    const result: T[] = [];
    for (const entry of all.filter((each) => each !== '')) {
      const value = read(entry);
      if (value === undefined)
        context.addIssue({ code: 'custom', message: `${JSON.stringify(entry)} is not ${expected}` });
      else result.push(value);
    }
    return result;
  });
}

/** Text in a notation of ours. */
function notation<T>(expected: string, read: (value: string) => T | undefined) {
  return text(expected).transform((value, context): T => {
    const result = read(value);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

function readOriginUrl(value: string): string | undefined {
  const url = URL.parse(value);
  if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined;
  const bare = url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return bare ? url.origin : undefined;
}

function readDatabaseUrl(value: string): string | undefined {
  const url = URL.parse(value);
  return url && ['postgres:', 'postgresql:'].includes(url.protocol) && url.pathname.length > 1 ? value : undefined;
}

function readAddress(value: string): string | undefined {
  return isIP(value) !== 0 && !value.includes('%') ? value : undefined;
}

function readHost(value: string): string | undefined {
  return isIP(value) !== 0 || /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value) ? value : undefined;
}

function readTlsUrl(value: string): string | undefined {
  const url = URL.parse(value.replace(/^tls:/, 'https:'));
  const bare = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return /^tls:\/\/[^/]+:\d+$/.test(value) && bare ? value : undefined;
}

function readHttpsUrl(value: string): string | undefined {
  const url = URL.parse(value);
  return url?.protocol === 'https:' && !url.hash && !url.username && !url.password ? value : undefined;
}

function readWord(value: string): string | undefined {
  return /^\S+$/.test(value) ? value : undefined;
}

/** OpenTok's time, unless another is set. */
function archiveTime(seconds: number, description: string, most = longestMs) {
  const ms = seconds * 1000;
  const schema = notation('a duration such as 90m', parseDuration)
    .refine((value) => value >= 1000 && value <= most, `expected from 1s to ${printDuration(most)}`)
    .default(ms);
  return { schema, description: `${description} OpenTok's time is the default.`, standard: printDuration(ms) };
}

/** A STUN or TURN address (RFC 7064, 7065). */
function readTurnUrl(value: string): string | undefined {
  const [, scheme, host, port = '3478'] =
    /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?(?:\?transport=(?:udp|tcp))?$/i.exec(value) ?? [];
  return scheme && host && Number(port) >= 1 && Number(port) <= 65_535 ? value : undefined;
}

interface Key {
  readonly schema: z.ZodType;
  readonly description: string;
  /** The default as the reference prints it. */
  readonly standard: string;
  readonly secret?: true;
}

const table = {
  mode: {
    schema: z
      .enum(['development', 'production'], { error: 'expected development or production' })
      .default('development'),
    description:
      'Development listens on loopback only and writes credentials to try things with; production does neither and needs TLS.',
    standard: 'development',
  },
  host: {
    schema: notation('an address or a host name', readHost).default('127.0.0.1'),
    description: 'The address that the HTTP server listens on.',
    standard: '127.0.0.1, with --lan 0.0.0.0',
  },
  port: {
    schema: integer(0, 65_535).default(8080),
    description: 'The TCP port of the HTTP server; 0 takes any free one.',
    standard: '8080',
  },
  publicUrl: {
    schema: notation('an http or https address without a path', readOriginUrl).optional(),
    description: 'The address under which clients reach the server, where it differs from the one it listens on.',
    standard: 'made from host and port',
  },
  dataDir: {
    schema: text('a path').default('./data'),
    description: 'The data folder: embedded database, certificates of --lan, credentials of the development mode.',
    standard: './data',
  },
  rootKeyFile: {
    schema: text('a path').optional(),
    description:
      'The file with the root key, outside the data folder and readable by its owner only. Development makes it when it is missing; in production it must be there.',
    standard: 'the systemd credential cloister-root-key, else ~/.config/cloister/root.key',
  },
  databaseUrl: {
    schema: notation('an address such as postgres://user:password@host/database', readDatabaseUrl).optional(),
    description: 'PostgreSQL (15 or newer) instead of the embedded database.',
    standard: 'not set: the embedded database in the data folder',
    secret: true,
  },
  databaseUrlFile: {
    schema: text('a path').optional(),
    description: 'A file, readable by its owner only, that holds databaseUrl.',
    standard: 'not set',
  },
  mediaListen: {
    schema: list('a literal IPv4 or IPv6 address', readAddress).optional(),
    description:
      'The addresses that media listens on, UDP and TCP: one, or a list such as 0.0.0.0,:: for both families. It may differ from host, where a proxy on this machine takes HTTP.',
    standard: 'what host leads to',
  },
  mediaAddress: {
    schema: list('an address or a host name', readHost).optional(),
    description:
      'The address that clients are told to send media to, or a list with one for each family; a name stands for IPv4.',
    standard: 'mediaListen, where that is no wildcard',
  },
  mediaPorts: {
    schema: notation('a range of ports such as 40000-40100', parsePortRange).default({ first: 40_000, last: 40_100 }),
    description: 'The UDP and TCP ports for media: one for each media worker, the rest for pipes between workers.',
    standard: '40000-40100',
  },
  mediaWorkers: {
    schema: integer(1, 256).optional(),
    description: 'The number of media workers; each uses one core at most.',
    standard: 'one for each core',
  },
  mediaCapacity: {
    schema: integer(1, 1_000_000).optional(),
    description:
      'How many streams the node forwards at most: one for each track that goes to a client. Past it a join is refused with CapacityReached.',
    standard: 'measured while it runs',
  },
  mediaWorkerBin: {
    schema: text('a path').optional(),
    description: 'The media worker to run.',
    standard: 'MEDIASOUP_WORKER_BIN, else the one that `npm start` puts into the cache',
  },
  tlsCert: {
    schema: text('a path').optional(),
    description: 'The certificate chain (PEM). With it and tlsKey the server speaks HTTPS and WSS only.',
    standard: 'not set',
  },
  tlsKey: {
    schema: text('a path').optional(),
    description: 'The private key (PEM) that belongs to tlsCert; not readable by everybody.',
    standard: 'not set',
  },
  tlsTerminated: {
    schema: flag.default(false),
    description: 'TLS ends in front of this server, in a proxy of yours. Say so only where that is true.',
    standard: 'false',
  },
  turn: {
    schema: z.enum(['auto', 'require', 'off'], { error: 'expected auto, require or off' }).default('auto'),
    description:
      'The TURN server (coturn) beside the platform, for clients that reach media by no other way: auto starts it where it is installed, require does not start without it, off has none.',
    standard: 'auto',
  },
  turnServerBin: {
    schema: text('a path').optional(),
    description: 'The program turnserver of coturn.',
    standard: 'the one in PATH',
  },
  turnPort: {
    schema: integer(1, 65_535).default(3478),
    description: 'The port of STUN and TURN, UDP and TCP.',
    standard: '3478',
  },
  turnListen: {
    schema: list('a literal IPv4 or IPv6 address', readAddress).optional(),
    description:
      'The addresses that the TURN server listens on and relays from. One of its own lets TURN over TLS have port 443 beside HTTPS and media.',
    standard: 'mediaListen',
  },
  turnTlsPort: {
    schema: integer(1, 65_535).default(5349),
    description:
      'The port of TURN over TLS. 443 gets through the strictest firewalls, where nothing else has it on the same address.',
    standard: '5349',
  },
  turnTlsCert: {
    schema: text('a path').optional(),
    description: 'The certificate chain (PEM) of TURN over TLS; without it there is none.',
    standard: 'tlsCert',
  },
  turnTlsKey: {
    schema: text('a path').optional(),
    description: 'The private key (PEM) that belongs to turnTlsCert; not readable by everybody.',
    standard: 'tlsKey',
  },
  turnTlsHost: {
    schema: notation('an address or a host name', readHost).optional(),
    description: 'The name in turnTlsCert, by which clients reach TURN over TLS.',
    standard: 'the host of publicUrl, else the first turnAddress',
  },
  turnAddress: {
    schema: list('a literal IPv4 or IPv6 address', readAddress).optional(),
    description:
      'The address under which clients reach the TURN server and its relays, or a list with one for each family.',
    standard: 'turnListen where that is set and no wildcard, else the literal addresses of mediaAddress',
  },
  turnRelayPorts: {
    schema: notation('a range of ports such as 41000-41999', parsePortRange).default({ first: 41_000, last: 41_999 }),
    description: 'The UDP ports of relays, one for each way that a client holds; as many there are at most.',
    standard: '41000-41999',
  },
  turnClients: {
    schema: list('prefixes such as 10.0.0.0/8', parsePrefix).default([]),
    description:
      'Private addresses of clients that the TURN server may relay to, for relayed sessions. Every other private address is refused, and metadata services always.',
    standard: 'none',
  },
  turnCredentialLife: {
    schema: notation('a duration such as 10m', parseDuration)
      .refine(
        (value) => value >= limits.turnCredentialSecondsMin * 1000 && value <= limits.turnCredentialSeconds * 1000,
        `expected from ${limits.turnCredentialSecondsMin}s to ${printDuration(limits.turnCredentialSeconds * 1000)}`,
      )
      .default(limits.turnCredentialSeconds * 1000),
    description: 'How long a TURN credential is good; each connection gets another after half of it.',
    standard: printDuration(limits.turnCredentialSeconds * 1000),
  },
  turnUrls: {
    schema: list('a STUN or TURN address such as turn:turn.example.org:3478?transport=udp', readTurnUrl).default([]),
    description: 'The addresses of a TURN server that you run elsewhere; none is started here then.',
    standard: 'none',
  },
  turnSecretFile: {
    schema: text('a path').optional(),
    description:
      "A file, readable by its owner only, that holds the secret shared with it (coturn's static-auth-secret).",
    standard: 'not set',
  },
  trustedProxies: {
    schema: list('prefixes such as 10.0.0.0/8', parsePrefix).default([]),
    description:
      'The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Those headers are ignored from anybody else.',
    standard: 'none',
  },
  destinations: {
    schema: list('prefixes with a port such as 10.1.0.0/16:443 or [fd00::/8]:443', parsePrefixPort).default([]),
    description:
      'Private addresses that webhooks and uploads may go to. Metadata services and the addresses of the platform itself stay refused.',
    standard: 'none',
  },
  plansFile: {
    schema: text('a path').optional(),
    description:
      'The file with the plans: which feature each includes, sells as an add-on or does not have, by date. It is read at the start.',
    standard: 'not set: the first table, as docs/concepts/plans.md has it',
  },
  auditKept: {
    schema: notation('a duration such as 2190d', parseDuration)
      .refine((value) => value >= 86_400_000, 'expected 1d or more')
      .default(2190 * 86_400_000),
    description:
      'How long the audit log keeps what its entries say. Then salt and content are destroyed, and the hashes stay, so that the log still verifies.',
    standard: '2190d, six years',
  },
  auditHold: {
    schema: list('keys of projects', readWord).default([]),
    description: 'Projects under a legal hold: what entries of the audit log say of them is not destroyed.',
    standard: 'none',
  },
  auditWitnesses: {
    schema: list('keys of witnesses such as clinic.example/witness+1a2b3c4d+BA…', readWord).default([]),
    description:
      'Public keys of the witnesses whose signatures of checkpoints are taken, as cloister witness prints them.',
    standard: 'none',
  },
  auditSyslog: {
    schema: notation('an address such as tls://siem.example.org:6514', readTlsUrl).optional(),
    description:
      'A syslog server (RFC 5424 over TLS) that gets every entry of the audit log, at least once. It is a destination: a private address has to be in destinations.',
    standard: 'not set',
  },
  auditSyslogCa: {
    schema: text('a path').optional(),
    description: 'The certificates (PEM) of the authorities that the syslog server may be certified by.',
    standard: "Node's own list",
  },
  auditSyslogCert: {
    schema: text('a path').optional(),
    description: 'The certificate chain (PEM) that is shown to the syslog server.',
    standard: 'none',
  },
  auditSyslogKey: {
    schema: text('a path').optional(),
    description: 'The private key (PEM) that belongs to auditSyslogCert; not readable by everybody.',
    standard: 'none',
  },
  auditOtlp: {
    schema: notation('an https address such as https://otel.example.org/v1/logs', readHttpsUrl).optional(),
    description:
      'An OpenTelemetry receiver (OTLP over HTTP, JSON) that gets every entry of the audit log, at least once; without a path it is /v1/logs. It is a destination as auditSyslog is.',
    standard: 'not set',
  },
  auditOtlpCa: {
    schema: text('a path').optional(),
    description: 'The certificates (PEM) of the authorities that the OpenTelemetry receiver may be certified by.',
    standard: "Node's own list",
  },
  addressLine: {
    schema: z.enum(addressLines, { error: 'expected standard or enterprise' }).optional(),
    description:
      'The line of this node. On the enterprise line it starts, and serves projects that are entitled to the address list, at addresses alone that are in effect in the list; on the standard line it refuses those projects. publicUrl must be set.',
    standard: 'not set: no address list holds here',
  },
  addressListPrivate: {
    schema: flag.default(false),
    description:
      'The address list takes addresses that are not public, to try it on this machine. In the development mode only.',
    standard: 'false',
  },
  logInProviders: {
    schema: text('a path').optional(),
    description:
      'JSON file of log-in services (OpenID Connect) and of the groups that make people there owner, engineer, auditor, support, operator or operatorSupport here. docs/guides/people.md has an example.',
    standard: 'none',
  },
  showSecrets: {
    schema: flag.default(false),
    description: "The compatible routes show a project's secret, as OpenTok does, instead of a mask.",
    standard: 'false',
  },
  logLevel: {
    schema: z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
        error: 'expected fatal, error, warn, info, debug or trace',
      })
      .default('info'),
    description: 'The least important lines that are still logged.',
    standard: 'info',
  },
  stopWithin: {
    schema: notation('a duration such as 10s', parseDuration)
      .refine((value) => value >= 1000 && value <= 600_000, 'expected from 1s to 10m')
      .default(10_000),
    description: 'How long a server that was told to stop waits for calls and deliveries to end in order.',
    standard: '10s',
  },
  recorderSandbox: {
    schema: z.enum(['require', 'prefer'], { error: 'expected require or prefer' }).optional(),
    description:
      'What happens where a recorder cannot be shut in with bubblewrap: require refuses the archive with SandboxMissing, prefer records it with a network and files in reach of the recorder, and the archive says so.',
    standard: 'require in production, prefer in development',
  },
  archiveRecorded: archiveTime(
    limits.archiveRecordedSeconds,
    'Recorded time after which an archive stops; an automatic one goes on in the next.',
  ),
  archiveWall: archiveTime(limits.archiveWallSeconds, 'The same with its pauses.'),
  archivePaused: archiveTime(limits.archivePausedSeconds, 'An archive stops when nobody has published for this long.'),
  archiveLeft: archiveTime(
    limits.archiveLeftSeconds,
    'An archive stops when nobody has been in its session for this long.',
  ),
  archiveBegin: archiveTime(
    limits.archiveBeginSeconds,
    'An archive stops when nobody has published within this time of its start.',
  ),
  archiveKept: archiveTime(
    limits.archiveKeptSeconds,
    'How long an archive is kept with us before it expires and is removed for good.',
  ),
  archiveLink: archiveTime(
    limits.archiveLinkSeconds,
    'How long a download link of an archive is good, a day at most.',
    limits.archiveLinkSecondsMost * 1000,
  ),
} as const satisfies Record<string, Key>;

/** The name of a setting, as in the file. */
export type ConfigKey = keyof typeof table;

/** The table without the schemas' types, for `explain` and the generated reference. */
export const configKeys: Readonly<Record<ConfigKey, Key>> = table;

/** The names in the order in which they are explained. */
export const keyNames = Object.keys(table) as ConfigKey[];

type Shape = { [Name in ConfigKey]: (typeof table)[Name]['schema'] };

/** The one schema of the settings; durations become milliseconds. */
export const configSchema = z.strictObject(
  Object.fromEntries(Object.entries(table).map(([name, { schema }]) => [name, schema])) as unknown as Shape,
);

/** What the schema gives, before the defaults that depend on the machine. */
export type Values = z.output<typeof configSchema>;

export type { PortRange, Prefix, PrefixPort };

/** `dataDir` → `CLOISTER_DATA_DIR`. */
export function environmentName(key: ConfigKey): string {
  return `CLOISTER_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
