/** A file that is written as a whole. */
import { rename, writeFile } from 'node:fs/promises';

const ownerOnly = 0o600;

/**
 * Puts text or bytes into a file that only its owner may read: a crash leaves these or the ones before, never a part.
 * @throws what the disk says
 */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const draft = `${file}.new`;
  await writeFile(draft, content, { mode: ownerOnly, flush: true });
  await rename(draft, file);
}
