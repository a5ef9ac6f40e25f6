/**
 * The keys of one client in an end-to-end encrypted session: its own, told to the others before it seals, and those of the others,
 * as they tell them. A secret that changes changes them all, without a gap for those who change it in time.
 */
import type { EventData, FrameKeyShape } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { Clock } from '../clock.ts';
import { fromBase64Url, toBase64Url } from './base64url.ts';
import type { FrameKeys } from './frame-layer.ts';
import { nonceBytes, proofBytes, SessionSecret } from './secret.ts';

/** Whose frames the own key seals. */
export const self = 'self';

export interface EndToEndDeps {
  readonly sessionId: string;
  readonly secret: string;
  readonly keys: FrameKeys;
  readonly clock: Clock;
  /** Tells the others of the own key; rejects when the server refuses. */
  announce(key: FrameKeyShape): Promise<unknown>;
  /** Somebody has another secret than this client, or the same again. */
  matches(connectionId: string, matches: boolean): void;
}

/** What is known of somebody else's keys. */
interface Other {
  /** The latest that it told of. */
  notice: FrameKeyShape;
  /** Ids of those that open its frames, and the secret that each is of. */
  readonly opens: Map<number, SessionSecret>;
  matches: boolean | null;
  cancelVerdict: () => void;
}

export class EndToEnd {
  readonly #deps: EndToEndDeps;
  readonly #others = new Map<string, Other>();
  readonly #gone = new Set<string>();
  #secret: Promise<SessionSecret>;
  #connectionId: string | null = null;
  #keyId = 0;
  /** Of a secret that was changed, until its time is over. */
  #cancels: (() => void)[] = [];
  /** What is told and changed happens one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Begins at once to stretch the secret. @throws nothing; a secret that is none makes `begin` reject with a RangeError */
  constructor(deps: EndToEndDeps) {
    this.#deps = deps;
    this.#secret = SessionSecret.stretch(deps.secret, deps.sessionId);
    this.#secret.catch(() => undefined);
  }

  /** Makes this client's first key, tells of it, and seals with it. Rejects when the server refuses it. */
  begin(connectionId: string): Promise<void> {
    this.#connectionId = connectionId;
    return this.#next(async () => {
      const seal = await this.#announced(await this.#secret);
      seal();
    });
  }

  /** Another key of the same secret, since the one that seals is worn. */
  renew(): Promise<void> {
    return this.#next(async () => this.#later(await this.#announced(await this.#secret)));
  }

  /**
   * Another secret. Resolves when the others were told; frames are sealed with it `frameKeyLeadSeconds` later. Who does not take it
   * up is not understood any more after `frameKeyGraceSeconds`.
   * Rejects with a RangeError for a secret that is none, and when the server refuses; then the secret stays.
   */
  change(secret: string): Promise<void> {
    return this.#next(async () => {
      const changed = await SessionSecret.stretch(secret, this.#deps.sessionId);
      const seal = await this.#announced(changed);
      this.#secret = Promise.resolve(changed);
      this.#later(seal);
      this.#after(limits.frameKeyGraceSeconds, () => this.#forgetAllBut(changed));
      for (const [connectionId, other] of this.#others) await this.#opened(connectionId, other, changed);
    });
  }

  /** Somebody else told of a key. What is no news changes nothing. Rejects with a RangeError or DOMException for what makes no sense. */
  heard({ connectionId, key }: EventData<'frameKeyAnnounced'>): Promise<void> {
    return this.#next(async () => {
      const known = this.#others.get(connectionId);
      if (known && key.keyId <= known.notice.keyId) return;
      checkNotice(key);
      // Ids of connections are never given again: what comes under one that left was recorded before.
      if (this.#gone.has(connectionId)) throw new RangeError(`${connectionId} has left, and tells of a key`);
      const other = known ?? { notice: key, opens: new Map(), matches: null, cancelVerdict: () => undefined };
      other.notice = key;
      this.#others.set(connectionId, other);
      other.cancelVerdict();
      if (!(await this.#opened(connectionId, other, await this.#secret))) this.#differs(connectionId, other);
    });
  }

  /** Somebody left. */
  left(connectionId: string): void {
    void this.#next(async () => {
      this.#gone.add(connectionId);
      const other = this.#others.get(connectionId);
      if (!other) return;
      other.cancelVerdict();
      this.#others.delete(connectionId);
      this.#deps.keys.forget(connectionId);
    });
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#cancels) cancel();
    for (const { cancelVerdict } of this.#others.values()) cancelVerdict();
  }

  // ---------------------------------------------------------------------------------------------------------------- own

  /** Makes a key and tells of it. @returns how to begin to seal with it */
  async #announced(secret: SessionSecret): Promise<() => void> {
    const keyId = this.#keyId;
    this.#keyId += 1;
    const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
    const connectionId = this.#connectionId as string;
    const { baseKey, proof } = await secret.senderKey({ connectionId, keyId, nonce });
    await this.#deps.announce({ keyId, nonce: toBase64Url(nonce), proof: toBase64Url(proof) });
    return () => this.#deps.keys.sealWith(self, keyId, baseKey);
  }

  /** The others need time for a key, or for the secret that it is of. */
  #later(seal: () => void): void {
    this.#after(limits.frameKeyLeadSeconds, seal);
  }

  // ------------------------------------------------------------------------------------------------------------- others

  /** Opens somebody's frames with its latest key. @returns whether that is of this secret */
  async #opened(connectionId: string, other: Other, secret: SessionSecret): Promise<boolean> {
    const { keyId, nonce, proof } = other.notice;
    const baseKey = await secret.keyOf({ connectionId, keyId, nonce: fromBase64Url(nonce) }, fromBase64Url(proof));
    if (!baseKey) return false;
    other.cancelVerdict();
    if (!other.opens.has(keyId)) this.#deps.keys.openWith(connectionId, keyId, baseKey);
    other.opens.set(keyId, secret);
    for (const old of [...other.opens.keys()].slice(0, -limits.frameKeysKept)) other.opens.delete(old);
    this.#tell(connectionId, other, true);
    return true;
  }

  /** Somebody has another secret. While frames of an older key still open, there is time to take up the same. */
  #differs(connectionId: string, other: Other): void {
    const verdict = () => this.#tell(connectionId, other, false);
    if (other.opens.size === 0) verdict();
    else other.cancelVerdict = this.#deps.clock.after(limits.frameKeyLeadSeconds * 1000, verdict);
  }

  /** Keys of other secrets than this one open nothing any more. */
  #forgetAllBut(secret: SessionSecret): void {
    void this.#next(async () => {
      // A later change has a time of its own.
      if ((await this.#secret) !== secret) return;
      for (const [connectionId, other] of this.#others) {
        const old = [...other.opens].flatMap(([keyId, of]) => (of === secret ? [] : [keyId]));
        for (const keyId of old) other.opens.delete(keyId);
        if (old.length > 0) this.#deps.keys.stopKeys(connectionId, old);
        if (other.opens.size === 0) this.#tell(connectionId, other, false);
      }
    });
  }

  #tell(connectionId: string, other: Other, matches: boolean): void {
    if (this.#closed || other.matches === matches) return;
    other.matches = matches;
    this.#deps.matches(connectionId, matches);
  }

  // ------------------------------------------------------------------------------------------------------------- order

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  #after(seconds: number, task: () => void): void {
    this.#cancels.push(this.#deps.clock.after(seconds * 1000, task));
  }
}

/** @throws RangeError or DOMException for what no client tells */
function checkNotice({ nonce, proof }: FrameKeyShape): void {
  if (fromBase64Url(nonce).length !== nonceBytes) throw new RangeError(`a nonce has ${nonceBytes} bytes`);
  if (fromBase64Url(proof).length !== proofBytes) throw new RangeError(`a proof has ${proofBytes} bytes`);
}
