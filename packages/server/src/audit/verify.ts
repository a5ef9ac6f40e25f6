/**
 * Checks an export of the log, offline and from its lines alone: who signed it, whether it has every entry that it says,
 * each as it was signed and in its place, and whether the log goes on from older checkpoints. It ends at the first entry
 * that is not so, and names it.
 */
import { PlatformError } from '@cloister/protocol';
import { type Checkpoint, openCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { macOf, parseContent, saltBytes } from './entry.ts';
import { type ExportClaim, type ExportEntry, type ExportHead, type Former, parseClaim } from './export.ts';
import { KnownPath } from './known-path.ts';
import { type Hash, hashBytes, isConsistent, leafHash, nodesOf, rootOf } from './merkle.ts';
import { type NoteKey, parseNote, signersOf } from './note.ts';
import { readTile } from './tile.ts';

/** What is wrong with an entry. */
export type Fault = 'changed' | 'removed' | 'reordered' | 'forged';

export interface VerifiedExport {
  readonly checkpoint: SignedCheckpoint;
  /** How many entries it has. */
  readonly entries: number;
  /** Of how many of them content and salt were destroyed. */
  readonly destroyed: number;
  /** Whether it has the whole log. */
  readonly whole: boolean;
  /** Checkpoints that it was shown to go on from, by witnesses and by whoever asked. */
  readonly former: readonly SignedCheckpoint[];
  /** The root of its first entries; null where it has not all of them. */
  rootAt(size: number): Hash | null;
}

/** @throws PlatformError `AuditRefused` that names the first entry that is wrong */
function refuse(why: string, index?: number, fault?: Fault): never {
  throw new PlatformError('AuditRefused', {
    why: index === undefined ? why : `entry ${index} was ${fault}: ${why}`,
    ...(index === undefined ? {} : { index, fault: fault! }),
  });
}

/** A checkpoint with its signatures checked. @throws PlatformError `AuditKeyUnknown`, `AuditRefused` */
export function verifyCheckpoint(text: string, keys: readonly NoteKey[]): SignedCheckpoint {
  const signed = openCheckpoint(text, keys);
  if (signed) return signed;
  const note = parseNote(text);
  if (!note) return refuse('a checkpoint is not a signed note');
  const known = note.signatures.some(({ name, id }) => keys.some((key) => key.name === name && key.id === id));
  if (known) return refuse('a checkpoint has a signature that is not good');
  throw new PlatformError('AuditKeyUnknown', { why: `the log is called ${note.text.split('\n', 1)[0]}` });
}

/** Hashes out of base64; null where one is none. */
function hashesOf(texts: readonly unknown[]): Hash[] | null {
  const hashes = texts.map((text) => Buffer.from(String(text), 'base64'));
  return hashes.every((hash) => hash.length === hashBytes) ? hashes : null;
}

/** @throws PlatformError `AuditRefused` */
function verifyFormer({ checkpoint, proof }: Former, now: Checkpoint, keys: readonly NoteKey[]): SignedCheckpoint {
  const older = verifyCheckpoint(checkpoint, keys);
  const hashes = hashesOf(proof);
  if (older.origin !== now.origin || !hashes || !isConsistent(older, now, hashes)) {
    const why = `it does not go on from the checkpoint over ${older.size} entries: it was forked, or changed below that`;
    throw new PlatformError('AuditForked', { why });
  }
  return older;
}

function verifyHead(line: ExportHead, keys: readonly NoteKey[]): [SignedCheckpoint, ExportClaim] {
  const checkpoint = verifyCheckpoint(line.checkpoint, keys);
  const note = parseNote(line.head);
  const own = keys.filter(({ name, kind }) => name === checkpoint.origin && kind === 'note');
  const signers = note && signersOf(note, own);
  if (!signers || signers.length === 0) return refuse('its head is not signed by the log');
  // Only then is it read: who makes up a head does not make us list what it says.
  const claim = parseClaim(note.text);
  if (!claim) return refuse('its head cannot be read');
  const same =
    claim.origin === checkpoint.origin && claim.size === checkpoint.size && claim.root.equals(checkpoint.root);
  return same ? [checkpoint, claim] : refuse('its head is of another checkpoint');
}

/** What is wrong with an entry alone, before its place in the tree is looked at. */
function verifyContent({ index, content, salt, mac, problem }: ExportEntry, destroyedBefore: number): void {
  if (content === null || salt === null) {
    if (problem !== undefined) refuse(problem, index, 'changed');
    if (index >= destroyedBefore) refuse('its content is gone, and the log does not say so', index, 'removed');
    return;
  }
  if (!parseContent(content)) refuse('its content cannot be read', index, 'changed');
  if (problem !== undefined) refuse(problem, index, 'changed');
  if (Buffer.from(salt, 'base64').length !== saltBytes) refuse('its salt has not 32 bytes', index, 'changed');
  if (macOf({ content, salt }).toString('base64') !== mac)
    refuse('its content is not what was hashed', index, 'changed');
}

/**
 * Checks an export.
 * @param lines the head, then the entries
 * @param keys of the log and, where their cosignatures are to count, of witnesses
 * @throws PlatformError `AuditRefused`, `AuditKeyUnknown`, `AuditForked`
 */
export async function verifyExport(
  lines: AsyncIterable<ExportHead | ExportEntry>,
  keys: readonly NoteKey[],
): Promise<VerifiedExport> {
  const iterator = lines[Symbol.asyncIterator]();
  const first = (await iterator.next()).value as ExportHead | ExportEntry | undefined;
  if (!first || !('head' in first)) return refuse('it has no head');
  const [checkpoint, claim] = verifyHead(first, keys);
  const former = [...first.witnessed, ...(first.since ? [first.since] : [])].map((each) =>
    verifyFormer(each, checkpoint, keys),
  );
  const path = new KnownPath(checkpoint.size, checkpoint.root);
  const whole = claim.indexes.length === checkpoint.size;
  // One piece of memory for all of a long log.
  const leaves = Buffer.alloc(whole ? checkpoint.size * hashBytes : 0);
  let destroyed = 0;
  let at = 0;
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const entry = next.value as ExportEntry;
    const expected = claim.indexes[at];
    if (entry.index !== expected) await misplaced(entry, expected, claim, iterator);
    verifyContent(entry, claim.destroyedBefore);
    const leaf = leafHash(Buffer.from(entry.mac, 'base64'));
    const proof = entry.proof && hashesOf(entry.proof);
    if (!proof || !path.accept(entry.index, leaf, proof))
      refuse('it is not in the tree that was signed', entry.index, 'changed');
    if (entry.content === null) destroyed += 1;
    if (whole) leaf.copy(leaves, at * hashBytes);
    at += 1;
  }
  if (at < claim.indexes.length) refuse('the export was signed with it', claim.indexes[at]!, 'removed');
  const rootAt = (size: number) => {
    const first = readTile(leaves.subarray(0, size * hashBytes), size);
    return whole && first ? rootOf(nodesOf(first), size) : null;
  };
  return { checkpoint, entries: at, destroyed, whole, former, rootAt };
}

/** An entry stands where another should: says what became of the one that was expected. */
async function misplaced(
  entry: ExportEntry,
  expected: number | undefined,
  claim: ExportClaim,
  rest: AsyncIterator<ExportHead | ExportEntry>,
): Promise<never> {
  if (expected === undefined || !claim.indexes.includes(entry.index) || entry.index < expected) {
    return refuse('the export was not signed with it at this place', entry.index, 'forged');
  }
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    if ((next.value as ExportEntry).index === expected)
      return refuse('it comes later than its place', expected, 'reordered');
  }
  return refuse('the export was signed with it', expected, 'removed');
}
