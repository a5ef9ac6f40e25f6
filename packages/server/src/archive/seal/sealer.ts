/** What the two formats of sealed archives have in common: bytes go in clear and come out as cipher text. */

/** So many random bytes. In production `randomBytes` of `node:crypto`, and nothing else. */
export type Random = (bytes: number) => Buffer;

/** Makes cipher text of clear bytes as they come. Nothing of it is clear once it was given out, and nothing is stored. */
export interface Sealer {
  /** Takes clear bytes and gives the cipher text that may be stored now: often empty, since some is held back. */
  write(clear: Uint8Array): Buffer;
  /** Gives what was held back and what ends the file, and wipes the keys. Nothing can be written after it. */
  end(): Buffer;
  /** Wipes the keys without an end: the recording was given up. */
  discard(): void;
}
