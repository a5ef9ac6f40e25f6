/**
 * The format of OpenTok's encrypted archives: MPEG-TS under AES-256 in CBC mode (NIST SP 800-38A) with PKCS#7 padding,
 * no header, and beside it a `password`: base64 of RSA-OAEP (RFC 8017, with SHA-1) over 51 bytes, which are version 1,
 * algorithm 1 (AES-256), mode 1 (CBC), key and initialisation vector.
 *
 * Nothing in it is authenticated. Who has the file can change it unseen; only a digest from elsewhere shows that.
 */
import { type Cipheriv, constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import { ByteQueue } from './byte-queue.ts';
import type { SealedTo } from './recipients.ts';
import type { Random, Sealer } from './sealer.ts';

/** What comes before the key in the password: version, algorithm, mode. */
export const passwordHead = Buffer.from([1, 1, 1]);
export const keyBytes = 32;
export const blockBytes = 16;
/** Bytes of a packet of MPEG-TS (ISO/IEC 13818-1). */
export const packetBytes = 188;
/** The least common multiple of a block and a packet. Cipher text is given out in multiples of it. */
export const partBytes = 752;

/** A sealer of OpenTok's format. What it gives out before the end is always whole packets in whole blocks. */
export interface OpenTokSealer extends Sealer {
  /** For the `password` of the archive: key and vector, for the holder of the private key alone. */
  readonly password: string;
  /**
   * The block of 16 bytes that would end the file after what was given out so far. It is stored with each part that was
   * acknowledged: after a crash it is appended, and the file opens although the key is gone. The stream goes on as if
   * it had not been asked for.
   */
  closing(): Buffer;
}

/** → the password, and wipes the clear one. */
function passwordFor({ publicKey }: SealedTo, key: Buffer, iv: Buffer): string {
  const clear = Buffer.concat([passwordHead, key, iv]);
  const sealed = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, clear);
  clear.fill(0);
  return sealed.toString('base64');
}

class CbcSealer implements OpenTokSealer {
  readonly password: string;
  readonly #key: Buffer;
  /** The last block that was given out, or the vector: what the next block is chained to. */
  readonly #last: Buffer;
  #cipher: Cipheriv | null;
  readonly #held = new ByteQueue();

  constructor(certificate: SealedTo, random: Random) {
    this.#key = random(keyBytes);
    this.#last = random(blockBytes);
    this.password = passwordFor(certificate, this.#key, this.#last);
    this.#cipher = createCipheriv('aes-256-cbc', this.#key, this.#last);
  }

  write(clear: Uint8Array): Buffer {
    const cipher = this.#open();
    const ready = this.#held.length + clear.length;
    const bytes = ready - (ready % partBytes);
    if (bytes === 0) {
      // A copy: what is held belongs to nobody else, and is overwritten at the end.
      this.#held.push(Buffer.from(clear));
      return Buffer.alloc(0);
    }
    const taken = bytes - this.#held.length;
    const before = this.#held.take(this.#held.length);
    const sealed = this.#given(
      before.length === 0
        ? cipher.update(clear.subarray(0, taken))
        : Buffer.concat([cipher.update(before), cipher.update(clear.subarray(0, taken))]),
    );
    before.fill(0);
    this.#held.push(Buffer.from(clear.subarray(taken)));
    return sealed;
  }

  closing(): Buffer {
    this.#open();
    const cipher = createCipheriv('aes-256-cbc', this.#key, this.#last).setAutoPadding(false);
    // PKCS#7 (RFC 5652, 6.3) after whole blocks: one more of them, each byte its length.
    return cipher.update(Buffer.alloc(blockBytes, blockBytes));
  }

  end(): Buffer {
    const cipher = this.#open();
    const sealed = Buffer.concat([cipher.update(this.#held.take(this.#held.length)), cipher.final()]);
    this.discard();
    return sealed;
  }

  discard(): void {
    this.#cipher = null;
    this.#held.wipe();
    this.#key.fill(0);
    this.#last.fill(0);
  }

  #given(sealed: Buffer): Buffer {
    sealed.copy(this.#last, 0, sealed.length - blockBytes);
    return sealed;
  }

  #open(): Cipheriv {
    if (!this.#cipher) throw new PlatformError('WrongState', { why: 'this archive is sealed to its end' });
    return this.#cipher;
  }
}

/**
 * Begins an archive in OpenTok's format, with a key and a vector that are used for it alone. Both live in this process
 * until `end` or `discard`, which overwrite them; copies inside OpenSSL go when the garbage collector lets them.
 * @param certificate one that was read for this format
 */
export function createOpenTokSealer(certificate: SealedTo, random: Random = randomBytes): OpenTokSealer {
  return new CbcSealer(certificate, random);
}
