/**
 * The chunks of a sealed archive: Tink's streaming AEAD AES256-GCM-HKDF, with HKDF-SHA256 (RFC 5869) and AES-256-GCM
 * (NIST SP 800-38D). Each file has a key of its own, derived from its content key, a salt, and a digest of all that
 * precedes the chunks, so that a changed header opens nothing. The nonce of a chunk is the file's prefix, the number of the
 * chunk and whether it is the last: no chunk can be moved, repeated or taken from another file, and a file without its
 * last chunk is not complete.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { sha256 } from './digest.ts';

export const contentKeyBytes = 32;
export const saltBytes = 32;
export const noncePrefixBytes = 7;
export const tagBytes = 16;
/** Tink's header of the stream: its own length in a byte, salt, prefix of the nonces. The first chunk is so much shorter. */
export const streamHeadBytes = 1 + saltBytes + noncePrefixBytes;

/** Where chunks lie in a file, in bytes from the head of the stream on. The last chunk may be shorter. */
export class ChunkLayout {
  /** Bytes of a chunk with its tag; the first has `streamHeadBytes` fewer. */
  readonly chunkBytes: number;

  constructor(chunkBytes: number) {
    this.chunkBytes = chunkBytes;
  }

  /** Bytes of cipher text and tag that a full chunk of this number has. */
  sealedBytes(index: number): number {
    return this.chunkBytes - (index === 0 ? streamHeadBytes : 0);
  }

  /** Clear bytes that a full chunk of this number holds. */
  clearBytes(index: number): number {
    return this.sealedBytes(index) - tagBytes;
  }

  /** Where a chunk begins in the stream. */
  sealedStart(index: number): number {
    return index === 0 ? streamHeadBytes : index * this.chunkBytes;
  }

  /** How many clear bytes precede a chunk. */
  clearStart(index: number): number {
    return index === 0 ? 0 : index * (this.chunkBytes - tagBytes) - streamHeadBytes;
  }

  /** The chunk that holds the clear byte at this place. */
  indexOf(clearOffset: number): number {
    return Math.floor((clearOffset + streamHeadBytes) / (this.chunkBytes - tagBytes));
  }
}

/**
 * The nonce of a chunk.
 * @param index from 0, below `sealedChunks`
 * @throws PlatformError `LimitReached` past it: a nonce would be used twice
 */
export function nonceOf(prefix: Uint8Array, index: number, last: boolean): Buffer {
  if (index >= limits.sealedChunks) {
    throw new PlatformError('LimitReached', { limit: 'sealedChunks', value: limits.sealedChunks });
  }
  const nonce = Buffer.alloc(noncePrefixBytes + 5);
  nonce.set(prefix);
  nonce.writeUInt32BE(index, noncePrefixBytes);
  nonce[noncePrefixBytes + 4] = last ? 1 : 0;
  return nonce;
}

/** Seals and opens the chunks of one file. */
export class ChunkCipher {
  readonly layout: ChunkLayout;
  readonly #key: Buffer;
  readonly #noncePrefix: Buffer;

  /**
   * @param contentKey 32 bytes; not kept
   * @param streamHead the 40 bytes that precede the first chunk
   * @param before every byte of the file before those
   */
  constructor(contentKey: Buffer, streamHead: Buffer, before: Buffer, chunkBytes: number) {
    this.layout = new ChunkLayout(chunkBytes);
    const salt = streamHead.subarray(1, 1 + saltBytes);
    this.#noncePrefix = Buffer.from(streamHead.subarray(1 + saltBytes));
    // A digest, since HKDF in Node takes 1024 bytes of `info` at most.
    this.#key = Buffer.from(hkdfSync('sha256', contentKey, salt, sha256(before), contentKeyBytes));
  }

  /** → cipher text and tag. Each number is sealed once, by whoever counts. */
  seal(index: number, last: boolean, clear: Uint8Array): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#noncePrefix, index, last));
    return Buffer.concat([cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
  }

  /** The clear bytes, or null when this is not the chunk of that number as it was sealed. */
  open(index: number, last: boolean, sealed: Buffer): Buffer | null {
    if (sealed.length < tagBytes || sealed.length > this.layout.sealedBytes(index)) return null;
    const nonce = nonceOf(this.#noncePrefix, index, last);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: tagBytes });
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    const clear = decipher.update(sealed.subarray(0, -tagBytes));
    try {
      decipher.final();
      return clear;
    } catch {
      clear.fill(0);
      return null;
    }
  }

  wipe(): void {
    this.#key.fill(0);
  }
}

/** What precedes the first chunk. */
export function streamHeadOf(salt: Buffer, noncePrefix: Buffer): Buffer {
  return Buffer.concat([Buffer.of(streamHeadBytes), salt, noncePrefix]);
}
