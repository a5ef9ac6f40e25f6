/** How much memory a recorder may take: it looks itself, after each picture; the kernel's bound is past that (`sandbox.ts`). */
import { limits } from '@cloister/protocol';

/**
 * @param used of the whole process, in bytes
 * @throws Error when a stream made this process take more memory than a recording needs
 */
export function requireMemory(used = process.memoryUsage.rss()): void {
  if (used > limits.archiveRecorderBytes) throw new Error(`the recorder took ${used} bytes of memory`);
}
