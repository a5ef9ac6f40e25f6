/** A call of a route, after its credential was checked. */
import { PlatformError } from '@cloister/protocol';
import { type Actor, type Core, type NetworkClass, projectOfSessionId } from '../core/index.ts';
import type { Answer } from './answer.ts';

export interface Call {
  readonly core: Core;
  /** Whether secrets are shown everywhere, by the operator's setting. */
  readonly showSecrets: boolean;
  /** The project, or the account on the routes of accounts. */
  readonly issuer: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The address of this server as its clients reach it, without a slash at the end. */
  baseUrl(): string;
  /** The body as text; empty when there was none. */
  readonly text: string;
  /** From which class of network it came, where that is known. */
  readonly network?: NetworkClass;
  /** What the caller says it is. */
  readonly userAgent: string;
}

export type Handler = (call: Call) => Promise<Answer>;

/** The application's server, as the actor of a change. */
export function projectActor({ issuer, network }: Call): Actor {
  return { kind: 'project', projectId: issuer, ...(network && { network }) };
}

/** The session that the path names, if its id is of this project. @throws PlatformError `SessionIdInvalid` */
export function sessionIdOf({ issuer, params }: Call): string {
  const sessionId = params.sessionId!;
  if (projectOfSessionId(sessionId) !== issuer) {
    throw new PlatformError('SessionIdInvalid', { sessionId: sessionId.slice(0, 128) });
  }
  return sessionId;
}
