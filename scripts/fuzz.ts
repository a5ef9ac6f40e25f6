/**
 * Throws rubbish at whatever reads what strangers send: `npm run fuzz`.
 *
 *   node scripts/fuzz.ts [--cases NUMBER] [--seed NUMBER] [TARGET …]
 *
 * Each target runs 100,000 cases, in a process of its own: a crash ends one and is told of. The exit code is 0 only when
 * every case of every target ended as it may. A failure prints the smallest case that fails and the seed.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/** What a file of scripts/fuzz/ with a `run` exports. */
interface Target {
  readonly name: string;
  /** Runs that many cases; counts of how they ended. @throws for a case that ends as none may */
  run(seed: number, cases: number): Record<string, number> | Promise<Record<string, number>>;
}

const CASES = 100_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: String(CASES) },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    one: { type: 'string' },
  },
});
const cases = Number(values.cases);
const seed = Number(values.seed);

process.exitCode = values.one ? await runOne(values.one) : runAll();

/** Runs one target here. */
async function runOne(file: string): Promise<number> {
  const target = (await import(pathToFileURL(file).href)) as Target;
  const started = performance.now();
  try {
    const counts = await target.run(seed, cases);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const how = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
    console.log(`${target.name}: ${cases} cases in ${seconds} s, none unclear (${how.join(', ')})`);
    return 0;
  } catch (error) {
    console.error(`${target.name}: FAILED with --seed ${seed}`);
    console.error(error);
    return 1;
  }
}

/** Runs every target, each in a process of its own. */
function runAll(): number {
  const folder = path.join(import.meta.dirname, 'fuzz');
  // A file that only others build on has no `-` in its name.
  const files = globSync('*-*.ts', { cwd: folder }).filter((file) => !file.endsWith('.test.ts'));
  const wanted = files.filter((file) => positionals.length === 0 || positionals.some((each) => file.includes(each)));
  console.log(`seed ${seed}; the same run again: npm run fuzz -- --seed ${seed} --cases ${cases}`);
  const failed = wanted.filter((file) => {
    const args = [
      import.meta.filename,
      '--one',
      path.join(folder, file),
      '--seed',
      String(seed),
      '--cases',
      String(cases),
    ];
    const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (signal) console.error(`${file}: crashed with ${signal}`);
    return status !== 0;
  });
  console.log(`${wanted.length - failed.length} targets clean, ${failed.length} failed`);
  return failed.length > 0 || wanted.length === 0 ? 1 : 0;
}
