/**
 * How much of each family of tests runs. `npm test` runs a sample drawn by a seed, `npm run test:full` runs all of it.
 * The seed is printed at the start and with every failure; with CLOISTER_SEED set, the same sample is drawn again.
 */

/** Whether everything is to run. */
export const full = process.env.CLOISTER_TEST_FULL === '1';

/** The seed of this run, a whole number below 2^32. */
export const seed = Number(process.env.CLOISTER_SEED ?? '1') >>> 0;

/** Numbers from 0 up to 1, always the same ones for a seed and a name (mulberry32 over an FNV-1a hash of the name). */
export function randomOf(name: string, from = seed): () => number {
  let state = 2_166_136_261 ^ from;
  for (const byte of Buffer.from(name)) state = Math.imul(state ^ byte, 16_777_619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The cases of a family that run: all of them in a full run, else `count` drawn by the seed, in their own order.
 * @param name the family; families draw apart from each other
 */
export function sample<T>(name: string, cases: readonly T[], count: number): T[] {
  if (full || cases.length <= count) return [...cases];
  const random = randomOf(name);
  const drawn = cases.map((_, index) => ({ index, rank: random() }));
  const chosen = new Set(
    drawn
      .sort((a, b) => a.rank - b.rank)
      .slice(0, count)
      .map((each) => each.index),
  );
  return cases.filter((_, index) => chosen.has(index));
}

/** A number of repetitions: the first in a sample, the second in a full run. */
export function times(sampled: number, all: number): number {
  return full ? all : sampled;
}
