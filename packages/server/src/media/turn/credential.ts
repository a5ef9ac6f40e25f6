/**
 * Time-limited TURN credentials, as OpenTok's and coturn's `use-auth-secret` have them: the user name says when it ends and
 * for whom it is, the password is its HMAC-SHA1 under the secret that we share with the TURN server
 * (draft-uberti-behave-turn-rest-00).
 */
import { createHmac } from 'node:crypto';

export interface TurnCredential {
  /** `<seconds since 1970>:<connection id>`; coturn counts a user's allocations by what follows the colon. */
  readonly username: string;
  /** Base64. */
  readonly credential: string;
}

/**
 * A credential for one connection. It names the connection alone: neither a session nor a person can be read from it.
 * @param endsAt milliseconds since 1970
 */
export function turnCredential(secret: string, connectionId: string, endsAt: number): TurnCredential {
  const username = `${Math.floor(endsAt / 1000)}:${connectionId}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
