/**
 * The security record of a session, signed: what the server recorded of each leg, and the words that it was made of. It is
 * signed each time that it is asked for, with the key of the manifests of archives (docs/decisions/0021); `type` tells the two
 * apart; `keys/statement.ts` reads both.
 */
import type { SignedSecurityRecord } from '@cloister/protocol';
import type { Session } from './entities.ts';
import type { Keys, RecordedLeg } from './ports.ts';

/** @param now milliseconds since 1970 @returns a compact JWS (RFC 7515) whose claims are a `SignedSecurityRecord` */
export function signSecurityRecord(
  keys: Pick<Keys, 'sign'>,
  session: Session,
  legs: readonly RecordedLeg[],
  now: number,
): string {
  const claims: SignedSecurityRecord = {
    type: 'cloister-security-record',
    version: 1,
    projectId: session.projectId,
    sessionId: session.id,
    mediaMode: session.mediaMode,
    policy: session.policy,
    zone: session.zone,
    legs: legs.map(({ leg }) => leg),
    transcript: legs.map(({ words }) => [...words]),
    signedAt: now,
  };
  return keys.sign('manifest', claims);
}
