/**
 * The logger: constant messages, declared fields, one JSON object a line. It fills the log port of `core`, and keeps its
 * promises at run time as well as in the types: a field that is unknown, secret, personal or of the wrong type is left
 * out, and no text is written before addresses were taken out of it.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { limits } from '@cloister/protocol';
import { pino } from 'pino';
import { type Clock, systemClock } from '../lib/index.ts';
import { stripAddresses } from './addresses.ts';
import { fieldTable, type LogFields } from './fields.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Where lines go; each ends with a line feed. `process.stdout` is one. */
export interface LogSink {
  write(line: string): unknown;
}

/** A message that stands in the source. With something interpolated it is `never`, and does not compile. */
type Constant<Message extends string> = Record<never, never> extends Record<Message, 1> ? never : Message;

export interface Logger {
  /** Writes one line, unless `level` is below the logger's. Never throws: what the sink refuses is counted. */
  record<Message extends string>(level: LogLevel, message: Constant<Message>, fields?: LogFields): void;
  /** What stands for a value in the lines of now, so that a person who knows the value can find its lines. */
  pseudonym(field: 'connectionId' | 'destination' | 'sessionId' | 'streamId' | 'transportId', value: string): string;
}

export interface LogOptions {
  /** The lowest level that is written; `info` unless given. Of `fatal` there is no line, so it means none at all. */
  readonly level?: LogLevel | 'fatal' | 'trace';
  /** Key of the pseudonyms, 32 bytes. Without one a random key lasts as long as the process. */
  readonly pseudonymKey?: Uint8Array;
  readonly clock?: Clock;
}

type Written = Record<string, string | number | boolean | null>;

/** Makes the logger of this process. */
export function createLogger(sink: LogSink, options: LogOptions = {}): Logger {
  const { level = 'info', clock = systemClock, pseudonymKey = randomBytes(32) } = options;
  let lost = 0;
  const write = (line: string): void => {
    try {
      sink.write(line);
      lost = 0;
    } catch {
      lost += 1; // A full disk must not end a call; the next line that gets through says how many did not.
    }
  };
  const back = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => (lost > 0 ? { lost } : {}),
    },
    { write },
  );
  const pseudonym = (field: string, value: string): string =>
    createHmac('sha256', pseudonymKey).update(field).update('\0').update(value).digest('base64url').slice(0, 12);

  return {
    record(at, message, fields) {
      if (!back.isLevelEnabled(at)) return;
      const written: Written = {};
      for (const [name, value] of Object.entries(fields ?? {})) {
        const shown = shownValue(name, value, pseudonym);
        if (shown !== undefined) written[name] = shown;
      }
      back[at](written, clean(message));
    },
    pseudonym,
  };
}

function shownValue(
  name: string,
  value: unknown,
  pseudonym: (field: string, value: string) => string,
): string | number | boolean | null | undefined {
  const field = Object.hasOwn(fieldTable, name) ? fieldTable[name as keyof typeof fieldTable] : undefined;
  if (!field || field.class === 'personal' || field.class === 'secret') return undefined;
  if (value === null) return null;
  if (typeof value !== field.type) return undefined;
  if (typeof value === 'string') return field.class === 'pseudonym' ? pseudonym(name, value) : clean(value);
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

/** Without addresses, then cut: the other way round could leave half of one. */
function clean(text: string): string {
  const stripped = stripAddresses(text.slice(0, limits.logTextChars * 4));
  return stripped.length > limits.logTextChars ? `${stripped.slice(0, limits.logTextChars)}…` : stripped;
}
