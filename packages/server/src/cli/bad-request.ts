/** What a command says of words that cannot be followed. Alone in its file, since every command loads it. */
import { PlatformError } from '@cloister/protocol';

/** @throws PlatformError `BadRequest`, always */
export function badRequest(why: string, cause?: unknown): never {
  throw new PlatformError('BadRequest', { why }, { cause });
}
