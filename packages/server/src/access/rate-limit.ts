/**
 * Limits on use: one token bucket for each subject of each scope, in memory. A subject (an address, a token, a key) is
 * remembered only as an HMAC under a key that is made at random, lives for a day and is written nowhere, so no address is
 * stored. A bucket that has refilled says the same as none, so forgetting it costs nothing; those go first when a scope
 * has `rateBuckets` of them.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { limits } from '@cloister/protocol';
import { spend } from '../core/index.ts';
import type { Clock, Ids } from '../lib/index.ts';
import { type Bucket, Buckets, levelAt, type Rate } from './buckets.ts';
import { canonicalAddress } from './cidr.ts';

interface Limit extends Rate {
  readonly subject: 'address' | 'name';
}

/** What is limited, and by which two limits. `join` counts joins by address, `address` all other HTTP requests. */
export const rates = {
  project: {
    perSecond: limits.restPerProjectPerSecond,
    burst: limits.restPerProjectBurst,
    subject: 'name',
  },
  address: {
    perSecond: limits.restPerAddressPerSecond,
    burst: limits.restPerAddressBurst,
    subject: 'address',
  },
  token: { perSecond: limits.joinsPerTokenPerSecond, burst: limits.joinsPerTokenBurst, subject: 'name' },
  join: {
    perSecond: limits.joinsPerAddressPerSecond,
    burst: limits.joinsPerAddressBurst,
    subject: 'address',
  },
  connection: {
    perSecond: limits.requestsPerConnectionPerSecond,
    burst: limits.requestsPerConnectionBurst,
    subject: 'name',
  },
  frame: {
    perSecond: limits.framesPerConnectionPerSecond,
    burst: limits.framesPerConnectionBurst,
    subject: 'name',
  },
  failure: {
    perSecond: limits.failuresPerAddressPerSecond,
    burst: limits.failuresPerAddressBurst,
    subject: 'address',
  },
} as const satisfies Record<string, Limit>;
export type RateScope = keyof typeof rates;

/** Whether there was enough in the bucket; if not, whole seconds (at least 1) after which there will be. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly retryAfterSeconds: number };

export interface RateLimiter {
  /**
   * Takes `cost` (1 unless given) out of a subject's bucket. A cost of 0 takes nothing and asks whether 1 is there:
   * so the `failure` scope is asked before a credential is checked and charged after it was wrong. A cost beyond the
   * burst is never granted. IPv6 addresses count by their /64, since that is what one customer of a provider has.
   */
  take(scope: RateScope, subject: string, cost?: number): Verdict;
  /** The same, for callers that refuse by throwing. @throws PlatformError `RateLimited` */
  require(scope: RateScope, subject: string, cost?: number): void;
  /** How many buckets are kept now, in all scopes; for metrics and tests. */
  size(): number;
}

interface Generation {
  readonly key: KeyObject;
  readonly since: number;
  readonly scopes: Record<RateScope, Buckets>;
}

const scopes = Object.keys(rates) as RateScope[];
const longestRefillMs = Math.max(...Object.values(rates).map(({ burst, perSecond }) => (burst / perSecond) * 1000));

/** What stands for an address: itself, or its /64 for IPv6. What is not an address stands for itself. */
function addressSubject(text: string): string {
  const address = canonicalAddress(text);
  if (address === undefined || !address.includes(':')) return address ?? text;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** Makes a limiter with empty memory. `ids` gives the random daily keys. */
export function createRateLimiter(deps: { readonly clock: Clock; readonly ids: Ids }): RateLimiter {
  const { clock, ids } = deps;
  const generation = (since: number): Generation => ({
    key: createSecretKey(Buffer.from(ids.token(32), 'base64url')),
    since,
    scopes: Object.fromEntries(scopes.map((scope) => [scope, new Buckets(rates[scope], limits.rateBuckets)])) as Record<
      RateScope,
      Buckets
    >,
  });
  let current = generation(clock.now());
  let previous: Generation | null = null;

  function turn(now: number): void {
    if (now - current.since >= limits.rateKeySeconds * 1000) {
      previous = current;
      current = generation(now);
    }
    // Once every old bucket has refilled, the old key says nothing any more.
    if (previous && now - current.since >= longestRefillMs) previous = null;
  }

  /** Its bucket; one of yesterday's key is moved over, so that a new key gives nobody a fresh burst. */
  function bucketOf(scope: RateScope, subject: string, now: number): Bucket {
    const name = nameOf(current.key, scope, subject);
    const known = current.scopes[scope].use(name);
    if (known) return known;
    const older = previous?.scopes[scope].remove(nameOf(previous.key, scope, subject));
    return current.scopes[scope].add(name, older ?? { level: rates[scope].burst, at: now }, now);
  }

  function take(scope: RateScope, subject: string, cost = 1): Verdict {
    const now = clock.now();
    turn(now);
    const rate: Limit = rates[scope];
    const bucket = bucketOf(scope, rate.subject === 'address' ? addressSubject(subject) : subject, now);
    bucket.level = levelAt(bucket, rate, now);
    bucket.at = now;
    const needed = cost === 0 ? 1 : cost;
    if (bucket.level >= needed) {
      bucket.level -= cost;
      return { ok: true };
    }
    return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil((needed - bucket.level) / rate.perSecond)) };
  }

  return {
    take,
    require: (scope, subject, cost) => spend({ take }, scope, subject, cost),
    size: () => scopes.reduce((sum, scope) => sum + current.scopes[scope].size, 0),
  };
}

function nameOf(key: KeyObject, scope: RateScope, subject: string): string {
  return createHmac('sha256', key).update(`${scope}\0${subject}`).digest('base64url');
}
