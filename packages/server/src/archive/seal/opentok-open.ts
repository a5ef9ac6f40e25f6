/** Opens OpenTok's format with the private key and the archive's `password`. */
import { constants, createDecipheriv, type Decipheriv, type KeyObject, privateDecrypt } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { giveBack } from '../../lib/index.ts';
import { blockBytes, keyBytes, packetBytes, passwordHead } from './opentok-seal.ts';

function wrongKey(why: string, cause?: unknown): never {
  throw new PlatformError('ArchiveKeyWrong', { why }, { cause });
}

function decode(password: string, privateKey: KeyObject): Buffer {
  const text = password.trim();
  if (text.length > limits.archivePasswordChars || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    throw new PlatformError('ArchiveUnreadable', { why: 'the password is not the base64 text that the API gives' });
  }
  const sealed = Buffer.from(text, 'base64');
  const wanted = Math.ceil((privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  if (sealed.length !== wanted) {
    wrongKey(`the password was made for a key of ${sealed.length * 8} bits, and this one has ${wanted * 8}`);
  }
  return sealed;
}

/** → the 51 clear bytes. */
function unwrap(password: string, privateKey: KeyObject): Buffer {
  const sealed = decode(password, privateKey);
  let clear: Buffer;
  try {
    clear = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, sealed);
  } catch (cause) {
    return wrongKey('the password does not open with it', cause);
  }
  const whole = passwordHead.length + keyBytes + blockBytes;
  if (clear.length === whole && clear.subarray(0, passwordHead.length).equals(passwordHead)) return clear;
  clear.fill(0);
  throw new PlatformError('ArchiveUnreadable', { why: 'the password is of another version than 1, AES-256, CBC' });
}

/**
 * Bytes that are deciphered at a time: so few that what comes out lies in a cache, and in memory that was used before. Memory
 * that is new costs more than the cipher: the kernel has to clear it.
 */
const PIECE_BYTES = 64 * 1024;

function finish(decipher: Decipheriv): Buffer {
  try {
    return decipher.final();
  } catch (cause) {
    throw new PlatformError('ArchiveCut', { why: 'its last block is not the end of an archive' }, { cause });
  }
}

/**
 * Opens an archive in OpenTok's format, as it comes. **What it gives is not authenticated**: a changed byte becomes 17
 * changed bytes and no error. A cut is seen by the length of the file, by its padding, and since an archive is whole
 * packets of 188 bytes; what came before it has been given then. A part that it gives is good until the next is asked for.
 * @param source the cipher text; a part of it need be good only until the next is asked for
 * @param password the archive's, base64
 * @throws PlatformError `ArchiveKeyWrong`, before the first byte; `ArchiveCut`, after the last; `ArchiveUnreadable` for a
 *   password that is none
 */
export async function* openOpenTokArchive(
  source: AsyncIterable<Uint8Array>,
  privateKey: KeyObject,
  password: string,
): AsyncGenerator<Buffer> {
  const clear = unwrap(password, privateKey);
  const keyEnd = passwordHead.length + keyBytes;
  const decipher = createDecipheriv('aes-256-cbc', clear.subarray(passwordHead.length, keyEnd), clear.subarray(keyEnd));
  clear.fill(0);
  let [taken, given] = [0, 0];
  for await (const part of source) {
    taken += part.length;
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      const opened = decipher.update(part.subarray(at, at + PIECE_BYTES));
      given += opened.length;
      if (opened.length === 0) continue;
      yield opened;
      giveBack(opened);
    }
  }
  if (taken === 0) throw new PlatformError('ArchiveCut', { why: 'it is empty' });
  if (taken % blockBytes !== 0) {
    throw new PlatformError('ArchiveCut', { why: `its ${taken} bytes are not whole blocks of ${blockBytes}` });
  }
  const last = finish(decipher);
  if (last.length > 0) yield last;
  if ((given + last.length) % packetBytes !== 0) {
    throw new PlatformError('ArchiveCut', { why: `it does not end with a whole packet of ${packetBytes} bytes` });
  }
}
