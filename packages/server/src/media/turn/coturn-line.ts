/** What coturn writes, made fit for our log. Network addresses are taken out there, as from every text. */
import { limits } from '@cloister/protocol';

export interface CoturnLine {
  readonly level: 'debug' | 'warn';
  readonly line: string;
}

/**
 * One line of coturn; null for an empty one. What stands between angle brackets is somebody's own: a user name, which has
 * the id of a connection in it, or whatever a stranger sent instead.
 */
export function readLine(text: string): CoturnLine | null {
  const bare = text.replace(/^\d+: (?:\(\d+\))?: ?/, '').trim();
  if (bare === '' || bare.startsWith('====')) return null;
  const line = bare.replace(/<.*>|<.*$/s, '<…>').replace(/\d{9,}:[\w-]+/g, '<…>');
  return { level: /^(CONFIG )?(WARNING|ERROR)|^FATAL/.test(line) ? 'warn' : 'debug', line };
}

/** Lets so many warnings of a minute through and counts the rest: anybody can make coturn write one. */
export class LineGate {
  #until = 0;
  #passed = 0;
  #left = 0;

  /**
   * @param now milliseconds since 1970
   * @returns whether the warning may be logged, and how many of the minute before were not
   */
  take(now: number): { passes: boolean; left: number } {
    let left = 0;
    if (now >= this.#until) {
      left = this.#left;
      this.#until = now + 60_000;
      this.#passed = 0;
      this.#left = 0;
    }
    const passes = this.#passed < limits.turnWarningsPerMinute;
    if (passes) this.#passed += 1;
    else this.#left += 1;
    return { passes, left };
  }
}
