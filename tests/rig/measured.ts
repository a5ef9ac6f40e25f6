/**
 * Keeps what a full run has seen of each client in docs/internals/clients.json, from which docs/reference/clients.md is
 * made. A sampled run (`npm test`) asserts the same and leaves the file alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Direction, Suite } from '@cloister/protocol';
import { full } from '../sample.ts';

const file = path.resolve(import.meta.dirname, '../../docs/internals/clients.json');

/** What was seen of one client: the suite of each direction by the word of both ends. */
export interface Measured {
  readonly version: string;
  readonly suites: Readonly<Record<Direction, Suite>>;
  /** The test that saw it, relative to the repository. */
  readonly test: string;
  /** Day of the run, YYYY-MM-DD. */
  readonly day: string;
}

/** Notes what this run has seen of a client. */
export function noteMeasured(client: string, seen: Omit<Measured, 'day'>): void {
  if (!full) return;
  const known = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Measured>;
  known[client] = { ...seen, day: new Date().toISOString().slice(0, 10) };
  writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`);
}
