/** Names of people, as their connection carries them. */
import type { OtConnection } from './ot.ts';

const NAMELESS = 'Guest';

/** The name in a connection's data: JSON with a `name`, `name=Ana`, or the text as it is. */
export function nameOf(connection: Pick<OtConnection, 'data'>): string {
  const data = connection.data.trim();
  if (!data) return NAMELESS;
  if (data.startsWith('{')) return nameInJson(data) ?? NAMELESS;
  return /^name=(.+)$/.exec(data)?.[1] ?? data;
}

function nameInJson(data: string): string | undefined {
  try {
    const { name } = JSON.parse(data) as { name?: unknown };
    return typeof name === 'string' && name.trim() ? name.trim() : undefined;
  } catch {
    return undefined;
  }
}

/** One or two letters for a person without a picture. */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => (word ? [...word][0] : ''));
  return letters.join('').toLocaleUpperCase() || '?';
}
