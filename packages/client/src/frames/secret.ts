/**
 * Keys of an end-to-end encrypted session: everybody who has its secret derives the key of each sender. The secret is stretched
 * once, since people choose it; a sender's key comes of it, of a nonce that the sender tells, and of the sender's connection.
 */
import { limits } from '@cloister/protocol/limits';
import { sameBytes } from './agreement.ts';
import { type Bytes, joined, prefixed } from './sframe.ts';

/** What a sender tells of a key: who has the secret makes the key of it. */
export interface KeyNotice {
  readonly connectionId: string;
  /** Of the frames (RFC 9605, section 4.3). */
  readonly keyId: number;
  /** 16 random bytes, new for each key. */
  readonly nonce: Bytes;
}

/** A sender's base key (32 bytes), and the proof (32 bytes) that its sender has the secret. */
export interface SenderKey {
  readonly baseKey: Bytes;
  readonly proof: Bytes;
}

export const nonceBytes = 16;
export const proofBytes = 32;
const bits = 256;
const protocol = 'Cloister end-to-end frames 1';
const text = (words: string) => new TextEncoder().encode(words);

/** Whether a secret may be one: text of OpenTok's length. */
export function isSecret(secret: unknown): secret is string {
  return (
    typeof secret === 'string' &&
    secret.isWellFormed() &&
    secret.length >= limits.encryptionSecretCharsLeast &&
    secret.length <= limits.encryptionSecretChars
  );
}

/** A session's secret, stretched. */
export class SessionSecret {
  /** What was asked for last: a page that connects begins to stretch before it is told what for. */
  static #latest: { secret: string; sessionId: string; stretched: Promise<SessionSecret> } | null = null;
  readonly #base: CryptoKey;

  private constructor(base: CryptoKey) {
    this.#base = base;
  }

  /**
   * PBKDF2 (RFC 8018) with SHA-256 over the secret in Unicode's form NFC, salted with the session. Takes a quarter of a second; the same
   * again, asked for next, is there at once.
   * @throws RangeError where `isSecret` says that it is none
   */
  static stretch(secret: string, sessionId: string): Promise<SessionSecret> {
    const latest = SessionSecret.#latest;
    if (latest?.secret === secret && latest.sessionId === sessionId) return latest.stretched;
    const stretched = SessionSecret.#stretch(secret, sessionId);
    const asked = { secret, sessionId, stretched };
    SessionSecret.#latest = asked;
    stretched.catch(() => {
      if (SessionSecret.#latest === asked) SessionSecret.#latest = null;
    });
    return stretched;
  }

  static async #stretch(secret: string, sessionId: string): Promise<SessionSecret> {
    if (!isSecret(secret))
      throw new RangeError(
        `an encryption secret has ${limits.encryptionSecretCharsLeast} to ${limits.encryptionSecretChars} characters`,
      );
    const given = await crypto.subtle.importKey('raw', text(secret.normalize('NFC')), 'PBKDF2', false, ['deriveBits']);
    const how = {
      name: 'PBKDF2',
      hash: 'SHA-256',
      salt: text(sessionId),
      iterations: limits.encryptionSecretIterations,
    };
    const stretched = await crypto.subtle.deriveBits(how, given, bits);
    return new SessionSecret(await crypto.subtle.importKey('raw', stretched, 'HKDF', false, ['deriveBits']));
  }

  /** What goes into the keys of each pair of a relayed session: 32 bytes. */
  async betweenPeers(): Promise<Bytes> {
    const how = { name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(), info: prefixed(text(`${protocol} pairs`)) };
    return new Uint8Array(await crypto.subtle.deriveBits(how, this.#base, bits));
  }

  /** HKDF (RFC 5869) with SHA-512, salted with the nonce. */
  async senderKey({ connectionId, keyId, nonce }: KeyNotice): Promise<SenderKey> {
    const derive = async (word: string): Promise<Bytes> => {
      const info = joined(...[protocol, word, connectionId, String(keyId)].map((each) => prefixed(text(each))));
      const how = { name: 'HKDF', hash: 'SHA-512', salt: nonce, info };
      return new Uint8Array(await crypto.subtle.deriveBits(how, this.#base, bits));
    };
    const [baseKey, proof] = await Promise.all([derive('frames'), derive('proof')]);
    return { baseKey, proof };
  }

  /** The key of a sender that has this secret; null where its proof says that it has another. */
  async keyOf(notice: KeyNotice, proof: Uint8Array): Promise<Bytes | null> {
    const own = await this.senderKey(notice);
    return sameBytes(own.proof, proof) ? own.baseKey : null;
  }
}
