/** Accounts and their terms. Names are sealed with the platform's data key. */
import { PlatformError } from '@cloister/protocol/errors';
import { asc, eq } from 'drizzle-orm';
import { type Account, type Store, sealedContext, type TermsChange } from '../core/index.ts';
import type { Statement } from './database.ts';
import { storeEvent } from './personal.ts';
import { accounts, accountTerms } from './schema.ts';
import { accept, commit, type Parts, read, statement } from './tables.ts';

/** Only as the next version, so that of two changes at once one is refused. */
const insertTerms = `
insert into account_terms
  (account_id, version, effective_at, decided_at, decided_by, plan, add_ons, buy, dropped, forced)
select $1::text, $2::int4, $3::int8, $4::int8, $5::text, $6::text, $7::text[], $8::text[], $9::text[], $10::bool
where $2 = 1 + (select coalesce(max(version), 0) from account_terms where account_id = $1)`;

function insertOf(id: string, change: TermsChange): Statement {
  const { version, effectiveAt, decidedAt, by, plan, addOns, buy, drop, forced } = change;
  return {
    sql: insertTerms,
    params: [id, version, effectiveAt, decidedAt, by, plan, addOns, buy, drop, forced],
    expect: 1,
  };
}

function toChange({ accountId: _, ...change }: typeof accountTerms.$inferSelect): TermsChange {
  return change;
}

export function openAccounts({ tables, writer, seals }: Parts): Store['accounts'] {
  const toAccount = ({ seq: _, name, ...rest }: typeof accounts.$inferSelect, changes: TermsChange[]): Account => ({
    ...rest,
    name: seals.open(null, sealedContext.accountName(rest.id), name),
    changes,
  });
  const inVersions = [asc(accountTerms.accountId), asc(accountTerms.version)];
  return {
    async create({ id, name, secret, changes, createdAt }, event) {
      const row = { id, name: seals.seal(null, sealedContext.accountName(id), name), secret, createdAt };
      const statements = [
        statement(tables.insert(accounts).values(row)),
        ...changes.map((change) => insertOf(id, change)),
      ];
      await commit(writer, { statements, events: [storeEvent(seals, event)] });
    },

    async get(id) {
      const [row] = await read(tables.select().from(accounts).where(eq(accounts.id, id)));
      if (!row) return null;
      const changes = tables.select().from(accountTerms).where(eq(accountTerms.accountId, id));
      return toAccount(row, (await read(changes.orderBy(...inVersions))).map(toChange));
    },

    async list() {
      const rows = await read(tables.select().from(accounts).orderBy(asc(accounts.seq)));
      const changes = new Map<string, TermsChange[]>();
      for (const each of await read(
        tables
          .select()
          .from(accountTerms)
          .orderBy(...inVersions),
      )) {
        const before = changes.get(each.accountId);
        if (before) before.push(toChange(each));
        else changes.set(each.accountId, [toChange(each)]);
      }
      return rows.map((row) => toAccount(row, changes.get(row.id) ?? []));
    },

    async update(id, { secret }, event) {
      const update = statement(tables.update(accounts).set({ secret }).where(eq(accounts.id, id)), 1);
      const events = [storeEvent(seals, event)];
      await commit(writer, { statements: [update], events }, new PlatformError('IssuerNotFound'));
    },

    async changeTerms(id, change, event) {
      const outcome = await writer.write({ statements: [insertOf(id, change)], events: [storeEvent(seals, event)] });
      if (outcome.kind !== 'unmet') return accept(outcome, new PlatformError('IssuerNotFound'));
      const [last] = (await this.get(id))?.changes.slice(-1) ?? [];
      if (!last) throw new PlatformError('IssuerNotFound');
      throw new PlatformError('TermsChanged', { version: last.version, expected: change.version - 1 });
    },
  };
}
