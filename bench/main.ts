/**
 * `npm run bench`: every figure, each in a process of its own, then the table in docs/internals/performance.md.
 *
 *   forwarding rest          these figures alone; or --only forwarding,rest
 *   archive                  all figures whose names begin with `archive-`; e2ee is such a group too
 *   --quick                  one short run of each, to see that the bench works; prints the table and writes nothing
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ownChild, tempFolder } from '../tests/rig/cleanup.ts';
import type { Result } from './harness/figure.ts';
import { machine, printRows, writeSection } from './harness/report.ts';

/**
 * Each with the seconds after which it is ended; on a machine at rest it takes half of that, and a quick run a few. The
 * memory of a recording is watched for an hour.
 */
const FIGURES = {
  rest: { title: 'REST', seconds: 240 },
  signals: { title: 'Signals', seconds: 90 },
  join: { title: 'Joining and publishing', seconds: 180 },
  forwarding: { title: 'Forwarding', seconds: 720 },
  suites: { title: 'The price of the suites', seconds: 120 },
  memory: { title: 'Memory', seconds: 420 },
  'e2ee-frames': { title: 'Encrypting frames', seconds: 900 },
  'e2ee-turn': { title: 'Through a relay', seconds: 600 },
  'archive-compose': { title: 'Composing and encoding recordings', seconds: 900 },
  'archive-core': { title: 'Recordings on one core', seconds: 900 },
  'archive-seal': { title: 'Sealing and opening archives', seconds: 600 },
  'archive-times': { title: 'Beginning and end of a recording', seconds: 900 },
  'trust-audit': { title: 'The audit log', seconds: 1500 },
  'trust-entitled': { title: 'Plans', seconds: 60 },
  'archive-memory': { title: 'Memory of a recording', seconds: 4200 },
} as const;

type Name = keyof typeof FIGURES;

const REPORT = path.resolve(import.meta.dirname, '../docs/internals/performance.md');

function chosen(): { names: Name[]; quick: boolean } {
  const { values, positionals } = parseArgs({
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const asked = [...positionals, ...(values.only?.split(',') ?? [])].map((name) => name.trim());
  const all = Object.keys(FIGURES);
  const named = (name: string) => {
    const group = all.filter((each) => each.startsWith(`${name}-`));
    return group.length > 0 ? group : [name];
  };
  const names = asked.length > 0 ? asked.flatMap(named) : all;
  const unknown = names.filter((name) => !Object.hasOwn(FIGURES, name));
  if (unknown.length > 0) {
    throw new Error(`there is no figure ${unknown.join(', ')}; there are ${all.join(', ')}`);
  }
  return { names: names as Name[], quick: values.quick };
}

/** Runs one figure's process to its end, or ends it when it takes too long. @throws when it gives no result */
async function run(name: Name, quick: boolean): Promise<Result> {
  const file = path.join(tempFolder('bench'), 'result.json');
  const child = spawn(process.execPath, [path.join(import.meta.dirname, `${name}.ts`)], {
    env: { ...process.env, BENCH_RESULT: file, ...(quick ? { BENCH_QUICK: '1' } : {}) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  ownChild(child);
  const { seconds } = FIGURES[name];
  // SIGTERM, so that the figure takes its servers and browsers with it.
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGTERM');
  }, seconds * 1000);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(timer);
  if (late) throw new Error(`the figure ${name} took longer than ${seconds} s; the machine may be busy`);
  if (code !== 0) throw new Error(`the figure ${name} ended with ${code ?? signal}`);
  return JSON.parse(readFileSync(file, 'utf8')) as Result;
}

const { names, quick } = chosen();
for (const name of names) {
  const { title } = FIGURES[name];
  process.stdout.write(`\n${title}\n`);
  const here = machine();
  try {
    const result = await run(name, quick);
    printRows(result);
    // At once: what was measured is kept when a later figure fails.
    if (!quick) writeSection(REPORT, { name, title, result, machine: here });
  } catch (error) {
    process.stdout.write(`  FAILED: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
