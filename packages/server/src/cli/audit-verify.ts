/** `cloister audit verify`: whether exports, mirrors and checkpoints of a log are what was signed. It asks no server. */
import { readFile, stat } from 'node:fs/promises';
import { PlatformError } from '@cloister/protocol';
import {
  readExport,
  type SignedCheckpoint,
  type VerifiedExport,
  verifyCheckpoint,
  verifyExport,
  verifyMirror,
} from '../audit/index.ts';
import { type Fetch, linesOf, logIn, readNoteKeys } from './audit-source.ts';
import { badRequest } from './bad-request.ts';

export interface AuditVerifyWords {
  /** Exports, checkpoints, and folders that have a mirror. */
  readonly files: readonly string[];
  readonly keys: readonly string[];
}

/** What was read out of a file. */
interface Shown {
  readonly file: string;
  readonly kind: 'export' | 'checkpoint' | 'mirror';
  readonly checkpoint: SignedCheckpoint;
  /** The root of the log when it was shorter, where this file tells. */
  rootAt(size: number): Buffer | null;
  readonly found?: VerifiedExport;
}

/**
 * Checks each file by itself, then all of them against each other: the longest checkpoint goes on from all others.
 * @returns what was verified
 * @throws PlatformError `AuditRefused` that names the first entry that is wrong, `AuditForked`, `AuditKeyUnknown`;
 *   `BadRequest` for words that cannot be followed
 */
export async function verifyAuditCommand(
  { files, keys: sources }: AuditVerifyWords,
  fetch: Fetch,
): Promise<Record<string, unknown>> {
  if (sources.length === 0) badRequest('--key is needed: the keys of the log, which you keep: /cloister/v1/audit/keys');
  const keys = await readNoteKeys(sources, fetch);
  const shown: Shown[] = [];
  for (const file of files) shown.push(await read(file, keys));
  shown.sort((a, b) => a.checkpoint.size - b.checkpoint.size);
  const last = shown.at(-1)!;
  for (const each of shown) requireContinued(each, last, shown);
  const { origin, size, root } = last.checkpoint;
  return {
    origin,
    size,
    root: root.toString('base64'),
    files: shown.map(({ file, kind, checkpoint, found }) => ({
      file,
      kind,
      size: checkpoint.size,
      entries: found?.entries ?? null,
      destroyed: found?.destroyed ?? null,
      signers: signersOf([checkpoint, ...(found?.former ?? [])]),
    })),
  };
}

/** Who signed, each once; a witness with the size that it signed last. */
function signersOf(checkpoints: readonly SignedCheckpoint[]): string {
  const names = checkpoints.flatMap(({ size, signers }) =>
    signers.map(({ key, at }) =>
      at === null ? key.name : `${key.name} (${size} at ${new Date(at * 1000).toISOString()})`,
    ),
  );
  return [...new Set(names)].join(', ');
}

async function read(file: string, keys: Parameters<typeof verifyMirror>[1]): Promise<Shown> {
  const facts = await stat(file).catch((cause: NodeJS.ErrnoException) => badRequest(`${file}: ${cause.code}`, cause));
  if (facts.isDirectory()) {
    const mirror = await verifyMirror(logIn(file), keys);
    return { file, kind: 'mirror', checkpoint: mirror.checkpoint, rootAt: mirror.rootAt };
  }
  const lines = linesOf(file);
  const first = (await lines.next()).value ?? '';
  await lines.return(undefined);
  if (first.startsWith('{') || first.startsWith('index,')) {
    const found = await verifyExport(readExport(linesOf(file)), keys);
    return { file, kind: 'export', checkpoint: found.checkpoint, rootAt: found.rootAt, found };
  }
  const checkpoint = verifyCheckpoint(await readFile(file, 'utf8'), keys);
  return { file, kind: 'checkpoint', checkpoint, rootAt: () => null };
}

/** @throws PlatformError `AuditForked`, or `BadRequest` where no file shows it */
function requireContinued(older: Shown, last: Shown, all: readonly Shown[]): void {
  const { origin, size, root } = older.checkpoint;
  const forked = (why: string): never => {
    throw new PlatformError('AuditForked', { why });
  };
  if (origin !== last.checkpoint.origin)
    forked(`${older.file} is of ${origin}, ${last.file} of ${last.checkpoint.origin}`);
  if (size === last.checkpoint.size) {
    if (!root.equals(last.checkpoint.root))
      forked(`${older.file} and ${last.file} have the same ${size} entries and two roots`);
    return;
  }
  // Every file that goes as far as the last one, or is shown to lead there, may tell what the root was.
  const telling = all.filter(({ checkpoint }) => checkpoint.size === last.checkpoint.size);
  const proven = telling.some(({ found }) =>
    found?.former.some((each) => each.size === size && each.root.equals(root)),
  );
  if (proven) return;
  const roots = telling.map(({ rootAt }) => rootAt(size)).filter((each) => each !== null);
  if (roots.some((each) => !each.equals(root)))
    forked(`${last.file} does not begin with the ${size} entries of ${older.file}`);
  if (roots.length === 0) {
    badRequest(`nothing shows that ${last.file} goes on from ${older.file}: export it with --checkpoint ${older.file}`);
  }
}
