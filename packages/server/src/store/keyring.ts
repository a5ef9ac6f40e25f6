/** The wrapped keys. The only part of the store that works before the keys are there. */
import { asc, eq } from 'drizzle-orm';
import type { Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { keyring } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openKeyring({ tables, writer, seals }: Parts): Store['keyring'] {
  return {
    load: () => read(tables.select().from(keyring).orderBy(asc(keyring.createdAt), asc(keyring.id))),

    async save({ id, purpose, wrapped, createdAt, retiredAt, compromisedAt }, event) {
      const changing = { wrapped, retiredAt, compromisedAt };
      const insert = tables.insert(keyring).values({ id, purpose, createdAt, ...changing });
      const upsert = insert.onConflictDoUpdate({ target: keyring.id, set: changing });
      const events = event && [storeEvent(seals, event)];
      await commit(writer, { statements: [statement(upsert)], ...(events && { events }) });
    },

    async remove(id) {
      await commit(writer, { statements: [statement(tables.delete(keyring).where(eq(keyring.id, id)))] });
    },
  };
}
