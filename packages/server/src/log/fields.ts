/**
 * Every field that a log line may have, with its class. A field that is not here does not compile; docs/reference has
 * the table for whoever asks what the logs hold.
 *
 * - `public`: written as it is; in text, network addresses are taken out first.
 * - `pseudonym`: written as a short keyed hash, the same for the same value while the key lives, so that lines can be put
 *   together and nobody can be found by them without the server.
 * - `personal`: may be handed in, is never written.
 * - `secret`: may not even be handed in: it does not compile, and is dropped if it gets here all the same.
 */
export type FieldClass = 'public' | 'pseudonym' | 'personal' | 'secret';

interface Field {
  readonly class: FieldClass;
  readonly type: 'string' | 'number' | 'boolean';
  readonly what: string;
}

const open = <Type extends Field['type']>(type: Type, what: string) => ({ class: 'public', type, what }) as const;
const hashed = (what: string) => ({ class: 'pseudonym', type: 'string', what }) as const;
const personal = (what: string) => ({ class: 'personal', type: 'string', what }) as const;
const secret = (what: string) => ({ class: 'secret', type: 'string', what }) as const;

export const fieldTable = {
  accountId: open('string', 'account key'),
  attempt: open('number', 'which try this is'),
  bytes: open('number', 'size'),
  callbackId: open('string', 'registered webhook'),
  archiveId: open('string', 'archive of a session'),
  sandbox: open('string', 'how a recorder is shut in: bubblewrap, or none'),
  code: open('string', 'code of a refusal, from the table of errors'),
  count: open('number', 'how many'),
  delayMs: open('number', 'wait before the next try'),
  deliveryId: open('string', 'one webhook that is owed'),
  direction: open('string', 'send or receive'),
  durationMs: open('number', 'how long it took'),
  error: open('string', 'what an unexpected error or another program said'),
  event: open('string', 'type of an event'),
  exitCode: open('number', 'exit code of a child process'),
  keyId: open('string', 'name of a key, never the key'),
  kind: open('string', 'audio or video'),
  limit: open('number', 'a bound that was met'),
  line: open('string', 'a line of another program, such as the media worker'),
  method: open('string', 'HTTP method or signalling request'),
  mode: open('string', 'development or production; routed or relayed'),
  policy: open('string', 'media policy'),
  port: open('number', 'port of this server'),
  position: open('number', 'place in the outbox'),
  projectId: open('string', 'API key of a project'),
  purpose: open('string', 'what a key is for'),
  reason: open('string', 'reason of an end, from a fixed list'),
  requestId: open('string', 'one HTTP request'),
  role: open('string', 'role of a token'),
  route: open('string', 'pattern of a route, without the values in it'),
  scope: open('string', 'what a rate limit counts by'),
  signal: open('string', 'signal that ended a child process'),
  stack: open('string', 'where an unexpected error was thrown'),
  state: open('string', 'state of a thing'),
  status: open('number', 'HTTP status'),
  suite: open('string', 'SRTP protection profile'),
  version: open('string', 'version of a program'),
  waiting: open('number', 'how many wait'),
  why: open('string', 'a cause in constant words'),
  worker: open('number', 'process id of a media worker'),
  zone: open('string', 'zone'),

  connectionId: hashed('one client in a session'),
  destination: hashed('host of a webhook receiver'),
  sessionId: hashed('session'),
  streamId: hashed('one stream'),
  transportId: hashed('one media transport of a client'),

  address: personal('network address of a client'),
  connectionData: personal('what the application put into a token'),
  name: personal('name of a stream, archive or project'),
  signalData: personal('what clients send each other'),
  userAgent: personal('browser of a client'),

  apiSecret: secret('secret of a project or account'),
  iceCredential: secret('password of a TURN or ICE session'),
  resumeKey: secret('right to resume a connection'),
  rootKey: secret('key that all others are wrapped with'),
  signatureSecret: secret('secret that signs webhooks'),
  ticket: secret('admission ticket'),
  token: secret('client token or REST credential'),
} as const satisfies Record<string, Field>;

type Table = typeof fieldTable;
interface Values {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

/** Fields that may be handed to a logger: all but the secret ones. */
export type LogFields = {
  readonly [Name in keyof Table as Table[Name]['class'] extends 'secret' ? never : Name]?:
    | Values[Table[Name]['type']]
    | null;
};
