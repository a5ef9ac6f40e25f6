/** The name that somebody gave last time, on this machine only. A browser may refuse to keep it: then it is empty. */
const KEY = 'cloister.playground.name';

export function rememberedName(): string {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

export function rememberName(name: string): void {
  try {
    localStorage.setItem(KEY, name.trim());
  } catch {
    // Nothing depends on it.
  }
}
