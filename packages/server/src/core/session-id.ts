/**
 * Session ids in OpenTok's form (compat 5.1): a digit, `_`, then URL-safe base64 of `digit~key~location~time~random~~`.
 * Server SDKs decode it and compare the key, so the form is part of the wire. The location field is always empty:
 * a hint becomes a zone and is dropped (invariant 7). Nothing is derived from the digit.
 */
import { sessionIdForm } from '@cloister/protocol/session-id';
import type { Clock, Ids } from '../lib/index.ts';

/** A new id for a session of this project; a whole number of base64 groups, so that no padding is needed. */
export function newSessionId(projectId: string, { clock, ids }: { clock: Clock; ids: Ids }): string {
  const head = `2~${projectId}~~${clock.now()}~`;
  // 18 random bytes are 24 characters and carry 144 bits; `~` at the end fill up to a multiple of three bytes.
  const plain = `${head}${ids.token(18)}~~`;
  const filled = plain + '~'.repeat((3 - (plain.length % 3)) % 3);
  return `2_${Buffer.from(filled, 'latin1').toString('base64').replaceAll('+', '-').replaceAll('/', '_')}`;
}

/** The API key inside a session id, or null when it is not one. */
export function projectOfSessionId(sessionId: string): string | null {
  const match = sessionIdForm.exec(sessionId);
  if (!match) return null;
  const fields = Buffer.from(match[1]!.replaceAll('-', '+').replaceAll('_', '/'), 'base64')
    .toString('latin1')
    .split('~');
  const key = fields[1] ?? '';
  return /^\d{1,10}$/.test(key) ? key : null;
}
