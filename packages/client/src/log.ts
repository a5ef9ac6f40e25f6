/** What the SDK says to the browser's console, by OpenTok's levels: 0 nothing … 5 everything. Never media or tokens. */
let level = 1;

/** Sets how much is said: 0 none, 1 errors, 2 warnings, 3 and 4 information, 5 everything. */
export function setLogLevel(newLevel: number): void {
  level = newLevel;
}

export const log = {
  error: (message: string, ...rest: unknown[]) => void (level >= 1 && console.error(`[OT] ${message}`, ...rest)),
  warn: (message: string, ...rest: unknown[]) => void (level >= 2 && console.warn(`[OT] ${message}`, ...rest)),
  info: (message: string, ...rest: unknown[]) => void (level >= 3 && console.info(`[OT] ${message}`, ...rest)),
  debug: (message: string, ...rest: unknown[]) => void (level >= 5 && console.debug(`[OT] ${message}`, ...rest)),
};
