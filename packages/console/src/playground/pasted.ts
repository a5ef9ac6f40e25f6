/**
 * What somebody pasted to say which session they mean: its id, or its link, as it is or in the midst of a text. The secret of
 * a link stays here: of all that was pasted, nothing but the id is for the server.
 */
import { sessionIdForm } from '@cloister/protocol/session-id';
import { SESSION } from './address.ts';
import { SECRET, secretOf } from './secret.ts';

export interface Pasted {
  readonly sessionId: string;
  /** '' where the link carries none. */
  readonly secret: string;
}

/** What stands between the words of a text, and around a link; no link that this page makes has it. */
const WORD = /[^\s<>"“”„«»]+/g;
/** What may follow a link in a sentence. */
const CLOSING = /[.,;:!?'’)\]}]+$/;
/** A secret begins here, also where somebody escaped the link. */
const SECRET_BEGINS = new RegExp(`${SECRET}(?:=|%3D)`, 'i');

/** The session that a text names, and the secret beside it; null where it names none. */
export function readPasted(text: string): Pasted | null {
  const whole = text.trim().replace(/^<(.*)>$/, '$1');
  for (const [word] of whole.matchAll(WORD)) {
    const alone = word === whole && /^[[\p{L}\p{N}]/u.test(word);
    const [link, fragment] = cut(alone ? word : word.replace(CLOSING, ''), '#');
    const named = new URLSearchParams(cut(link, '?')[1]).get(SESSION);
    const sessionId = named ?? (alone ? link : '');
    if (sessionIdForm.test(sessionId)) return { sessionId, secret: secretOf(fragment) };
    // What follows may be the rest of a secret with blanks in it.
    if (SECRET_BEGINS.test(word)) return null;
  }
  return null;
}

/** What is wrong with what was pasted; null where it names a session. */
export function pastedFault(text: string): string | null {
  return readPasted(text) ? null : 'There is neither a session id in it nor the link of a session. Paste one of them.';
}

/** What is before the first of these signs, and what is behind it. */
function cut(text: string, sign: string): [before: string, behind: string] {
  const at = text.indexOf(sign);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
