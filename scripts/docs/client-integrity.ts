/** docs/reference/client-integrity.md, from what `npm run release:client` has recorded. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ClientIntegrity } from '@cloister/protocol/client-integrity';
import { type Generator, table } from './page.ts';

export const releasesFile = path.resolve(import.meta.dirname, '../../docs/internals/client-releases.json');

/** @param releases the newest first */
export function releasesTable(releases: readonly ClientIntegrity[]): string {
  if (releases.length === 0) return 'No version is released yet.';
  const rows = releases.flatMap(({ version, files }) =>
    files.map(({ file, bytes, integrity }) => [version, `\`${file}\``, String(bytes), `\`${integrity}\``]),
  );
  return table(['version', 'file', 'bytes', '`integrity`'], rows);
}

export const clientIntegrityPage: Generator = {
  file: 'docs/reference/client-integrity.md',
  generate: () =>
    [
      '# Hashes of the client script',
      '',
      'What each release of the client is, as Subresource Integrity writes it. `npm run client` in a clone of the release builds the same',
      'bytes; [serving the client yourself](../guides/serve-the-client.md) says how to compare and to use them. `npm run release:client` writes this.',
      '',
      releasesTable(JSON.parse(readFileSync(releasesFile, 'utf8'))),
      '',
      'Between releases, `npx cloister client integrity` and `/v2/js/integrity.json` of each server have the hashes of what it hands out.',
    ].join('\n'),
};
