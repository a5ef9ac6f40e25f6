/** Runs test files with node's own runner and counts what happened. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { familyOf } from './files.ts';
import { killStuck } from './stuck.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** One test that takes longer than this is stuck. */
const TEST_MINUTES_MAX = 4;

/** What one family of tests did. */
export interface Family {
  readonly name: string;
  tests: number;
  failed: number;
  milliseconds: number;
}

/** What a run did. Suites are not counted, tests inside them are. */
export interface Tally {
  passed: number;
  readonly failures: string[];
  /** Tests marked skip or todo. */
  readonly leftOut: string[];
  /** Files in which no test ran. */
  readonly emptyFiles: string[];
  readonly families: Map<string, Family>;
}

interface Options {
  /** As many files at a time as there are cores, instead of one by one. */
  readonly sideBySide: boolean;
  readonly signal: AbortSignal;
  /** What the tests run on, where that is not the usual; part of their names in the count. */
  readonly on?: string | undefined;
}

interface Outcome {
  readonly name: string;
  readonly file?: string;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error };
}

function familyIn(tally: Tally, file: string, on?: string): Family {
  const name = on ? `${familyOf(file)} on ${on}` : familyOf(file);
  let family = tally.families.get(name);
  if (!family) {
    family = { name, tests: 0, failed: 0, milliseconds: 0 };
    tally.families.set(name, family);
  }
  return family;
}

function relative(file: string | undefined): string {
  return file ? path.relative(root, file) : '';
}

/** Files whose process ended with an error are reported as a failed test that has the file's name. */
function count(tally: Tally, outcome: Outcome, passed: boolean, on?: string): void {
  const file = relative(outcome.file) || relative(outcome.name);
  const title = `${file}${on ? ` on ${on}` : ''}: ${outcome.name}`;
  const isSuite = outcome.details.type === 'suite';
  const isFile = outcome.name === outcome.file || relative(path.resolve(root, outcome.name)) === file;
  if (outcome.skip !== undefined || outcome.todo !== undefined) {
    tally.leftOut.push(title);
    return;
  }
  // A failed suite says no more than its failed tests do, unless its own hook failed.
  const hookFailed = isSuite && !passed && !/subtests? failed/.test(outcome.details.error?.message ?? '');
  if (isSuite && !hookFailed) return;
  if (isFile && passed) return;
  const family = familyIn(tally, file, on);
  family.tests += 1;
  family.milliseconds += outcome.details.duration_ms;
  if (passed) {
    tally.passed += 1;
    return;
  }
  family.failed += 1;
  tally.failures.push(title);
}

/** Runs these files, each in a process of its own. */
export async function runTests(files: readonly string[], options: Options): Promise<Tally> {
  const tally: Tally = { passed: 0, failures: [], leftOut: [], emptyFiles: [], families: new Map() };
  const seen = new Set<string>();
  const stream = run({
    files: files.map((file) => path.join(root, file)),
    // `true` would leave one core to whoever asked.
    concurrency: options.sideBySide ? availableParallelism() : false,
    timeout: TEST_MINUTES_MAX * 60_000,
    signal: options.signal,
    cwd: root,
  });
  stream.on('test:pass', (outcome) => count(tally, outcome as Outcome, true, options.on));
  stream.on('test:fail', (outcome) => {
    count(tally, outcome as Outcome, false, options.on);
    if (outcome.file && outcome.name === outcome.file) void killStuck(outcome.file);
  });
  // A test's own `file` is where it is written, which for a shared contract is not the file that ran.
  stream.on('test:summary', ({ file, counts }) => {
    if (file && counts.tests > 0) seen.add(relative(file));
  });
  const report = stream.compose(spec);
  for await (const chunk of report) process.stdout.write(chunk);
  for (const file of files) if (!seen.has(file)) tally.emptyFiles.push(file);
  return tally;
}
