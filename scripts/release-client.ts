/** Records the hashes of the client of this version, once it is to be released: `npm run release:client`. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ClientIntegrity, clientIntegrity } from '@cloister/protocol/client-integrity';
import { clientIntegrityPage, releasesFile } from './docs/client-integrity.ts';
import { pageOf } from './docs/page.ts';

const root = path.resolve(import.meta.dirname, '..');

export function builtClient(): ClientIntegrity {
  return clientIntegrity.parse(
    JSON.parse(readFileSync(path.join(root, 'packages/client/dist/integrity.json'), 'utf8')),
  );
}

/**
 * The releases with this one, the newest first. What is recorded stays: a version stands for one script for ever.
 * @throws Error where this version was recorded with other hashes
 */
export function withRelease(releases: readonly ClientIntegrity[], built: ClientIntegrity): readonly ClientIntegrity[] {
  const known = releases.find(({ version }) => version === built.version);
  if (!known) return [built, ...releases];
  for (const { file, integrity } of built.files) {
    const recorded = known.files.find((each) => each.file === file)?.integrity;
    if (recorded === integrity) continue;
    throw new Error(
      `${built.version} is released, and ${file} of it is ${recorded}; this one is ${integrity}. Raise the version in package.json.`,
    );
  }
  return releases;
}

if (import.meta.main) {
  try {
    const releases = withRelease(JSON.parse(readFileSync(releasesFile, 'utf8')), builtClient());
    writeFileSync(releasesFile, `${JSON.stringify(releases, null, 2)}\n`);
    writeFileSync(path.join(root, clientIntegrityPage.file), await pageOf(clientIntegrityPage));
    console.log(`${clientIntegrityPage.file} has ${releases[0]?.version}. Commit it, and tag that commit.`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
