/** Limits on use, as refusals. */
import { PlatformError } from '@cloister/protocol';
import type { RateLimiter, RateScope } from './ports.ts';

const words: Readonly<Record<RateScope, string>> = {
  project: 'project',
  token: 'token',
  connection: 'connection',
  frame: 'connection',
  address: 'address',
  join: 'address',
  failure: 'address',
};

/** Takes `cost` (1 unless given) out of a bucket; 0 asks only. @throws PlatformError `RateLimited` */
export function spend(limiter: RateLimiter, scope: RateScope, subject: string, cost?: number): void {
  const verdict = limiter.take(scope, subject, cost);
  if (verdict.ok) return;
  throw new PlatformError('RateLimited', { scope: words[scope], retryAfterSeconds: verdict.retryAfterSeconds });
}
