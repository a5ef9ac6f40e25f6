/**
 * Exports: entries with what proves them, for somebody to keep and to check offline. The same lines as JSON and as CSV.
 *
 * The first is the head: a note by the log's key that says which entries the export has, so that one that is missing is
 * missed; the last checkpoint; those that witnesses signed, each with the proof that the log goes on from there. Then one
 * line for each entry, in order. Proofs say nothing twice: `known-path.ts`.
 */
import { PlatformError } from '@cloister/protocol';
import type { AuditEntry, AuditSearch } from '../core/index.ts';
import type { Checkpoint } from './checkpoint.ts';

export const exportFormat = 'cloister-audit-export/1';

/** A checkpoint that was signed before, and the hashes that show that the log goes on from it: base64. */
export interface Former {
  readonly checkpoint: string;
  readonly proof: readonly string[];
}

export interface ExportHead {
  /** A note over `ExportClaim`. */
  readonly head: string;
  readonly checkpoint: string;
  readonly witnessed: readonly Former[];
  /** From the checkpoint that was asked for; null where none was. */
  readonly since: Former | null;
}

/** An entry. Content and salt are null when they were destroyed, or do not open any more: then `problem` says so. */
export interface ExportEntry {
  readonly index: number;
  readonly content: string | null;
  readonly salt: string | null;
  /** Base64. */
  readonly mac: string;
  /** Base64; null where the tiles do not hold it. */
  readonly proof: readonly string[] | null;
  /** What the database says otherwise than the content. */
  readonly problem?: string;
}

/** What the head says, before it is signed. */
export interface ExportClaim extends Checkpoint {
  readonly search: AuditSearch;
  /** Entries below it had content and salt destroyed, but for those that were held. */
  readonly destroyedBefore: number;
  /** Ascending. */
  readonly indexes: readonly number[];
}

/** `0-4,7,9-12`; `none` for no index. */
export function printIndexes(indexes: readonly number[]): string {
  const ranges: string[] = [];
  for (let at = 0; at < indexes.length; ) {
    let end = at;
    while (indexes[end + 1] === indexes[end]! + 1) end += 1;
    ranges.push(end === at ? `${indexes[at]}` : `${indexes[at]}-${indexes[end]}`);
    at = end + 1;
  }
  return ranges.join(',') || 'none';
}

/** The indexes of a text as `printIndexes` writes it, below `size`; null for anything else. */
export function parseIndexes(text: string, size: number): number[] | null {
  if (text === 'none') return [];
  const indexes: number[] = [];
  for (const range of text.split(',')) {
    const match = /^(0|[1-9]\d{0,15})(?:-([1-9]\d{0,15}))?$/.exec(range);
    if (!match) return null;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (first <= (indexes.at(-1) ?? -1) || last < first || last >= size) return null;
    for (let index = first; index <= last; index += 1) indexes.push(index);
  }
  return indexes;
}

export function printClaim({ origin, size, root, search, destroyedBefore, indexes }: ExportClaim): string {
  const lines = [
    exportFormat,
    origin,
    size,
    root.toString('base64'),
    JSON.stringify(search),
    destroyedBefore,
    printIndexes(indexes),
  ];
  return `${lines.join('\n')}\n`;
}

/** A claim out of the text of its note; null for anything else. */
export function parseClaim(text: string): ExportClaim | null {
  const [format, origin, size, root, search, destroyed, indexes, end, ...rest] = text.split('\n');
  if (format !== exportFormat || end !== '' || rest.length > 0 || !/^\d{1,15}$/.test(size!)) return null;
  const listed = parseIndexes(indexes!, Number(size));
  if (!listed || !/^\d{1,15}$/.test(destroyed!)) return null;
  try {
    const found = JSON.parse(search!) as AuditSearch;
    const facts = { origin: origin!, size: Number(size), root: Buffer.from(root!, 'base64') };
    return { ...facts, search: found, destroyedBefore: Number(destroyed), indexes: listed };
  } catch {
    return null;
  }
}

/** The columns that people read come first; those that prove, after them. */
export const csvColumns = [
  'index',
  'time',
  'actor',
  'action',
  'subject',
  'project',
  'account',
  'outcome',
  'code',
  'content',
  'salt',
  'mac',
  'proof',
  'problem',
] as const;

/** RFC 4180. */
function csvLine(values: readonly (string | number | null | undefined)[]): string {
  const cells = values.map((value) => {
    const text = String(value ?? '');
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${cells.join(',')}\r\n`;
}

/** The name of who did it, for people. */
function actorOf(actor: unknown): string {
  const { kind, ...rest } = Object(actor) as Record<string, unknown>;
  return [kind, ...Object.values(rest)].join(' ');
}

/** One line of an export as CSV; the head comes with the names of the columns before it. */
export function toCsv(line: ExportHead | ExportEntry): string {
  if ('head' in line) return csvLine(csvColumns) + csvLine(['head', ...Array(8).fill(''), JSON.stringify(line)]);
  const { index, content, salt, mac, proof, problem } = line;
  const said = content === null ? {} : (JSON.parse(content) as Record<string, unknown>);
  const { at, actor, action, subject, projectId, accountId, outcome, code } = said as Record<string, string | null>;
  const time = content === null ? '' : new Date(Number(at)).toISOString();
  const about = Object.values(Object(subject)).join(' ');
  const read = [
    index,
    time,
    content === null ? '' : actorOf(actor),
    action,
    about,
    projectId,
    accountId,
    outcome,
    code,
  ];
  return csvLine([...read, content, salt, mac, proof === null ? 'none' : proof.join(' '), problem]);
}

export function toJsonLine(line: ExportHead | ExportEntry): string {
  return `${JSON.stringify(line)}\n`;
}

/** What the row of an entry says otherwise than its content; undefined where it says the same. */
export function problemOf(row: AuditEntry, content: Readonly<Record<string, unknown>>): string | undefined {
  const fields = ['eventId', 'at', 'action', 'accountId', 'projectId'] as const;
  const wrong = fields.filter((field) => row[field] !== content[field]);
  return wrong.length === 0 ? undefined : `the database says another ${wrong.join(', ')}`;
}

/** A line of JSON. @throws PlatformError `AuditRefused` */
function fromJson(text: string, line: number): ExportHead | ExportEntry {
  try {
    const value = JSON.parse(text) as Partial<ExportHead & ExportEntry> | null;
    if (typeof value?.head === 'string' && Array.isArray(value.witnessed)) return value as ExportHead;
    if (typeof value?.index === 'number' && typeof value.mac === 'string') return value as ExportEntry;
  } catch {
    // It is said below.
  }
  throw new PlatformError('AuditRefused', { why: `line ${line} is no line of an export` });
}

/** Records of CSV (RFC 4180), each as its cells. */
async function* csvRecords(lines: AsyncIterable<string>): AsyncGenerator<string[]> {
  let open = '';
  for await (const line of lines) {
    open = open === '' ? line : `${open}\n${line}`;
    // A quoted cell may have line ends in it: a record is whole when its quotes are.
    if ((open.match(/"/g)?.length ?? 0) % 2 === 1) continue;
    yield [...open.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
    );
    open = '';
  }
}

async function* readCsv(lines: AsyncIterable<string>): AsyncGenerator<ExportHead | ExportEntry> {
  const at = (name: (typeof csvColumns)[number]) => csvColumns.indexOf(name);
  let record = 0;
  for await (const cells of csvRecords(lines)) {
    record += 1;
    if (record === 1) continue;
    const cell = (name: (typeof csvColumns)[number]) => cells[at(name)] ?? '';
    const content = cell('content');
    if (cell('index') === 'head') {
      yield fromJson(content, record);
      continue;
    }
    const proof = cell('proof');
    const hashes = proof === '' ? [] : proof.split(' ');
    const problem = cell('problem');
    yield {
      index: Number(cell('index')),
      content: content === '' ? null : content,
      salt: content === '' ? null : cell('salt'),
      mac: cell('mac'),
      proof: proof === 'none' ? null : hashes,
      ...(problem === '' ? {} : { problem }),
    };
  }
}

/** Lines of which the first was taken already. */
async function* all(first: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/**
 * The lines of an export in either form, which its first line tells.
 * @param lines without their ends
 * @throws PlatformError `AuditRefused`
 */
export async function* readExport(lines: AsyncIterable<string>): AsyncGenerator<ExportHead | ExportEntry> {
  const iterator = lines[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  if (first.value.startsWith(csvColumns.join(','))) {
    yield* readCsv(all(first.value, iterator));
    return;
  }
  let line = 0;
  for (let next: IteratorResult<string> = first; !next.done; next = await iterator.next()) {
    line += 1;
    if (next.value !== '') yield fromJson(next.value, line);
  }
}
