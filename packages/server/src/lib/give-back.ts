/** Memory outside of the heap, given back before a garbage collector comes for it. */

/**
 * Gives the memory of bytes back at once: they have been used and are gone. A garbage collector would let much more of it
 * pile up first, and then look through all of the heap. What shares its memory with others (Node's pool) stays.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
