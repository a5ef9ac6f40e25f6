/** The last checkpoint, in a file: outside the database, so that a database which was rolled back is noticed. */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../lib/index.ts';
import type { Outside } from './log.ts';

export function fileOutside(file: string): Outside {
  return {
    async read() {
      try {
        return await readFile(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    write: (note) => replaceFile(file, note),
  };
}
