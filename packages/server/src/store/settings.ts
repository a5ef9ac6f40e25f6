/** The settings of the last start, sealed: so that the next one can tell what was changed. */
import type { Store } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { lastSettings } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openSettings({ tables, writer, seals }: Parts): Store['settings'] {
  return {
    async last() {
      const [row] = await read(tables.select().from(lastSettings));
      return row?.settings ?? null;
    },

    async put(settings, event) {
      const put = tables.insert(lastSettings).values({ settings });
      const upsert = put.onConflictDoUpdate({ target: lastSettings.one, set: { settings } });
      await commit(writer, { statements: [statement(upsert)], events: [storeEvent(seals, event)] });
    },
  };
}
