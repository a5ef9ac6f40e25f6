/**
 * SFrame (RFC 9605) with its suite `AES_256_GCM_SHA512_128`, and no other: there is nothing weaker to fall back to. Bytes in, bytes
 * out, over WebCrypto; who may use a key, and for what, is not known here.
 */

/** Bytes of their own memory, as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** RFC 9605, section 8.1: the number and the name of the suite. */
export const frameSuite = { id: 5, name: 'AES_256_GCM_SHA512_128' } as const;

/** Bytes that its authentication adds to each frame. */
export const tagBytes = 16;
const keyBytes = 32;
const nonceBytes = 12;

/** Key id and counter of a frame. Both are below 2^64. */
export interface FrameHeader {
  readonly keyId: bigint;
  readonly counter: bigint;
}

/** The bytes are no SFrame header: cut, or not spelled as short as they can be. */
export class HeaderInvalid extends Error {
  override readonly name = 'HeaderInvalid';
}

/** A frame that does not open: it was changed, cut, or sealed with another key. */
export class FrameChanged extends Error {
  override readonly name = 'FrameChanged';
}

const u64 = 1n << 64n;
const extended = 8;

/** Big-endian, as short as can be; zero has one byte. */
function shortest(value: bigint): number[] {
  const bytes: number[] = [];
  for (let left = value; left > 0n || bytes.length === 0; left >>= 8n) bytes.unshift(Number(left & 255n));
  return bytes;
}

/**
 * RFC 9605, section 4.3: one byte that has small numbers in it, or says how many bytes each of them takes.
 * @throws RangeError for what is not below 2^64
 */
export function encodeHeader({ keyId, counter }: FrameHeader): Bytes {
  for (const value of [keyId, counter])
    if (value < 0n || value >= u64) throw new RangeError(`${value} is no number of 64 bits`);
  const [key, count] = [keyId, counter].map((value) => (value < extended ? [] : shortest(value))) as [
    number[],
    number[],
  ];
  const nibble = (value: bigint, bytes: number[]) => (bytes.length ? extended | (bytes.length - 1) : Number(value));
  return Uint8Array.of((nibble(keyId, key) << 4) | nibble(counter, count), ...key, ...count);
}

/**
 * Reads the header at the start of some bytes.
 * @returns it, and how many bytes it takes
 * @throws HeaderInvalid where the bytes end before it, or spell a number longer than needed: each header has one spelling
 */
export function decodeHeader(bytes: Uint8Array): FrameHeader & { readonly length: number } {
  const [config] = bytes;
  if (config === undefined) throw new HeaderInvalid('there is no byte');
  let at = 1;
  const number = (nibble: number): bigint => {
    if (nibble < extended) return BigInt(nibble);
    const length = (nibble & 7) + 1;
    if (at + length > bytes.length) throw new HeaderInvalid(`${bytes.length} bytes end within a number`);
    let value = 0n;
    for (const end = at + length; at < end; at += 1) value = (value << 8n) | BigInt(bytes[at] as number);
    if (value < extended || (length > 1 && value >> BigInt(8 * (length - 1)) === 0n))
      throw new HeaderInvalid(`${value} is not spelled as short as it can be`);
    return value;
  };
  const keyId = number(config >> 4);
  const counter = number(config & 15);
  return { keyId, counter, length: at };
}

const label = (word: string, keyId: bigint): Bytes => {
  const bytes = new Uint8Array(`SFrame 1.0 Secret ${word} `.length + 10);
  bytes.set(new TextEncoder().encode(`SFrame 1.0 Secret ${word} `));
  const view = new DataView(bytes.buffer, bytes.length - 10);
  view.setBigUint64(0, keyId);
  view.setUint16(8, frameSuite.id);
  return bytes;
};

/** Some bytes, one after the other. */
export function joined(...parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Some bytes with their number before them, in four bytes: nothing behind them can be taken for a part of them. */
export function prefixed(bytes: Uint8Array): Bytes {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return joined(length, bytes);
}

/** A key for one sender's frames: what RFC 9605, section 4.4.2, derives of a base key for a key id. */
export class FrameKey {
  readonly keyId: bigint;
  readonly #key: CryptoKey;
  readonly #salt: Bytes;

  private constructor(keyId: bigint, key: CryptoKey, salt: Bytes) {
    this.keyId = keyId;
    this.#key = key;
    this.#salt = salt;
  }

  /** @param baseKey of any length that has the strength; those of Cloister have 32 bytes. It can be wiped afterwards */
  static async derive(baseKey: Bytes, keyId: bigint): Promise<FrameKey> {
    const base = await crypto.subtle.importKey('raw', baseKey, 'HKDF', false, ['deriveBits', 'deriveKey']);
    const hkdf = (word: string) => ({
      name: 'HKDF',
      hash: 'SHA-512',
      salt: new Uint8Array(),
      info: label(word, keyId),
    });
    const [key, salt] = await Promise.all([
      crypto.subtle.deriveKey(hkdf('key'), base, { name: 'AES-GCM', length: keyBytes * 8 }, false, [
        'encrypt',
        'decrypt',
      ]),
      crypto.subtle.deriveBits(hkdf('salt'), base, nonceBytes * 8),
    ]);
    return new FrameKey(keyId, key, new Uint8Array(salt));
  }

  /**
   * RFC 9605, section 4.4.3.
   * @param counter never the same twice for a key: whoever calls counts
   * @param metadata what goes beside the frame in clear, and is authenticated with it
   * @returns header, cipher text and tag
   */
  async seal(counter: bigint, plaintext: Bytes, metadata: Bytes): Promise<Bytes> {
    const header = encodeHeader({ keyId: this.keyId, counter });
    const sealed = await crypto.subtle.encrypt(this.#how(counter, header, metadata), this.#key, plaintext);
    return joined(header, new Uint8Array(sealed));
  }

  /**
   * RFC 9605, section 4.4.4.
   * @param header as it was read of the same bytes
   * @throws FrameChanged
   */
  async open(header: FrameHeader & { readonly length: number }, sealed: Bytes, metadata: Bytes): Promise<Bytes> {
    const how = this.#how(header.counter, sealed.subarray(0, header.length), metadata);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(how, this.#key, sealed.subarray(header.length)));
    } catch {
      throw new FrameChanged(`frame ${header.counter} of key ${header.keyId} was changed, or sealed with another key`);
    }
  }

  #how(counter: bigint, header: Bytes, metadata: Bytes): AesGcmParams {
    const iv = this.#salt.slice();
    const view = new DataView(iv.buffer);
    view.setBigUint64(nonceBytes - 8, view.getBigUint64(nonceBytes - 8) ^ counter);
    return { name: 'AES-GCM', iv, additionalData: joined(header, metadata), tagLength: tagBytes * 8 };
  }
}
