/** How much memory a recorder may take: it looks itself, after each picture; the kernel's bound is past that (`sandbox.ts`). */
import { limits } from '@cloister/protocol';

export class TooMuchMemory extends Error {}

/**
 * @param used of the whole process, in bytes
 * @throws TooMuchMemory when a stream made this process take more memory than a recording needs
 */
export function requireMemory(used = process.memoryUsage.rss()): void {
  if (used > limits.archiveRecorderBytes) throw new TooMuchMemory(`the recorder took ${used} bytes of memory`);
}
