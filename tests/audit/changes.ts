/**
 * A small process with the real store, keys and audit log, for a test that kills it: makes changes on end, and writes a line
 * with the id of each one's event when it is durable. Now and then it replaces the key of the log, or finds that it has leaked.
 *
 *     node changes.ts DATABASE_URL FOLDER
 */
import path from 'node:path';
import { AuditLog, fileOutside } from '../../packages/server/src/audit/index.ts';
import { type Account, type Event, sealedContext } from '../../packages/server/src/core/index.ts';
import { type KeyChange, openKeys } from '../../packages/server/src/keys/index.ts';
import { systemClock as clock, systemIds as ids } from '../../packages/server/src/lib/index.ts';
import { openPostgresStore } from '../../packages/server/src/store/index.ts';

const [url = '', folder = ''] = process.argv.slice(2);
/** The root where the test opens the same database. */
const root = Buffer.alloc(32, 1);
const CHANGERS = 4;
/** Of so many changes one is about the key of the log. */
const KEY_CHANGES = 40;

const journal = { record() {} };
const store = await openPostgresStore({ url, clock, journal });
await store.lease('server');
const keys = await openKeys({ root, keyring: store.keyring, clock, ids });
store.useKeys(keys);
const log = await AuditLog.open({
  ...{ store, keys, clock, ids, journal },
  outside: fileOutside(path.join(folder, 'audit-checkpoint')),
});
process.stdout.write(`${log.state} ${log.why}\n`);
log.start();

const stamp = () => ({ id: ids.uuid(), at: clock.now(), actor: { kind: 'operator', via: 'cli' } as const });

async function makeAccount(): Promise<string> {
  const id = String(ids.integer(10_000_000, 2 ** 31));
  const secret = keys.seal(null, sealedContext.accountSecret(id), 'secret');
  const at = clock.now();
  const terms = { version: 1, effectiveAt: at, decidedAt: at, by: 'operator', plan: 'growth', forced: false } as const;
  const changes = [{ ...terms, addOns: [], buy: [], drop: [] }];
  const account: Account = { id, name: 'Clinic', secret, changes, createdAt: at };
  const event: Event = { ...stamp(), type: 'account.created', projectId: null, accountId: id };
  await store.accounts.create(account, event);
  return event.id;
}

/** As `cloister keys rotate` and `cloister keys compromise` do. */
async function changeKey(leaked: boolean): Promise<string> {
  const { id, ...rest } = stamp();
  const type = leaked ? 'key.compromised' : 'key.rotated';
  const eventOf = ({ purpose, keyId }: KeyChange): Event => ({ id, ...rest, type, projectId: null, purpose, keyId });
  if (leaked) await keys.compromise(keys.signBytes('audit', Buffer.alloc(1)).key.kid, eventOf);
  else await keys.rotate('audit', eventOf);
  await log.resign();
  return id;
}

async function changeOnEnd(): Promise<never> {
  for (;;) {
    const drawn = ids.integer(0, KEY_CHANGES);
    const id = drawn > 0 ? await makeAccount() : await changeKey(ids.integer(0, 2) === 0);
    process.stdout.write(`${id}\n`);
  }
}

await Promise.all(Array.from({ length: CHANGERS }, changeOnEnd));
