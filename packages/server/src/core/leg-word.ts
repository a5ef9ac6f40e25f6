/**
 * What is said of a leg, word by word: the transcript that is signed with the security record. A word is added and never
 * changed, so that the first of an end is there after a later one; of an end that talks on, `wordsPerLeg` are kept.
 */
import { type LegWord, limits } from '@cloister/protocol';

export type NewWord = Omit<LegWord, 'leftOut'>;
export type Words = readonly LegWord[];

/** The words with another one at their end; the same words where it repeats what its end said last. */
export function withWord(words: Words, word: NewWord): Words {
  const last = lastWord(words, word.end);
  if (last && whatOf(last) === whatOf(word)) return words;
  if (!last || words.filter(({ end }) => end === word.end).length < limits.wordsPerLeg) {
    return [...words, { ...word, leftOut: 0 }];
  }
  return [...words.filter((each) => each !== last), { ...word, leftOut: last.leftOut + 1 }];
}

/** What an end said last. */
export function lastWord(words: Words, by: LegWord['end']): LegWord | undefined {
  return words.findLast(({ end }) => end === by);
}

function whatOf({ connectionId, build, suite, dtlsVersion, frameLayer, frames }: NewWord): string {
  return JSON.stringify([connectionId, build, suite, dtlsVersion, frameLayer, frames?.own, frames?.other]);
}
