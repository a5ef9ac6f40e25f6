/** The planes of a frame, seen from here. */
import type { Frame } from 'node-av';
import { giveBack } from '../../lib/index.ts';

/**
 * Lets go of a frame that is done with, its planes first. What has looked at them keeps the memory of the picture until the
 * next garbage collection, and a second of four cameras is 55 MB of them: they would be collected three times a second, all
 * of the heap with them, and there would be up to a hundred megabytes of them meanwhile.
 */
export function letGo(frame: Frame): void {
  for (const plane of frame.data ?? []) giveBack(plane);
  frame.unref();
}
