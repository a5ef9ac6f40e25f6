/**
 * The keys of two clients that send to each other: a fresh ECDH (P-384) over signalling, bound to both ends' DTLS fingerprints and to
 * the session. Each direction has a key of its own (decision 0016). Whoever relays the messages can swap them on both sides; then the
 * two ends have different security codes, and without the secret of the application different keys.
 */
import { type Bytes, joined, prefixed } from './sframe.ts';

/** What one end says of itself, and the other end is told. */
export interface FrameEnd {
  readonly connectionId: string;
  /** As in its SDP (RFC 8122): `sha-256 AB:CD:…`. */
  readonly fingerprint: string;
  /** Its ECDH key, an uncompressed point of 97 bytes. */
  readonly publicKey: Bytes;
}

/** What an end must know before it can agree with another. */
export interface Agreement {
  readonly sessionId: string;
  readonly other: FrameEnd;
  /**
   * What both ends derived, slowly, of the application's secret; null where it has none. Who swapped both ends knows all else that
   * goes in, and can try secrets against a proof.
   */
  readonly secret: Bytes | null;
}

/** What two ends agreed on. */
export interface FrameAgreement {
  /** Base keys (32 bytes) of what this end sends and of what it receives. */
  readonly sending: Bytes;
  readonly receiving: Bytes;
  /** What this end shows the other as a proof that it has the same keys, and what it must be shown. */
  readonly proof: Bytes;
  readonly proofExpected: Bytes;
  /** Sixty digits, the same at both ends where nobody stands between them. */
  readonly securityCode: string;
}

/** What the other end said cannot be agreed on. */
export class AgreementInvalid extends Error {
  override readonly name = 'AgreementInvalid';
}

const curve = { name: 'ECDH', namedCurve: 'P-384' } as const;
const pointBytes = 97;
const sharedBits = 384;
const baseKeyBits = 256;
const protocol = 'Cloister relayed frames 1';

const text = (words: string) => new TextEncoder().encode(words);

/** Some fields so that none can be taken for a part of its neighbour. */
const fields = (...all: readonly Uint8Array[]): Bytes => joined(...all.map(prefixed));

/** A fingerprint in one spelling. @throws AgreementInvalid where it is none of at least 256 bits */
function canonical(fingerprint: string): string {
  const [hash, digits, ...more] = fingerprint.trim().split(/\s+/);
  const lengths: Readonly<Record<string, number>> = { 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 };
  const length = lengths[hash?.toLowerCase() ?? ''];
  if (
    length === undefined ||
    more.length > 0 ||
    !/^[0-9a-f]{2}(:[0-9a-f]{2})*$/i.test(digits ?? '') ||
    digits?.length !== length * 3 - 1
  )
    throw new AgreementInvalid(`${JSON.stringify(fingerprint.slice(0, 80))} is no fingerprint of a certificate`);
  return `${hash?.toLowerCase()} ${digits.toUpperCase()}`;
}

/** One end of an agreement: its key lives as long as the connection between the two. */
export class FrameAgreeing {
  readonly #keys: CryptoKeyPair;
  #used = false;
  readonly end: FrameEnd;

  private constructor(keys: CryptoKeyPair, end: FrameEnd) {
    this.#keys = keys;
    this.end = end;
  }

  /** Makes a fresh key, for one connection to one other client. */
  static async begin(connectionId: string, fingerprint: string): Promise<FrameAgreeing> {
    if (!connectionId.isWellFormed()) throw new AgreementInvalid('a connection has a name that is no text');
    const keys = await crypto.subtle.generateKey(curve, false, ['deriveBits']);
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
    return new FrameAgreeing(keys, { connectionId, fingerprint: canonical(fingerprint), publicKey });
  }

  /**
   * Once: the same two keys would give the same frame keys again, whose counters would begin anew.
   * @throws AgreementInvalid where the other end's key is no point of the curve or is this end's own, its fingerprint or a name is
   * none, or the secret is empty
   * @throws RangeError for a second call
   */
  async with({ sessionId, other, secret }: Agreement): Promise<FrameAgreement> {
    if (this.#used) throw new RangeError('an agreement is made once; begin another for another connection');
    this.#used = true;
    const fingerprint = canonical(other.fingerprint);
    // Ill-formed text has more than one string for the same bytes.
    for (const name of [sessionId, other.connectionId])
      if (!name.isWellFormed()) throw new AgreementInvalid('a session or a connection has a name that is no text');
    if (other.connectionId === this.end.connectionId)
      throw new AgreementInvalid('the other end has this end’s connection');
    if (sameBytes(other.publicKey, this.end.publicKey)) throw new AgreementInvalid('the other end has this end’s key');
    if (secret?.length === 0) throw new AgreementInvalid('the secret is empty');
    const shared = await this.#shared(other.publicKey);
    const ends = [this.end, { ...other, fingerprint }].sort((a, b) => order(a.publicKey, b.publicKey));
    const said = ends.flatMap((end) => [text(end.connectionId), text(end.fingerprint), end.publicKey]);
    const transcript = new Uint8Array(
      await crypto.subtle.digest('SHA-512', fields(text(protocol), text(sessionId), ...said)),
    );
    const ikm = fields(shared, secret ?? new Uint8Array());
    const material = await crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits']);
    // Of the two directions, by the key of who sends: those are seen to differ.
    const derive = async (word: string, from: FrameEnd): Promise<Bytes> => {
      const info = fields(text(protocol), text(word), from.publicKey);
      const how = { name: 'HKDF', hash: 'SHA-512', salt: transcript, info };
      return new Uint8Array(await crypto.subtle.deriveBits(how, material, baseKeyBits));
    };
    const [sending, receiving, proof, proofExpected] = await Promise.all([
      derive('frames', this.end),
      derive('frames', other),
      derive('proof', this.end),
      derive('proof', other),
    ]);
    return { sending, receiving, proof, proofExpected, securityCode: await codeOf(ends) };
  }

  async #shared(publicKey: Bytes): Promise<Bytes> {
    try {
      if (publicKey.length !== pointBytes) throw new RangeError(`${publicKey.length} bytes`);
      const point = await crypto.subtle.importKey('raw', publicKey, curve, false, []);
      const bits = await crypto.subtle.deriveBits({ name: 'ECDH', public: point }, this.#keys.privateKey, sharedBits);
      return new Uint8Array(bits);
    } catch {
      throw new AgreementInvalid('the other end’s key is no point of P-384');
    }
  }
}

const codeGroups = 12;
const groupBytes = 5;

/**
 * Sixty digits (199 bits) of both fingerprints and both keys: whoever stands between must find two pairs of keys with the same code,
 * some 2^99 attempts while the call begins.
 */
async function codeOf(ends: readonly FrameEnd[]): Promise<string> {
  const said = ends.flatMap(({ fingerprint, publicKey }) => [text(fingerprint), publicKey]);
  const digest = new DataView(
    await crypto.subtle.digest('SHA-512', fields(text(`${protocol} security code`), ...said)),
  );
  const groups = Array.from({ length: codeGroups }, (_, group) => {
    const at = group * groupBytes;
    const number = digest.getUint8(at) * 2 ** 32 + digest.getUint32(at + 1);
    return String(number % 100_000).padStart(5, '0');
  });
  return groups.join(' ');
}

/** Which of two keys of one length comes first. */
function order(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return (a[at] ?? 0) - (b[at] ?? 0);
}

/** Whether two byte strings are the same, in a time that does not tell where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let different = 0;
  for (const [at, byte] of a.entries()) different |= byte ^ (b[at] as number);
  return different === 0;
}
