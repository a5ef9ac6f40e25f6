/** What a command prints, for people and, with `--json`, for programs. */
import { asPlatformError } from '@cloister/protocol';

/** One line on standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A command's result: JSON, or for people `name  value` lines and tables. */
export function show(result: unknown, json: boolean): void {
  if (json) say(JSON.stringify(result, null, 2));
  else if (Array.isArray(result)) table(result as Record<string, unknown>[]);
  else for (const [name, value] of Object.entries(result as Record<string, unknown>)) field(name, value);
}

function field(name: string, value: unknown): void {
  if (Array.isArray(value) && typeof value[0] === 'object') {
    say(`${name}:`);
    table(value);
  } else {
    say(`${name.padEnd(16)} ${cell(value)}`);
  }
}

/** Says what went wrong and what to do, and ends the process. */
export function fail(thrown: unknown): never {
  const error = asPlatformError(thrown);
  process.stderr.write(`${error.message}\n  ${error.help}\n`);
  if (error.code === 'Internal') {
    process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : String(error.cause)}\n`);
  }
  process.exit(1);
}

function table(rows: readonly Record<string, unknown>[]): void {
  const names = Object.keys(rows[0] ?? {});
  if (names.length === 0) say('(none)');
  const width = (name: string) => Math.max(name.length, ...rows.map((row) => cell(row[name]).length));
  const line = (read: (name: string) => string) =>
    names
      .map((name) => read(name).padEnd(width(name)))
      .join('  ')
      .trimEnd();
  for (const text of names.length === 0
    ? []
    : [line((name) => name), ...rows.map((row) => line((name) => cell(row[name])))])
    say(text);
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
