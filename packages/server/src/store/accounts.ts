/** Accounts. Their names are sealed with the platform's data key. */
import { PlatformError } from '@cloister/protocol/errors';
import { asc, eq } from 'drizzle-orm';
import { type Account, type Store, sealedContext } from '../core/index.ts';
import { storeEvent } from './personal.ts';
import { accounts } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

export function openAccounts({ tables, writer, seals }: Parts): Store['accounts'] {
  const toAccount = ({ seq: _, name, ...rest }: typeof accounts.$inferSelect): Account => ({
    ...rest,
    name: seals.open(null, sealedContext.accountName(rest.id), name),
  });
  return {
    async create({ id, name, secret, plan, addOns, createdAt }, event) {
      const row = {
        id,
        name: seals.seal(null, sealedContext.accountName(id), name),
        secret,
        plan,
        addOns: [...addOns],
        createdAt,
      };
      const insert = statement(tables.insert(accounts).values(row));
      await commit(writer, { statements: [insert], events: [storeEvent(seals, event)] });
    },

    async get(id) {
      const [row] = await read(tables.select().from(accounts).where(eq(accounts.id, id)));
      return row ? toAccount(row) : null;
    },

    async list() {
      return (await read(tables.select().from(accounts).orderBy(asc(accounts.seq)))).map(toAccount);
    },

    async update(id, { plan, addOns, secret }, event) {
      const change = { plan, secret, addOns: addOns && [...addOns] };
      const update = statement(tables.update(accounts).set(change).where(eq(accounts.id, id)), 1);
      const events = [storeEvent(seals, event)];
      await commit(writer, { statements: [update], events }, new PlatformError('IssuerNotFound'));
    },
  };
}
