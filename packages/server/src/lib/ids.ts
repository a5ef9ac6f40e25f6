/** Random identifiers as a dependency. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';

export interface Ids {
  /** A random UUID (RFC 9562 version 4), lower case. */
  uuid(): string;
  /** `bytes` random bytes in base64url, without padding. */
  token(bytes: number): string;
  /** `bytes` random bytes in lower-case hexadecimal. */
  hex(bytes: number): string;
  /** A random integer, `min` included, `max` excluded. */
  integer(min: number, max: number): number;
}

/** Identifiers from the system's random number generator. */
export const systemIds: Ids = {
  uuid: () => randomUUID(),
  token: (bytes) => randomBytes(bytes).toString('base64url'),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  integer: (min, max) => randomInt(min, max),
};
