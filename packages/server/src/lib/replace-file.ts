/** A file that is written as a whole. */
import { rename, writeFile } from 'node:fs/promises';

const ownerOnly = 0o600;

/**
 * Puts text into a file that only its owner may read: a crash leaves this text or the one before, never a part of one.
 * @throws what the disk says
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.new`;
  await writeFile(draft, text, { mode: ownerOnly, flush: true });
  await rename(draft, file);
}
