/** The table of the figures, on the terminal and in docs/internals/performance.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, getPriority, loadavg, release, totalmem } from 'node:os';
import type { Result, Row } from './figure.ts';

const HEAD = `# Performance

What \`npm run bench\` measured: ours, and the peer's in the same run with the same clients. Every figure is the median of
five runs, but where its section says that it is one. A figure that misses its target says by how much. The bench is in
\`bench/\`, one file a figure; it is no part of \`npm test\`, and it writes the sections below (a run with \`--quick\` prints
its figures and writes nothing).
`;

/** Processor, memory and kernel of this machine, and how busy it is with other things. */
export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const cores = cpus().length;
  const load = loadavg()[0]?.toFixed(1);
  const names = `${cores} cores of ${first?.model.trim() ?? 'an unknown processor'}, ${memory} GB, Linux ${release()}`;
  const nice = getPriority();
  const priority = nice === 0 ? '' : `, run at nice ${nice}`;
  return `${names}, Node ${process.versions.node}; load average at the start ${load}${priority}`;
}

/** Whether a row's figure is as asked for: `met`, or by how much it is not. */
export function verdict({ target }: Row): string {
  if (!target) return '';
  const { measured, most, least } = target;
  if (Number.isNaN(measured)) return '**MISSED**: nothing was measured';
  if (most !== undefined && measured > most) return `**MISSED** by ${share(measured / most - 1)}`;
  if (least !== undefined && measured < least) return `**MISSED** by ${share(1 - measured / least)}`;
  return 'met';
}

function share(part: number): string {
  return `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
}

/** Prints one figure's rows and notes. */
export function printRows({ rows, notes }: Result): void {
  for (const row of rows) {
    const parts = [row.ours, row.other === null ? null : `peer ${row.other}`, row.target?.text, verdict(row)];
    process.stdout.write(`${row.what}: ${parts.filter(Boolean).join(' | ')}\n`);
  }
  for (const note of notes) process.stdout.write(`  ${note}\n`);
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    (row) => `| ${row.what} | ${row.ours} | ${row.other ?? ''} | ${row.target?.text ?? ''} | ${verdict(row)} |`,
  );
  return ['| figure | ours | the peer | target | |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
}

interface Section {
  /** The figure's name on the command line. */
  readonly name: string;
  readonly title: string;
  readonly result: Result;
  /** The machine's line, taken before the figure was run. */
  readonly machine: string;
}

/** Puts the section in place of the one of the same name, or at the end; the others stay as they are. */
export function writeSection(file: string, { name, title, result, machine }: Section): void {
  const text = read(file);
  const date = new Date().toISOString().slice(0, 10);
  const open = `<!-- figure ${name} -->`;
  const close = `<!-- end ${name} -->`;
  const notes = result.notes.map((note) => `- ${note}`).join('\n');
  const where = `${date}, \`npm run bench -- --only ${name}\`, ${machine}.`;
  const body = [open, `## ${title}`, where, table(result.rows), notes, close].join('\n\n');
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  const after = to > from && from >= 0 ? text.slice(to + close.length) : '\n';
  const before = from >= 0 ? text.slice(0, from) : `${text.trimEnd()}\n\n`;
  writeFileSync(file, `${before}${body}${after}`);
}

/** The document with its opening as it is now. */
function read(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    const sections = text.indexOf('<!-- figure ');
    return `${HEAD}\n${sections < 0 ? '' : text.slice(sections)}`;
  } catch {
    return HEAD;
  }
}
