/** The session in the page's address: whoever opens the same link comes to the same session. */

/** Its parameter. */
export const SESSION = 'session';

/** The session id in an address, or null. */
export function sessionIn(href: string): string | null {
  return new URL(href).searchParams.get(SESSION)?.trim() || null;
}

/** The same address with this session, or with none. Other parameters and the fragment are dropped. */
export function addressWith(href: string, sessionId: string | null): string {
  const url = new URL(href);
  url.hash = '';
  url.search = '';
  if (sessionId) url.searchParams.set(SESSION, sessionId);
  return url.href;
}

/** A session id short enough for a heading: its beginning and its end. */
export function shortId(sessionId: string): string {
  return sessionId.length <= 16 ? sessionId : `${sessionId.slice(0, 8)}…${sessionId.slice(-4)}`;
}
