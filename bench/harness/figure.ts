/**
 * What a figure is: a program of its own that measures one thing on both sides and hands back rows. `npm run bench` runs
 * them one after the other; `node bench/NAME.ts` runs one and prints its rows.
 */
import { writeFileSync } from 'node:fs';
import { printRows } from './report.ts';

/** One line of the table. */
export interface Row {
  readonly what: string;
  /** What our side did, with its unit. */
  readonly ours: string;
  /** What the peer did in the same run; null where there is none. */
  readonly other: string | null;
  /** What was asked for, and the number that is held against it. Null: no target, the figure is for the record. */
  readonly target: {
    readonly text: string;
    readonly measured: number;
    readonly most?: number;
    readonly least?: number;
  } | null;
}

/** What a figure's process writes to the file that `BENCH_RESULT` names. */
export interface Result {
  readonly rows: readonly Row[];
  /** Sentences under the table: suites, packet sizes, how it was measured. */
  readonly notes: readonly string[];
}

/** Whether the run is a short one: it shows that the bench works, its figures are not for the record. */
export const quick = process.env.BENCH_QUICK === '1';

/** How often each figure is taken; the table has the median. */
export const runs = quick ? 1 : 5;

/** Runs the figure and writes its result, or prints it. */
export async function figure(measure: () => Promise<Result>): Promise<void> {
  const result = await measure();
  const file = process.env.BENCH_RESULT;
  if (file) writeFileSync(file, JSON.stringify(result));
  else printRows(result);
  // Browsers and servers are ended by the rig's hooks of the process's end.
  process.exit(0);
}

/** Does something `runs` times, one after the other. */
export async function repeat<T>(what: string, once: (run: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let run = 0; run < runs; run += 1) {
    say(`${what}: ${run + 1} of ${runs}`);
    results.push(await once(run));
  }
  return results;
}

/** A line of progress, beside the figures. */
export function say(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The median of one member over all runs. */
export function medianOf<T>(results: readonly T[], member: (result: T) => number): number {
  return median(results.map(member));
}

/** The value below which this share (0 to 1) of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
