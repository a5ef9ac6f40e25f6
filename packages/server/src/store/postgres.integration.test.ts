import { startPostgres } from '../../../../tests/rig/postgres.ts';
import { openPostgresStore } from './index.ts';
import { storeContract } from './store.contract.ts';
import { clock, silent } from './store-fixture.ts';

storeContract('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    folder: server.folder,
    open: () => openPostgresStore({ url: server.url, clock, journal: silent }),
    stop: () => server.stop(),
  };
});
