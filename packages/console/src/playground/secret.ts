/**
 * The secret that the people of a session share (`encryptionSecret`). It lives in the memory of this page, and in the fragment of
 * a link, which browsers send to no server (RFC 9110, section 4.2.5); it is taken out of the address as soon as it was read.
 */
import { limits } from '@cloister/protocol/limits';

/** Its parameter in the fragment. */
export const SECRET = 'secret';

/** Letters and digits that are not taken for one another when they are read aloud or typed: 5 bits each. */
const SIGNS = 'abcdefghjkmnpqrstuvwxyz023456789';
const GROUPS = 5;
const GROUP_SIGNS = 5;

/** A new secret of 125 random bits, in groups that can be read out. */
export function newSecret(): string {
  const random = crypto.getRandomValues(new Uint8Array(GROUPS * GROUP_SIGNS));
  const signs = Array.from(random, (byte) => SIGNS.charAt(byte % SIGNS.length)).join('');
  return signs.replace(new RegExp(`.{${GROUP_SIGNS}}(?=.)`, 'g'), '$&-');
}

/** The secret in a fragment, which is without its `#`; or ''. */
export function secretOf(fragment: string): string {
  return new URLSearchParams(fragment).get(SECRET) ?? '';
}

/** The secret that a link carries, or ''. */
export function secretIn(href: string): string {
  return secretOf(new URL(href).hash.slice(1));
}

/** The link of a session, with its secret where there is one. */
export function invitation(href: string, secret: string): string {
  const url = new URL(href);
  url.hash = secret ? String(new URLSearchParams({ [SECRET]: secret })) : '';
  return url.href;
}

/** What is wrong with a secret; null where it can be one. Mirrors what the client takes. */
export function secretFault(secret: string): string | null {
  const { encryptionSecretCharsLeast: least, encryptionSecretChars: most } = limits;
  const fits = secret.isWellFormed() && secret.length >= least && secret.length <= most;
  return fits ? null : `A secret has ${least} to ${most} characters.`;
}

/** Reads the secret out of the page's address and takes it from there. */
export function takeSecret(): string {
  const secret = secretIn(location.href);
  if (secret) history.replaceState(null, '', invitation(location.href, ''));
  return secret;
}
