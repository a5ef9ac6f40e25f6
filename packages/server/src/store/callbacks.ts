/** Webhook addresses of projects. */
import { PlatformError } from '@cloister/protocol/errors';
import { and, asc, eq } from 'drizzle-orm';
import type { Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { callbacks } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openCallbacks({ tables, writer, seals }: Parts): Store['callbacks'] {
  return {
    async create({ id, projectId, group, event: kind, url, createdAt }, event) {
      const insert = tables.insert(callbacks).values({ id, projectId, group, event: kind, url, createdAt });
      const change = { statements: [statement(insert)], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('ProjectNotFound', { projectId }));
    },

    async list(projectId) {
      const rows = tables
        .select()
        .from(callbacks)
        .where(eq(callbacks.projectId, projectId))
        .orderBy(asc(callbacks.seq));
      return (await read(rows)).map(({ seq: _, ...callback }) => callback);
    },

    // The event is written only where there was something to remove.
    async remove(projectId, id, event) {
      const one = and(eq(callbacks.projectId, projectId), eq(callbacks.id, id));
      const remove = statement(tables.delete(callbacks).where(one), 1);
      const outcome = await writer.write({ statements: [remove], events: [storeEvent(seals, event)] });
      return outcome.kind === 'done';
    },
  };
}
