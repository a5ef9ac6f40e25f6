/** Writes the pages of docs/reference that are made from code: `npm run docs`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { accessPage } from './docs/access.ts';
import { clientIntegrityPage } from './docs/client-integrity.ts';
import { clientMembers } from './docs/client-members.ts';
import { clientsPage } from './docs/clients.ts';
import { commandsPage } from './docs/commands.ts';
import { configuration } from './docs/configuration.ts';
import { errors } from './docs/errors.ts';
import { licences } from './docs/licences.ts';
import { limits } from './docs/limits.ts';
import { logFields } from './docs/log-fields.ts';
import { opentokRoutes } from './docs/opentok-routes.ts';
import { type Generator, pageOf } from './docs/page.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Every page that is made from code. A new one is a file in scripts/docs/ and a line here. */
export const generators: readonly Generator[] = [
  accessPage,
  clientIntegrityPage,
  clientMembers,
  clientsPage,
  commandsPage,
  configuration,
  errors,
  licences,
  limits,
  logFields,
  opentokRoutes,
];

if (import.meta.main) {
  for (const generator of generators) {
    const file = path.join(root, generator.file);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, await pageOf(generator));
    console.log(generator.file);
  }
}
