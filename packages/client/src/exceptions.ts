/** `OT.on('exception')`: every error of the SDK, also those that nobody waits for. */
import { Emitter } from './emitter.ts';
import type { OtError } from './errors.ts';
import { type ExceptionEvent, makeEvent } from './events.ts';

export const exceptions = new Emitter<{ exception: ExceptionEvent }>();

const titles: Readonly<Record<number, string>> = {
  1004: 'Authentication error',
  1005: 'Invalid session id',
  1006: 'Connect failed',
  1008: 'Connect time out',
  1009: 'Security error',
  1010: 'Not connected',
  1011: 'Invalid parameter',
  1013: 'Connection failed',
  1014: 'API response failure',
  1027: 'Connection limit exceeded',
  1500: 'Unable to publish',
};

/** Tells the listeners of `exception`. */
export function reportException(error: OtError, target: object | string): void {
  const { code, message } = error;
  const about = typeof target === 'string' ? { name: target } : target;
  exceptions.dispatch(makeEvent('exception', about, { code, message, title: titles[code] ?? 'Internal error' }));
}
