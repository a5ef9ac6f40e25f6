/** CRC-32 of two byte sequences, one after the other, from the CRC-32 of each (as zlib's `crc32_combine`). */

/** The polynomial of ZIP's CRC-32, without its x³², lowest power in the highest bit. */
const polynomial = 0xedb88320;
const one = 0x80000000;

/** a · b modulo the polynomial. */
function times(a: number, b: number): number {
  let [product, factor] = [0, b];
  for (let bit = one; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ polynomial : factor >>> 1;
  }
  return product >>> 0;
}

/** x to the power of 8 · `bytes` modulo the polynomial: what so many bytes that follow do to a CRC. */
function shift(bytes: number): number {
  let result = one;
  // x⁸, then its squares.
  let power = one >>> 8;
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = times(power, result);
    power = times(power, power);
  }
  return result;
}

/** @param secondBytes how long the second sequence is */
export function joinedCrc32(first: number, second: number, secondBytes: number): number {
  return (times(shift(secondBytes), first) ^ second) >>> 0;
}
