/**
 * Runs the tests: `npm test`, `npm run test:full`.
 *
 *   node scripts/test.ts [--full] [--unit] [FILE OR FOLDER …]
 *
 * A plain run takes a seeded sample of every family of tests, --full all of it. --unit leaves out end-to-end tests and
 * integration tests (`*.integration.test.ts`: those that start databases, media workers or servers). Files or folders
 * narrow the run down. The last line is the count; the exit code is 0 only when something ran, nothing failed and
 * nothing was left out.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { randomOf } from '../tests/sample.ts';
import { cacheFolder, workerLocation } from './media-worker/location.mjs';
import { type Chosen, chooseFiles } from './test/files.ts';
import { runTests, type Tally } from './test/run.ts';
import { writeSummary } from './test/summary.ts';

/** The whole run, so that a test that hangs cannot take the machine for ever. */
const MINUTES_MAX = { sample: 45, full: 85 };

/** A run has 20 minutes: this many families are named, so that it is seen where they go. */
const SLOWEST_SHOWN = 12;

/** End-to-end tests that a sample runs on both databases. */
const ON_POSTGRES_IN_SAMPLE = ['kill9.test.ts'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean', default: false }, unit: { type: 'boolean', default: false } },
});

const seed = process.env.CLOISTER_SEED ?? String(Math.floor(Math.random() * 2 ** 32));
process.env.CLOISTER_SEED = seed;
// Tests of the media plane run the worker themselves; the server under test finds the same one.
process.env.MEDIASOUP_WORKER_BIN = workerLocation(process.env).path;
// Hundreds of processes load the same sources: what the engine makes of them is kept.
process.env.NODE_COMPILE_CACHE = path.join(cacheFolder(process.env), 'compiled');
if (values.full) process.env.CLOISTER_TEST_FULL = '1';

const sameRun = `CLOISTER_SEED=${seed} npm run ${values.full ? 'test:full' : 'test'}`;
console.log(`seed ${seed}; the same run again: ${sameRun}\n`);

const random = values.full ? null : randomOf('files', Number(seed) >>> 0);
const files = chooseFiles({ unitOnly: values.unit, only: positionals, random });
if (files.undrawn.length > 0) console.log(`left to other seeds, and to a full run: ${files.undrawn.join(', ')}\n`);
const minutes = values.full ? MINUTES_MAX.full : MINUTES_MAX.sample;
const signal = AbortSignal.timeout(minutes * 60_000);
const started = Date.now();

const tallies: Tally[] = [];
/** Runs end-to-end tests; none beside another in a full run, whose bounds of time are the promised ones. */
async function runEndToEnd({ endToEnd, alone }: Pick<Chosen, 'endToEnd' | 'alone'>, on?: string): Promise<void> {
  if (endToEnd.length > 0) tallies.push(await runTests(endToEnd, { sideBySide: !values.full, signal, on }));
  if (alone.length > 0) tallies.push(await runTests(alone, { sideBySide: false, signal, on }));
}

if (files.plain.length > 0) tallies.push(await runTests(files.plain, { sideBySide: true, signal }));
await runEndToEnd(files);
// The same once more on PostgreSQL; in a sample only what leans on the store most.
const again = (file: string) => values.full || ON_POSTGRES_IN_SAMPLE.includes(path.basename(file));
process.env.CLOISTER_TEST_STORE = 'postgres';
await runEndToEnd({ endToEnd: files.endToEnd.filter(again), alone: files.alone.filter(again) }, 'PostgreSQL');

const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failures = tallies.flatMap((tally) => tally.failures);
const leftOut = tallies.flatMap((tally) => tally.leftOut);
const empty = tallies.flatMap((tally) => tally.emptyFiles);

const families = tallies.flatMap((tally) => [...tally.families.values()]);
const seconds = (Date.now() - started) / 1000;
if (positionals.length === 0 && !values.unit) {
  const slowest = families.toSorted((one, other) => other.milliseconds - one.milliseconds).slice(0, SLOWEST_SHOWN);
  const times = slowest.map(({ name, milliseconds }) => `${name} ${Math.round(milliseconds / 1000)} s`);
  console.log(`\n${Math.round(seconds)} s; what took most of it: ${times.join(', ')}`);
  if (values.full) await writeSummary({ families, seed, seconds, failed: failures.length });
}

if (signal.aborted) console.error(`\nThe run was ended after ${minutes} minutes.`);
for (const failure of failures) console.error(`failed: ${failure}`);
for (const name of leftOut) console.error(`left out (skip or todo), which counts as failed: ${name}`);
for (const file of empty) console.error(`has no test in it, which counts as failed: ${file}`);
if (passed === 0) console.error('No test ran.');
const failed = failures.length + leftOut.length + empty.length + (signal.aborted && failures.length === 0 ? 1 : 0);
if (failed > 0) console.error(`the same run again: ${sameRun}`);

process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
console.log(`\n${passed} passed, ${failed} failed`);
