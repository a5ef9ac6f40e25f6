/** Address lists. Every address in them is published, so nothing here is sealed. */
import { PlatformError } from '@cloister/protocol/errors';
import { asc, desc, eq } from 'drizzle-orm';
import type { AddressBlock, AddressBook, AddressChange, AddressVersion } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { addressProposals, addressReceipts, addressReminders, addressVersions } from './schema.ts';
import { accept, commit, type Parts, read, statement } from './tables.ts';

const uniqueViolation = '23505';

const toVersion = ({ blocks, ...row }: typeof addressVersions.$inferSelect): AddressVersion => ({
  ...row,
  blocks: JSON.parse(blocks) as AddressBlock[],
});

function openReads({ tables }: Parts): Omit<AddressBook, 'add' | 'propose' | 'receive' | 'remind'> {
  return {
    async last() {
      const rows = tables.select().from(addressVersions).orderBy(desc(addressVersions.number)).limit(1);
      const [row] = await read(rows);
      return row ? toVersion(row) : null;
    },

    async history(limit) {
      const { number, token, createdAt, change, blockId } = addressVersions;
      const rows = tables.select({ number, token, createdAt, change, blockId }).from(addressVersions);
      return read(rows.orderBy(desc(number)).limit(limit));
    },

    async version(token) {
      const [row] = await read(tables.select().from(addressVersions).where(eq(addressVersions.token, token)));
      return row ? toVersion(row) : null;
    },

    async proposals() {
      const rows = await read(tables.select().from(addressProposals).orderBy(asc(addressProposals.at)));
      return rows.map(({ change, ...row }) => ({ ...row, change: JSON.parse(change) as AddressChange }));
    },

    async receipt(projectId) {
      const rows = tables.select().from(addressReceipts).where(eq(addressReceipts.projectId, projectId));
      const [row] = await read(rows);
      return row ?? null;
    },

    receipts: () => read(tables.select().from(addressReceipts)),
    reminders: () => read(tables.select().from(addressReminders)),
  };
}

export function openAddresses(parts: Parts): AddressBook {
  const { tables, writer, seals } = parts;
  return {
    ...openReads(parts),

    async add({ blocks, ...version }, event, proposalId) {
      const insert = tables.insert(addressVersions).values({ ...version, blocks: JSON.stringify(blocks) });
      const settle = tables.delete(addressProposals).where(eq(addressProposals.id, proposalId ?? ''));
      const statements = [statement(insert), ...(proposalId === null ? [] : [statement(settle, 1)])];
      const outcome = await writer.write({ statements, events: [storeEvent(seals, event)] });
      const lost = outcome.kind === 'unmet' || (outcome.kind === 'refused' && outcome.sqlState === uniqueViolation);
      if (!lost) accept(outcome);
      return !lost;
    },

    async propose({ change, ...proposal }, event) {
      const insert = tables.insert(addressProposals).values({ ...proposal, change: JSON.stringify(change) });
      await commit(writer, { statements: [statement(insert)], events: [storeEvent(seals, event)] });
    },

    async receive({ projectId, ...set }, event) {
      const put = tables
        .insert(addressReceipts)
        .values({ projectId, ...set })
        .onConflictDoUpdate({ target: addressReceipts.projectId, set });
      const change = { statements: [statement(put)], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('ProjectNotFound', { projectId }));
    },

    async remind(reminder, event) {
      const insert = statement(tables.insert(addressReminders).values(reminder));
      const change = { statements: [insert], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('ProjectNotFound', { projectId: reminder.projectId }));
    },
  };
}
