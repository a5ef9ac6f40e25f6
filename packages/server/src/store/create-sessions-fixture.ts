/**
 * Creates sessions in the data folder of its argument as fast as it can, and writes the id of each one that is durable,
 * until it is killed.
 */
import { openKeys } from '../keys/index.ts';
import { systemClock, systemIds } from '../lib/index.ts';
import { openPgliteStore } from './index.ts';
import { clock, fixedRoot, newProject, newSession, silent } from './store-fixture.ts';

const dataDir = process.argv[2] as string;
const store = await openPgliteStore({ dataDir, clock: systemClock, journal: silent });
const keys = await openKeys({ root: fixedRoot, keyring: store.keyring, clock, ids: systemIds });
store.useKeys(keys);
const project = await newProject(store, keys);
const creating = Array.from({ length: 20 }, async () => {
  for (;;) process.stdout.write(`${(await newSession(store, project.id)).id}\n`);
});
await Promise.all(creating);
