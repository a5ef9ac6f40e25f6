/** Who asks by HTTP, as the actor of what they do. */
import type { FastifyRequest } from 'fastify';
import type { Actor, NetworkClass } from '../core/index.ts';

/** Where requests come from, as far as it may be kept. */
export interface Origins {
  /** From which class of network. */
  network(request: FastifyRequest): NetworkClass;
}

type Account = Extract<Actor, { kind: 'account' }>;

/** An account that has shown its credential. */
export function accountActor(origins: Origins, request: FastifyRequest, accountId: string): Account {
  return { kind: 'account', accountId, ...networkOf(origins, request) };
}

/** Somebody who has shown nothing. */
export function strangerActor(origins: Origins, request: FastifyRequest): Actor {
  return { kind: 'stranger', ...networkOf(origins, request) };
}

/** What of it goes into an actor. */
export function networkOf(origins: Origins, request: FastifyRequest): Pick<Actor, 'network'> {
  return { network: origins.network(request) };
}
