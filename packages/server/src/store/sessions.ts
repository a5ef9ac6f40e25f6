/** Sessions and the legs of media in them. */

import type { Leg, LegWord } from '@cloister/protocol';
import { PlatformError } from '@cloister/protocol/errors';
import { asc, eq } from 'drizzle-orm';
import type { RecordedLeg, Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { legs, sessions } from './schema.ts';
import { commit, type Parts, read } from './tables.ts';

export function openSessions({ tables, writer, seals }: Parts): Store['sessions'] {
  return {
    async create(session, event) {
      const missing = new PlatformError('ProjectNotFound', { projectId: session.projectId });
      await commit(writer, { sessions: [session], events: [storeEvent(seals, event)] }, missing);
    },

    async get(id) {
      const [row] = await read(tables.select().from(sessions).where(eq(sessions.id, id)));
      return row ?? null;
    },
  };
}

const ofServer = {
  observedBy: 'server',
  peerConnectionId: null,
  suiteReportedByPeer: null,
  framesSaidByClient: null,
  framesSaidByPeer: null,
} as const;

/** Legs are written by their events: see `outbox.ts`. */
export function openLegs({ tables }: Parts): Store['legs'] {
  return {
    async list(sessionId) {
      const rows = tables
        .select({ leg: legs.leg, words: legs.words })
        .from(legs)
        .where(eq(legs.sessionId, sessionId))
        .orderBy(asc(legs.connectedAt), asc(legs.seq));
      return (await read(rows)).map(legOfRow);
    },
  };
}

export function legOfRow({ leg, words }: { leg: string; words: string }): RecordedLeg {
  // What was written before legs between clients were known says nothing of them.
  return { leg: { ...ofServer, ...(JSON.parse(leg) as Leg) }, words: JSON.parse(words) as LegWord[] };
}
