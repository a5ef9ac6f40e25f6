/** Which database the platform under test keeps its rows in: `CLOISTER_TEST_STORE` is `pglite` or `postgres`. */
import { startPostgres } from './postgres.ts';

/** A new, empty database, for as long as one platform needs it. */
export interface TestDatabase {
  /** null: the embedded one. */
  readonly url: string | null;
  stop(): Promise<void>;
}

/** Makes the database that the environment names. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = process.env.CLOISTER_TEST_STORE ?? 'pglite';
  if (name === 'pglite') return { url: null, stop: async () => {} };
  if (name !== 'postgres') throw new Error(`CLOISTER_TEST_STORE is ${name}; write pglite or postgres`);
  return startPostgres();
}
