/** What projects want their archives sealed to. Certificates are public, so nothing here is sealed. */
import { PlatformError } from '@cloister/protocol/errors';
import { eq } from 'drizzle-orm';
import type { Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { sealings } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openSealings({ tables, writer, seals }: Parts): Store['sealings'] {
  return {
    async get(projectId) {
      const [row] = await read(tables.select().from(sealings).where(eq(sealings.projectId, projectId)));
      return row ?? null;
    },

    async put({ projectId, format, certificates, updatedAt }, event) {
      const set = { format, certificates: [...certificates], updatedAt };
      const put = tables
        .insert(sealings)
        .values({ projectId, ...set })
        .onConflictDoUpdate({ target: sealings.projectId, set });
      const change = { statements: [statement(put)], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('ProjectNotFound', { projectId }));
    },

    // The event is written only where there was something to remove.
    async remove(projectId, event) {
      const remove = statement(tables.delete(sealings).where(eq(sealings.projectId, projectId)), 1);
      const outcome = await writer.write({ statements: [remove], events: [storeEvent(seals, event)] });
      return outcome.kind === 'done';
    },
  };
}
