/** docs/internals/test-summary.md: what the last full run covered. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { table } from '../docs/page.ts';
import type { Family } from './run.ts';

const file = path.resolve(import.meta.dirname, '../../docs/internals/test-summary.md');

/** Writes the page. `seconds` is the time of the whole run; a family's seconds add up what its tests took. */
export async function writeSummary(result: {
  families: readonly Family[];
  seed: string;
  seconds: number;
  failed: number;
}): Promise<void> {
  const rows = result.families.map((family) => [
    family.name,
    String(family.tests),
    String(family.failed),
    (family.milliseconds / 1000).toFixed(1),
  ]);
  const tests = result.families.reduce((sum, family) => sum + family.tests, 0);
  const text = [
    '<!-- Written by `npm run test:full`. -->',
    '',
    '# The last full run of the tests',
    '',
    `${tests} tests, ${result.failed} failed, in ${Math.round(result.seconds)} s on ${availableParallelism()} cores`,
    `with Node ${process.versions.node}; seed ${result.seed}.`,
    '',
    table(['Family', 'Tests', 'Failed', 'Seconds'], rows),
    '',
  ].join('\n');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
