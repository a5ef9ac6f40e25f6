/**
 * The audit log: follows the outbox in order, puts each act into the tree, and signs a checkpoint over what it has.
 *
 * - An act is in the outbox in its change's own transaction; here it only gets its place. Entries, tiles, checkpoint and the
 *   reader's position are one transaction, so whatever dies in between, nothing is twice in the log and nothing is left out.
 * - Events carry a sequence without a gap. A gap means that somebody took events away before they were here: the log says
 *   so in an entry of its own, and in the journal.
 * - The last checkpoint is kept outside the database too. A database that does not hold what that checkpoint says was rolled
 *   back or changed: then nothing is signed any more, the journal says so, and calls go on.
 */
import { setImmediate } from 'node:timers/promises';
import { asPlatformError, limits, PlatformError } from '@cloister/protocol';
import {
  type Actor,
  type AuditEntry,
  type AuditHead,
  auditReader,
  type Journal,
  type Keys,
  type Recorded,
  type Store,
  sealedContext,
  type Unreadable,
} from '../core/index.ts';
import type { Cancel, Clock, Ids } from '../lib/index.ts';
import { openCheckpoint, printCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { type AuditContent, contentOf, macOf, ownContent, salted, unreadableContent } from './entry.ts';
import { examine, growingTree, noteKeysOf } from './examine.ts';
import { emptyRoot, leafHash } from './merkle.ts';
import { type NoteKey, noteKey, printNote } from './note.ts';
import { GrowingTree, tileBytes } from './tile.ts';

/** Where the last checkpoint is kept, outside the database. */
export interface Outside {
  read(): Promise<string | null>;
  write(note: string): Promise<void>;
}

export interface AuditLogDeps {
  readonly store: Pick<Store, 'audit' | 'outbox' | 'projects'>;
  readonly keys: Pick<Keys, 'seal' | 'open' | 'signBytes' | 'publicKeys' | 'leakedKeys'>;
  readonly outside: Outside;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly journal: Journal;
}

/** `behind`: acts wait for longer than they should. `broken`: the database does not hold what was signed. */
export type AuditState = 'ok' | 'behind' | 'broken';

/** What comes within this is signed together. */
const gatherMs = 1000;
const retryMs = 1000;
/** An act is in the tree within this, or the log is behind. */
const behindMs = 10_000;
/** Then others have their turn: a millisecond or two, so that no call waits for a long batch. */
const sealedAtOnce = 50;
/** Accounts of projects that are remembered. */
const rememberedProjects = 10_000;

export class AuditLog {
  readonly #deps: AuditLogDeps;
  #head: AuditHead;
  #tree: GrowingTree | null = null;
  /** Why nothing is signed any more. */
  #broken: string | null = null;
  /** Since when something waits; null when nothing does. */
  #waitingSince: number | null = null;
  #following: Promise<void> | null = null;
  #step: Promise<unknown> = Promise.resolve();
  #again = false;
  #stopped = true;
  #unwatch: () => void = () => {};
  #cancelTimer: Cancel = () => {};
  #timer = false;
  #lastRun = Number.NEGATIVE_INFINITY;
  readonly #watchers = new Set<() => void>();
  readonly #accounts = new Map<string, string | null>();

  private constructor(deps: AuditLogDeps, head: AuditHead) {
    this.#deps = deps;
    this.#head = head;
  }

  /** Opens the log, or begins it, and checks it against the checkpoint outside. It signs nothing before `start`. */
  static async open(deps: AuditLogDeps): Promise<AuditLog> {
    const outside = await deps.outside.read();
    const stored = await deps.store.audit.head();
    const origin = stored?.origin ?? `cloister/audit/${deps.ids.token(16)}`;
    const log = new AuditLog(deps, stored ?? { origin, size: 0, checkpoint: '', sequence: 0 });
    if (!stored && outside === null) await log.#begin();
    // The process died between the word that the key had leaked and the next signature.
    else if (await log.#takeUp(stored, outside)) {
      await log.#own([ownContent(log.#now(), 'audit.resigned', { size: log.size })]);
    }
    return log;
  }

  /** Goes on from what the database has, if that is what was signed. @returns whether a key signed it that has leaked */
  async #takeUp(stored: AuditHead | null, outside: string | null): Promise<boolean> {
    const { store, keys } = this.#deps;
    const { why, tree, leaked } = await examine(stored, outside, { store: store.audit, keys });
    this.#head = stored ?? this.#head;
    this.#tree = tree;
    this.#broken = why;
    if (why !== null) this.#alarm();
    return leaked;
  }

  get origin(): string {
    return this.#head.origin;
  }

  get state(): AuditState {
    if (this.#broken !== null) return 'broken';
    const waits = this.#waitingSince !== null && this.#deps.clock.now() - this.#waitingSince > behindMs;
    return waits ? 'behind' : 'ok';
  }

  /** How many entries were signed. */
  get size(): number {
    return this.#head.size;
  }

  /** Why the log is broken; null while it is not. */
  get why(): string | null {
    return this.#broken;
  }

  /** The last signed checkpoint. */
  get checkpoint(): string {
    return this.#head.checkpoint;
  }

  /** The keys that checkpoints of this log may be signed with, the retired ones too. */
  get keys(): NoteKey[] {
    return noteKeysOf(this.origin, this.#deps.keys.publicKeys('audit'));
  }

  /** The last checkpoint with its signature checked. @throws PlatformError `AuditLogBroken` */
  signed(): SignedCheckpoint {
    const signed = openCheckpoint(this.checkpoint, this.keys);
    if (!signed) throw new PlatformError('AuditLogBroken', { why: this.#broken ?? 'its checkpoint is not signed' });
    return signed;
  }

  /** Signs a text with the log's key, as a note. */
  sign(text: string): string {
    const { key, signature } = this.#deps.keys.signBytes('audit', Buffer.from(text));
    const { name, id } = noteKey(this.origin, 'note', Buffer.from(key.x, 'base64url'));
    return printNote({ text, signatures: [{ name, id, bytes: signature }] });
  }

  start(): void {
    if (this.#broken !== null) return;
    this.#stopped = false;
    this.#unwatch = this.#deps.store.outbox.watch(() => this.#wake());
    void this.follow();
  }

  /** Puts in what has happened so far, and stops following. */
  async stop(): Promise<void> {
    this.#unwatch();
    this.#cancelTimer();
    if (!this.#stopped) await this.follow();
    this.#stopped = true;
    this.#cancelTimer();
  }

  /** Calls `wake` when the log has grown, or is broken; returns how to stop. */
  watch(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => void this.#watchers.delete(wake);
  }

  #tell(): void {
    for (const wake of this.#watchers) wake();
  }

  /** Resolves when all that was in the outbox before the call is in the log, or could not be put there. */
  async follow(): Promise<void> {
    if (this.#broken !== null) return;
    this.#waitingSince ??= this.#deps.clock.now();
    this.#again = true;
    this.#following ??= this.#run().finally(() => {
      this.#following = null;
    });
    await this.#following;
  }

  /** Signs the checkpoint anew: its key was rotated, or has leaked. */
  async resign(): Promise<void> {
    await this.#own([]);
  }

  /**
   * Goes on from what the database has, though that is not what was signed last; the log says so, and what it was.
   * @param reason in the operator's own words
   * @throws PlatformError `WrongState` where it is not broken, `AuditLogBroken` where the database itself is not whole
   */
  async repair(actor: Actor, reason: string): Promise<void> {
    const { store, keys, outside } = this.#deps;
    if (this.#broken === null) throw new PlatformError('WrongState', { why: 'the audit log is not broken' });
    const stored = await store.audit.head();
    const { why, tree, kept } = await examine(stored, await outside.read(), { store: store.audit, keys });
    if (!stored || !tree) throw new PlatformError('AuditLogBroken', { why: why ?? this.#broken });
    const was = this.#broken;
    this.#head = stored;
    this.#tree = tree;
    this.#broken = null;
    const before = kept && { origin: kept.origin, size: kept.size, root: kept.root.toString('base64') };
    const detail = { why: why ?? was, reason, signed: before };
    try {
      await this.#own([{ ...ownContent(this.#now(), 'audit.repaired', detail), actor }]);
    } catch (error) {
      this.#broken = was;
      throw error;
    }
    this.start();
  }

  /** A step that no event asks for; signs in any case. */
  async #own(contents: readonly AuditContent[]): Promise<void> {
    if (this.#broken !== null) return;
    await this.#exclusive(() => this.#append(contents, { sequence: this.#head.sequence, position: null }));
  }

  /** One step after the other. */
  #exclusive<Result>(step: () => Promise<Result>): Promise<Result> {
    const run = this.#step.then(step);
    this.#step = run.catch(() => undefined);
    return run;
  }

  #wake(): void {
    this.#waitingSince ??= this.#deps.clock.now();
    const early = this.#lastRun + gatherMs - this.#deps.clock.now();
    if (early <= 0) void this.follow();
    else this.#later(early);
  }

  #later(ms: number): void {
    if (this.#timer) return;
    this.#timer = true;
    this.#cancelTimer = this.#deps.clock.after(ms, () => void this.follow());
  }

  /**
   * Destroys salt and content of entries below an index, except those of projects that are held; says so in the log first.
   * @throws PlatformError `AuditLogBroken`
   */
  async destroy(before: number, held: readonly string[]): Promise<void> {
    if (this.#broken !== null) throw new PlatformError('AuditLogBroken', { why: this.#broken });
    await this.#own([ownContent(this.#now(), 'audit.destroyed', { before, held })]);
    await this.#deps.store.audit.destroy(before, held);
  }

  async #run(): Promise<void> {
    this.#cancelTimer();
    this.#timer = false;
    this.#lastRun = this.#deps.clock.now();
    try {
      while (this.#again) {
        this.#again = false;
        while ((await this.#exclusive(() => this.#readOnce())) === limits.auditStepEvents);
      }
      this.#waitingSince = null;
    } catch (error) {
      const { code } = asPlatformError(error);
      if (code === 'Stopping') return;
      if (code === 'WrongState') await this.#goOn().catch(() => {});
      if (this.#broken !== null) return;
      this.#deps.journal.record('error', 'acts wait for the audit log', { code });
      this.#later(retryMs);
    }
  }

  /** Another process has written the log: goes on from there, if that goes on from here. */
  async #goOn(): Promise<void> {
    await this.#exclusive(async () => void (await this.#takeUp(await this.#deps.store.audit.head(), this.checkpoint)));
  }

  /** One step: what the next events say, and a checkpoint over it. @returns how many events it was */
  async #readOnce(): Promise<number> {
    const { store } = this.#deps;
    const some = await store.outbox.read(auditReader, limits.auditStepEvents);
    const last = some.at(-1);
    if (!last) return 0;
    const contents: AuditContent[] = [];
    let { sequence } = this.#head;
    for (const each of some) {
      // Events of earlier versions have none, and come before all others.
      if (each.sequence !== null && each.sequence !== sequence + 1) contents.push(this.#gap(sequence, each.sequence));
      sequence = each.sequence ?? sequence;
      const content = await this.#contentOf(each);
      if (content) contents.push(content);
    }
    await this.#append(contents, { sequence, position: last.position });
    return some.length;
  }

  async #contentOf(each: Recorded | Unreadable): Promise<AuditContent | null> {
    if (each.event === null) return unreadableContent(each, this.#now());
    const { event } = each;
    const failed = event.type === 'act.failed' && event.subject.kind === 'account' ? event.subject.id : null;
    const named = 'accountId' in event ? event.accountId : failed;
    return contentOf(each, named ?? (await this.#accountOf(event.projectId)));
  }

  #now() {
    return { at: this.#deps.clock.now(), origin: this.origin, eventId: this.#deps.ids.uuid() };
  }

  #gap(after: number, before: number): AuditContent {
    const { journal } = this.#deps;
    journal.record('error', 'events are missing from the outbox: the audit log has a gap', { position: before });
    return ownContent(this.#now(), 'audit.gap', { after, before });
  }

  async #accountOf(projectId: string | null): Promise<string | null> {
    if (projectId === null) return null;
    const known = this.#accounts.get(projectId);
    if (known !== undefined) return known;
    const { projects, audit } = this.#deps.store;
    // A project whose name does not open has an account all the same.
    const project = await projects.get(projectId).catch((error: unknown) => {
      if (asPlatformError(error).code === 'SealBroken') return null;
      throw error;
    });
    const accountId = project?.accountId ?? (await audit.accountOf(projectId));
    if (this.#accounts.size >= rememberedProjects) this.#accounts.clear();
    this.#accounts.set(projectId, accountId);
    return accountId;
  }

  /** Puts contents into the tree. */
  async #append(
    contents: readonly AuditContent[],
    { sequence, position }: { readonly sequence: number; readonly position: number | null },
  ): Promise<void> {
    const { store, keys } = this.#deps;
    const from = this.#head;
    const entries: AuditEntry[] = [];
    for (const content of contents) {
      if (entries.length % sealedAtOnce === sealedAtOnce - 1) await setImmediate();
      const opened = salted(content);
      const index = from.size + entries.length;
      const { eventId, action, accountId, projectId } = content;
      const sealed = keys.seal(null, sealedContext.auditEntry(index), JSON.stringify(opened));
      entries.push({ index, eventId, at: content.at, action, accountId, projectId, mac: macOf(opened), sealed });
    }
    // A copy grows: where the transaction fails, the tree is as it was.
    const tree = await this.#grown(from.size);
    const tiles = tree.append(entries.map(({ mac }) => leafHash(mac)));
    const { origin } = this.#head;
    const signs = entries.length > 0 || position === null;
    const checkpoint = signs
      ? this.sign(printCheckpoint({ origin, size: tree.size, root: tree.root }))
      : this.checkpoint;
    const head = { origin, size: tree.size, checkpoint, sequence };
    const rows = tiles.map(({ level, index, hashes }) => ({ level, index, hashes: tileBytes(hashes) }));
    await store.audit.append({ from, head, entries, tiles: rows, position });
    this.#head = head;
    this.#tree = tree;
    if (signs) await this.#keepOutside();
    this.#tell();
  }

  async #grown(size: number): Promise<GrowingTree> {
    if (this.#tree?.size === size) return this.#tree.copy();
    return growingTree(this.#deps.store.audit, size);
  }

  async #keepOutside(): Promise<void> {
    try {
      await this.#deps.outside.write(this.checkpoint);
    } catch (error) {
      this.#deps.journal.record('error', 'the checkpoint of the audit log could not be kept outside the database', {
        error: error instanceof Error ? error.message : null,
      });
    }
  }

  async #begin(): Promise<void> {
    const { store } = this.#deps;
    const checkpoint = this.sign(printCheckpoint({ origin: this.origin, size: 0, root: emptyRoot }));
    this.#head = { ...this.#head, checkpoint };
    await store.audit.append({ from: null, head: this.#head, entries: [], tiles: [], position: null });
    this.#tree = new GrowingTree();
    await this.#append([ownContent(this.#now(), 'audit.begun', {})], { sequence: 0, position: null });
  }

  #alarm(): void {
    this.#deps.journal.record(
      'error',
      'the audit log is not what was signed: nothing is added to it until that is clear',
      {
        why: this.#broken,
      },
    );
    this.#tell();
  }
}
