/** What the record says is open: see `outbox.ts`, which keeps it with the events. */
import { and, asc, eq, isNull } from 'drizzle-orm';
import type { Store } from '../core/index.ts';
import { restore } from './outbox.ts';
import { legs, present } from './schema.ts';
import { legOfRow } from './sessions.ts';
import { type Parts, read } from './tables.ts';

export function openStillOpen({ tables, seals }: Parts): Store['stillOpen'] {
  return {
    async sessions() {
      const ofLegs = tables
        .selectDistinct({ projectId: legs.projectId, sessionId: legs.sessionId })
        .from(legs)
        .where(isNull(legs.closedAt));
      const ofPresent = tables
        .selectDistinct({ projectId: present.projectId, sessionId: present.sessionId })
        .from(present);
      const all = [...(await read(ofLegs)), ...(await read(ofPresent))];
      return [...new Map(all.map((each) => [each.sessionId, each])).values()];
    },

    async of(sessionId) {
      const openLegs = tables
        .select({ id: legs.id, leg: legs.leg, words: legs.words })
        .from(legs)
        .where(and(eq(legs.sessionId, sessionId), isNull(legs.closedAt)))
        .orderBy(asc(legs.connectedAt), asc(legs.seq));
      const begun = tables
        .select({
          position: present.seq,
          projectId: present.projectId,
          event: present.event,
          personal: present.personal,
        })
        .from(present)
        .where(eq(present.sessionId, sessionId))
        .orderBy(asc(present.seq));
      return {
        legs: (await read(openLegs)).map(({ id, ...row }) => ({ id, ...legOfRow(row) })),
        begun: (await read(begun)).map((row) => restore(seals, row)),
      };
    },
  };
}
