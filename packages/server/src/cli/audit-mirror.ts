/** `cloister audit mirror`: fetches every hash of a log into a folder, and checks all of them. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { filesOf, verifyCheckpoint, verifyMirror } from '../audit/index.ts';
import { type Fetch, logIn, logOver, logUrl, readNoteKeys } from './audit-source.ts';
import { badRequest } from './bad-request.ts';

export interface AuditMirrorWords {
  readonly url: string;
  readonly folder: string;
  readonly keys: readonly string[];
}

/**
 * Fetches what the folder does not have yet: full tiles never change.
 * @throws PlatformError as `verifyMirror` does; `DestinationFailed`, `BadRequest`
 */
export async function mirrorAuditCommand(
  { url, folder, keys: sources }: AuditMirrorWords,
  fetch: Fetch,
): Promise<Record<string, unknown>> {
  const read = logOver(logUrl(url), fetch);
  const keys = await readNoteKeys(
    sources.length > 0 ? sources : badRequest('--key is needed: the keys of the log'),
    fetch,
  );
  const note = (await read('checkpoint')) ?? badRequest(`${url} gives no checkpoint`);
  const { size } = verifyCheckpoint(note.toString(), keys);
  let fetched = 0;
  for (const name of filesOf(size)) {
    const file = path.join(folder, ...name.split('/'));
    if (
      await readFile(file).then(
        () => true,
        () => false,
      )
    )
      continue;
    const bytes = await read(name);
    if (bytes) await put(file, bytes);
    fetched += 1;
  }
  await put(path.join(folder, 'checkpoint'), note);
  const { checkpoint } = await verifyMirror(logIn(folder), keys);
  return { mirrored: folder, origin: checkpoint.origin, size, fetched };
}

async function put(file: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, bytes);
  await rename(`${file}.new`, file);
}
