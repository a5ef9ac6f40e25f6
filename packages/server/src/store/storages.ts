/** Where projects want their archives stored. Targets are sealed before they get here. */
import { PlatformError } from '@cloister/protocol/errors';
import { eq } from 'drizzle-orm';
import type { Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { storages } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openStorages({ tables, writer, seals }: Parts): Store['storages'] {
  return {
    async get(projectId) {
      const [row] = await read(tables.select().from(storages).where(eq(storages.projectId, projectId)));
      return row ?? null;
    },

    async put(storage, event) {
      const { projectId, ...set } = storage;
      const put = tables.insert(storages).values(storage).onConflictDoUpdate({ target: storages.projectId, set });
      const change = { statements: [statement(put)], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('ProjectNotFound', { projectId }));
    },

    // The event is written only where there was something to remove.
    async remove(projectId, event) {
      const remove = statement(tables.delete(storages).where(eq(storages.projectId, projectId)), 1);
      const outcome = await writer.write({ statements: [remove], events: [storeEvent(seals, event)] });
      return outcome.kind === 'done';
    },
  };
}
