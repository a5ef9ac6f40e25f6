/** People, their ways in, their sessions, keys and grants. What is personal or secret is sealed before it gets here. */
import { PlatformError } from '@cloister/protocol/errors';
import { and, asc, desc, eq, isNull, lt, lte, ne, or } from 'drizzle-orm';
import type { PeopleChange, PeopleStore, Person } from '../core/index.ts';
import type { Statement } from './database.ts';
import { storeEvent } from './personal.ts';
import {
  apiKeys,
  logInFailures,
  logIns,
  passkeys,
  people,
  peoplePepper,
  personSessions,
  supportGrants,
} from './schema-people.ts';
import { commit, type Parts, read, statement, type Tables } from './tables.ts';

type Row = { readonly seq: number };
const without = <Given extends Row>({ seq: _, ...rest }: Given): Omit<Given, 'seq'> => rest;

/** Of one account, or of the operator's own house. */
const houseOf = (column: typeof people.accountId | typeof logIns.accountId, accountId: string | null) =>
  accountId === null ? isNull(column) : eq(column, accountId);

/** Each kind of row that a change may have, in the order in which they hang on each other. */
function statementsOf(tables: Tables, change: PeopleChange): Statement[] {
  const found: Statement[] = [];
  const add = (query: Parameters<typeof statement>[0], expect?: number) => found.push(statement(query, expect));
  const { person, removePerson, addPasskey, usePasskey, removePasskey, removePasskeysOf } = change;
  if (person) {
    const { id, ...next } = person.next;
    const { from } = person;
    add(
      tables
        .update(people)
        .set(next)
        .where(and(eq(people.id, id), eq(people.version, from))),
      1,
    );
  }
  if (removePasskeysOf) add(tables.delete(passkeys).where(eq(passkeys.personId, removePasskeysOf)));
  if (removePasskey) {
    const { id, personId } = removePasskey;
    add(tables.delete(passkeys).where(and(eq(passkeys.id, id), eq(passkeys.personId, personId))), 1);
  }
  if (addPasskey) add(tables.insert(passkeys).values(addPasskey));
  if (usePasskey) {
    const { id, counter, lastUsedAt } = usePasskey;
    add(tables.update(passkeys).set({ counter, lastUsedAt }).where(eq(passkeys.id, id)), 1);
  }
  found.push(...sessionStatements(tables, change), ...keyStatements(tables, change));
  if (removePerson) add(tables.delete(people).where(eq(people.id, removePerson)), 1);
  return found;
}

function sessionStatements(tables: Tables, change: PeopleChange): Statement[] {
  const found: Statement[] = [];
  const add = (query: Parameters<typeof statement>[0], expect?: number) => found.push(statement(query, expect));
  const { openSession, endSession, endSessionsOf, failures, forget, logIn } = change;
  if (endSessionsOf) add(tables.delete(personSessions).where(eq(personSessions.personId, endSessionsOf)));
  if (endSession)
    add(tables.delete(personSessions).where(eq(personSessions.hash, endSession)), openSession ? undefined : 1);
  if (openSession) add(tables.insert(personSessions).values(openSession));
  if (failures) {
    const { subject, ...set } = failures;
    add(tables.insert(logInFailures).values(failures).onConflictDoUpdate({ target: logInFailures.subject, set }));
  }
  if (forget) add(tables.delete(logInFailures).where(eq(logInFailures.subject, forget)));
  if (logIn) add(tables.insert(logIns).values(logIn));
  return found;
}

function keyStatements(tables: Tables, change: PeopleChange): Statement[] {
  const found: Statement[] = [];
  const add = (query: Parameters<typeof statement>[0], expect?: number) => found.push(statement(query, expect));
  const { addApiKey, useApiKey, removeApiKey, addGrant, removeGrant } = change;
  if (addApiKey) add(tables.insert(apiKeys).values({ ...addApiKey, scopes: [...addApiKey.scopes] }));
  if (useApiKey) {
    const { id, lastUsedAt } = useApiKey;
    add(tables.update(apiKeys).set({ lastUsedAt }).where(eq(apiKeys.id, id)), 1);
  }
  if (removeApiKey) add(tables.delete(apiKeys).where(eq(apiKeys.id, removeApiKey)), 1);
  if (addGrant) add(tables.insert(supportGrants).values({ ...addGrant, scopes: [...addGrant.scopes] }));
  if (removeGrant) add(tables.delete(supportGrants).where(eq(supportGrants.id, removeGrant)), 1);
  return found;
}

type Changes = Pick<PeopleStore, 'create' | 'change' | 'pepper' | 'touch' | 'touchApiKey' | 'trim'>;

function openReads({ tables }: Parts): Omit<PeopleStore, keyof Changes> {
  const one = async <Found>(query: PromiseLike<Found[]>): Promise<Found | null> => (await read(query))[0] ?? null;
  const toPerson = (row: typeof people.$inferSelect | null): Person | null => row && without(row);
  return {
    get: async (id) => toPerson(await one(tables.select().from(people).where(eq(people.id, id)))),
    find: async (by, hash) => toPerson(await one(tables.select().from(people).where(eq(people[by], hash)))),
    async list(accountId) {
      const found = tables.select().from(people).where(houseOf(people.accountId, accountId));
      return (await read(found.orderBy(asc(people.seq)))).map(without);
    },
    passkey: (id) => one(tables.select().from(passkeys).where(eq(passkeys.id, id))),
    passkeysOf: (personId) =>
      read(tables.select().from(passkeys).where(eq(passkeys.personId, personId)).orderBy(asc(passkeys.createdAt))),
    session: (hash) => one(tables.select().from(personSessions).where(eq(personSessions.hash, hash))),
    sessionsOf: (personId) =>
      read(
        tables
          .select()
          .from(personSessions)
          .where(eq(personSessions.personId, personId))
          .orderBy(asc(personSessions.createdAt), asc(personSessions.hash)),
      ),
    failures: (subject) => one(tables.select().from(logInFailures).where(eq(logInFailures.subject, subject))),
    async logIns(accountId, limit) {
      const found = tables.select().from(logIns).where(houseOf(logIns.accountId, accountId));
      return (await read(found.orderBy(desc(logIns.seq)).limit(limit))).map(without);
    },
    async apiKey(id) {
      const row = await one(tables.select().from(apiKeys).where(eq(apiKeys.id, id)));
      return row && without(row);
    },
    async apiKeys(accountId) {
      const found = tables.select().from(apiKeys).where(eq(apiKeys.accountId, accountId));
      return (await read(found.orderBy(asc(apiKeys.seq)))).map(without);
    },
    async grants(accountId) {
      const found = tables.select().from(supportGrants).where(eq(supportGrants.accountId, accountId));
      return (await read(found.orderBy(asc(supportGrants.seq)))).map(without);
    },
    async ended({ idle, begun, keyId, now }) {
      const { createdAt, lastUsedAt, keyId: key } = personSessions;
      const over = or(lte(lastUsedAt, idle), lte(createdAt, begun), ne(key, keyId));
      const grants = await read(tables.select().from(supportGrants).where(lte(supportGrants.expiresAt, now)));
      return { sessions: await read(tables.select().from(personSessions).where(over)), grants: grants.map(without) };
    },
  };
}

export function openPeople(parts: Parts): PeopleStore {
  const { tables, writer, seals } = parts;
  const put = (query: Parameters<typeof statement>[0]) => commit(writer, { statements: [statement(query)] });
  return {
    ...openReads(parts),

    async pepper(fresh) {
      await put(tables.insert(peoplePepper).values({ sealed: fresh }).onConflictDoNothing());
      const [row] = await read(tables.select().from(peoplePepper));
      return row!.sealed;
    },

    async create(person, event) {
      const insert = statement(tables.insert(people).values(person));
      const taken = new PlatformError('WrongState', { why: 'somebody else has made the same in this moment' });
      const outcome = await writer.write({ statements: [insert], events: [storeEvent(seals, event)] });
      if (outcome.kind !== 'done') throw taken;
    },

    async change(change, event) {
      const statements = statementsOf(tables, change);
      const outcome = await writer.write({ statements, events: [storeEvent(seals, event)] });
      return outcome.kind === 'done';
    },

    touch: (hash, at) =>
      put(tables.update(personSessions).set({ lastUsedAt: at }).where(eq(personSessions.hash, hash))),

    touchApiKey: (id, at) => put(tables.update(apiKeys).set({ lastUsedAt: at }).where(eq(apiKeys.id, id))),

    async trim(before) {
      await put(tables.delete(logIns).where(lt(logIns.at, before.logIns)));
      await put(tables.delete(logInFailures).where(lt(logInFailures.lastAt, before.failures)));
    },
  };
}
