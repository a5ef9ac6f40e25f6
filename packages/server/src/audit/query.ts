/** What is read out of the log: entries that somebody looks for, exports with their proofs, the files of the tree, and cosignatures. */
import { PlatformError } from '@cloister/protocol';
import { type AuditEntry, type AuditSearch, type AuditStore, type Keys, sealedContext } from '../core/index.ts';
import { openCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { type AuditContent, type Opened, parseContent } from './entry.ts';
import { type ExportEntry, type ExportHead, type Former, printClaim, problemOf } from './export.ts';
import { KnownPath } from './known-path.ts';
import type { AuditLog } from './log.ts';
import { consistencyRanges, type Hash, hashOf, inclusionRanges, isConsistent } from './merkle.ts';
import type { NoteKey } from './note.ts';
import { readTilesFor, storedTiles } from './stored-tiles.ts';
import { bundleBytes, nodesIn, parseTilePath, tileBytes, tileWidth, widthOf } from './tile.ts';

interface QueryDeps {
  readonly log: AuditLog;
  readonly store: AuditStore;
  readonly keys: Pick<Keys, 'open'>;
  /** Keys of witnesses whose cosignatures are taken. */
  readonly witnesses: readonly NoteKey[];
  now(): number;
}

/** An entry that was found, for people; content null when it was destroyed or does not open. */
export interface Found {
  readonly index: number;
  readonly content: AuditContent | null;
}

/** Entries of an export that are read at once: the tiles of two, whole. */
const exportRows = 2 * tileWidth;
const base64 = (hashes: readonly Hash[]) => hashes.map((hash) => hash.toString('base64'));

export class AuditQuery {
  readonly #deps: QueryDeps;

  constructor(deps: QueryDeps) {
    this.#deps = deps;
  }

  /** By index. @param limit how many at most */
  async search(search: AuditSearch, limit: number): Promise<Found[]> {
    const rows = await this.#deps.store.entries(search, limit);
    return rows.map((row) => ({ index: row.index, content: contentIn(this.#open(row)) }));
  }

  /** An export, line by line. @param since an older checkpoint, to be proven from. @throws PlatformError `AuditLogBroken`, `AuditForked` */
  async *export(search: AuditSearch, since?: string): AsyncGenerator<ExportHead | ExportEntry> {
    const { log, store } = this.#deps;
    const signed = log.signed();
    const { origin, size, root } = signed;
    // Of a whole log every entry is promised, whether or not its row is there.
    const end = Math.min(search.end ?? size, size);
    const whole = Object.values(search).every((value) => value === undefined);
    const [indexes, destroyed, witnessed, former] = await Promise.all([
      whole ? Array.from({ length: size }, (_, index) => index) : store.indexes({ ...search, end }),
      this.destroyed(),
      this.#witnessed(signed),
      since === undefined ? null : this.#former(since, signed),
    ]);
    const destroyedBefore = destroyed?.before ?? 0;
    yield {
      head: log.sign(printClaim({ origin, size, root, search, destroyedBefore, indexes })),
      checkpoint: log.checkpoint,
      witnessed,
      since: former,
    };
    const path = new KnownPath(size, root);
    for (let first = 0; first < indexes.length; ) {
      const rows = await store.entries({ ...search, first: indexes[first], end }, exportRows);
      if (rows.length === 0) return;
      yield* this.#lines(rows, path, size);
      first = indexes.findIndex((index) => index > rows.at(-1)!.index);
      if (first < 0) return;
    }
  }

  async *#lines(rows: readonly AuditEntry[], path: KnownPath, size: number): AsyncGenerator<ExportEntry> {
    const ranges = rows.filter(({ index }) => index < size).flatMap(({ index }) => inclusionRanges(index, size));
    const nodes = nodesIn(await readTilesFor(this.#deps.store, ranges, size));
    for (const row of rows) {
      const opened = this.#open(row);
      let proof: string[] | null = null;
      try {
        proof = base64(path.proof(nodes, row.index));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      const { content, salt } = opened ?? { content: null, salt: null };
      const problem = opened
        ? problemOf(row, Object(contentIn(opened)))
        : row.sealed === null
          ? undefined
          : 'what is stored of it does not open';
      yield {
        index: row.index,
        content,
        salt,
        mac: row.mac.toString('base64'),
        proof,
        ...(problem ? { problem } : {}),
      };
    }
  }

  /**
   * A file below the log's address: `checkpoint`, a tile or a bundle. Null where the log has none of that name.
   * @throws PlatformError `AuditLogBroken`
   */
  async file(path: string): Promise<Buffer | null> {
    const { log, store } = this.#deps;
    const wanted = parseTilePath(path);
    if (!wanted) return null;
    const { level, index, width } = wanted;
    const { size } = log.signed();
    if (width > widthOf({ level: level === 'entries' ? 0 : level, index }, size)) return null;
    const first = index * tileWidth;
    if (level === 'entries') {
      const rows = await store.entries({ first, end: first + width }, width);
      return rows.length === width ? bundleBytes(rows.map(({ mac }) => mac)) : null;
    }
    const [tile] = await storedTiles(store, [{ level, index }], size);
    return tile ? tileBytes(tile.hashes.slice(0, width)) : null;
  }

  /**
   * Takes a checkpoint that a witness signed.
   * @throws PlatformError `AuditRefused` for what is no checkpoint of this log, `WitnessUnknown`, `AuditForked`
   */
  async cosign(note: string): Promise<{ witness: string; size: number }> {
    const { log, store, witnesses, now } = this.#deps;
    const signed = openCheckpoint(note, [...log.keys, ...witnesses]);
    if (!signed) throw new PlatformError('AuditRefused', { why: 'this is no checkpoint that this log signed' });
    const witness = signed.signers.find(({ key }) => key.kind === 'cosignature');
    if (!witness) throw new PlatformError('WitnessUnknown');
    await this.#former(note, log.signed());
    const { name } = witness.key;
    const last = (await store.witnessed()).find((each) => each.name === name);
    const before = last && openCheckpoint(last.checkpoint, log.keys);
    if (!before || before.size <= signed.size) await store.putWitnessed({ name, checkpoint: note, at: now() });
    return { witness: name, size: signed.size };
  }

  async #witnessed(now: SignedCheckpoint): Promise<Former[]> {
    const all = await this.#deps.store.witnessed();
    return Promise.all(all.map(({ checkpoint }) => this.#former(checkpoint, now)));
  }

  /** The proof from an older checkpoint. @throws PlatformError `AuditForked` where there is none, `AuditRefused` */
  async #former(note: string, now: SignedCheckpoint): Promise<Former> {
    const { log, store } = this.#deps;
    const older = openCheckpoint(note, log.keys);
    if (!older) throw new PlatformError('AuditRefused', { why: 'this is no checkpoint that this log signed' });
    if (older.size > now.size) {
      throw new PlatformError('AuditForked', { why: `it has ${now.size} entries, and had ${older.size}` });
    }
    const ranges = consistencyRanges(older.size, now.size);
    const nodes = nodesIn(await readTilesFor(store, ranges, now.size));
    const proof = ranges.map((range) => hashOf(nodes, range));
    if (!isConsistent(older, now, proof)) {
      throw new PlatformError('AuditForked', {
        why: `its first ${older.size} entries are not those of that checkpoint`,
      });
    }
    return { checkpoint: note, proof: base64(proof) };
  }

  /** What the log says was destroyed last: content below an index, except that of some projects. Null for nothing. */
  async destroyed(): Promise<{ readonly before: number; readonly held: readonly string[] } | null> {
    const index = (await this.#deps.store.indexes({ action: 'audit.destroyed' })).at(-1);
    const [said] = index === undefined ? [] : await this.search({ first: index }, 1);
    return said?.content ? (said.content.detail as { before: number; held: string[] }) : null;
  }

  #open({ index, sealed }: AuditEntry): Opened | null {
    if (sealed === null) return null;
    try {
      return JSON.parse(this.#deps.keys.open(null, sealedContext.auditEntry(index), sealed)) as Opened;
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'SealBroken') return null;
      throw error;
    }
  }
}

function contentIn(opened: Opened | null): AuditContent | null {
  return opened && parseContent(opened.content);
}
