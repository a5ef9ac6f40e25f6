/**
 * Admission: the API verifies a client's token and hands out a ticket; the media node that is named in it admits the
 * ticket once. Media nodes hold the public key only, never a project's secret.
 */
import { limits, PlatformError } from '@cloister/protocol';
import type { Clock, Ids } from '../lib/index.ts';
import type { Keys } from './ports.ts';
import { type Role, roles } from './role.ts';

/** What a client token grants, whatever its form was on the wire. */
export interface TokenClaims {
  readonly projectId: string;
  readonly sessionId: string;
  readonly role: Role;
  readonly connectionData: string;
  readonly layoutClasses: readonly string[];
  /** The secret of the project that signed it. */
  readonly secretId: string;
}

/** A ticket, opened. */
export interface Admission extends TokenClaims {
  readonly connectionId: string;
}

export class AdmissionDesk {
  readonly #deps: { clock: Clock; ids: Ids; keys: Keys };
  readonly #node: string;
  /** Tickets that were used, by their id, until they would have expired anyway. */
  readonly #used = new Map<string, number>();

  constructor(deps: { clock: Clock; ids: Ids; keys: Keys }, node: string) {
    this.#deps = deps;
    this.#node = node;
  }

  /** A ticket for one new connection, bound to session, connection, node and role; 60 s at most. */
  issue(claims: TokenClaims, connectionId: string): string {
    const { clock, ids, keys } = this.#deps;
    return keys.sign('admission', {
      jti: ids.uuid(),
      aud: this.#node,
      exp: Math.floor(clock.now() / 1000) + limits.admissionSeconds,
      connectionId,
      ...claims,
    });
  }

  /** @throws PlatformError `AdmissionRefused` for a ticket that is altered, expired, used, or another node's. */
  admit(ticket: string): Admission {
    const refuse = (why: string): never => {
      throw new PlatformError('AdmissionRefused', { why });
    };
    const claims = this.#deps.keys.verify('admission', ticket) ?? refuse('it is not signed by this platform');
    const now = this.#deps.clock.now();
    const { jti, aud, exp } = claims;
    if (typeof jti !== 'string' || typeof exp !== 'number') return refuse('it is incomplete');
    if (aud !== this.#node) return refuse('it is for another node');
    if (exp * 1000 <= now) return refuse('it has expired');
    for (const [used, until] of this.#used) {
      if (until > now) break;
      this.#used.delete(used);
    }
    if (this.#used.has(jti)) return refuse('it was used before');
    this.#used.set(jti, exp * 1000);
    return admissionOf(claims) ?? refuse('it is incomplete');
  }
}

function admissionOf(claims: Record<string, unknown>): Admission | null {
  const { connectionId, projectId, sessionId, role, connectionData, layoutClasses, secretId } = claims;
  const known = roles.find((each) => each === role);
  if (typeof connectionId !== 'string' || typeof projectId !== 'string' || typeof sessionId !== 'string' || !known)
    return null;
  if (typeof connectionData !== 'string' || typeof secretId !== 'string' || !Array.isArray(layoutClasses)) return null;
  return {
    connectionId,
    projectId,
    sessionId,
    role: known,
    connectionData,
    layoutClasses: layoutClasses.map(String),
    secretId,
  };
}
