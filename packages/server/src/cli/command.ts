/** What a command is, and what most commands do: ask the running server over the operator's socket. */
import { createWriteStream, readFileSync } from 'node:fs';
import { loadConfig } from '../config.ts';
import { operatorSocket } from '../operator-socket.ts';
import { badRequest } from './bad-request.ts';
import { callOperator, streamOperator } from './operator-client.ts';

/** What was given for an option; a list for one that may be given more than once. */
export type OptionValue = string | boolean | string[] | undefined;

export interface Call {
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly configFile: string | undefined;
}

export interface Command {
  readonly summary: string;
  /** It asks no server, so that none need run. */
  readonly offline?: true;
  /** Names of the arguments, all needed; the last may be given again where it ends with … */
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>>;
  /** What is shown; undefined when the command has written its result to standard output itself. */
  run(call: Call): Promise<unknown>;
}

/** The settings that the command was given, as the server would read them. */
export function settings({ configFile }: Call) {
  return loadConfig(undefined, configFile === undefined ? [] : ['--config', configFile]);
}

/** Asks the running server. @throws PlatformError what it refuses, or that there is none */
export function operator(
  call: Call,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  route: string,
  body?: unknown,
): Promise<unknown> {
  return callOperator(operatorSocket(settings(call).dataDir), method, route, body);
}

/** Writes what the running server streams to a file, or to standard output. @throws PlatformError as `operator` */
export function writeFromOperator(call: Call, route: string, body: unknown, file: string | undefined): Promise<void> {
  const socket = operatorSocket(settings(call).dataDir);
  return streamOperator(socket, route, body, file === undefined ? process.stdout : createWriteStream(file));
}

/** A duration such as 3600, 30m or 1d, in seconds. @throws PlatformError `BadRequest` */
export function seconds(text: OptionValue, option: string): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+)(s|m|h|d)?$/.exec(String(text));
  if (!match) return badRequest(`--${option} is a duration such as 3600, 30m or 1d`);
  return Number(match[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[(match[2] ?? 's') as 's' | 'm' | 'h' | 'd'];
}

/** A small file that an option names. @throws PlatformError `BadRequest` */
export function readText(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    return badRequest(`--${option}: ${file}: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}
