import { rm } from 'node:fs/promises';
import { newDataFolder } from '../../../../tests/rig/embedded.ts';
import { openPgliteStore } from './index.ts';
import { storeContract } from './store.contract.ts';
import { clock, silent } from './store-fixture.ts';

storeContract('PGlite', async () => {
  const folder = await newDataFolder();
  return {
    folder,
    open: () => openPgliteStore({ dataDir: folder, clock, journal: silent }),
    stop: () => rm(folder, { recursive: true }),
  };
});
