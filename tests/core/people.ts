/** People of an account, for tests about them: invited, enrolled and logged in over the real rules. */
import { type ErrorCode, PlatformError } from '@cloister/protocol';
import { TOTP } from 'otpauth';
import type { Actor, Whence } from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

export const operator: Actor = { kind: 'operator', via: 'cli' };
export const from: Whence = { address: '198.51.100.7', network: 'public' };
export const password = 'five words that go nowhere';

/** Whether something was refused with this code, in words like these: for `assert.rejects`. */
export function refusal(code: ErrorCode, words = /./): (error: unknown) => boolean {
  return (error) => error instanceof PlatformError && error.code === code && words.test(error.message);
}

/** A code of an authenticator, as it shows it at a time. */
export function codeAt(secret: string, now: number): string {
  return new TOTP({ secret }).generate({ timestamp: now });
}

export interface Enrolled {
  readonly personId: string;
  readonly email: string;
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
  /** The value of their cookie. */
  readonly cookie: string;
}

/** Somebody with a password and an authenticator, who took up their invitation. */
export async function enrol(
  platform: TestPlatform,
  {
    email,
    role = 'owner',
    account = true,
  }: {
    email: string;
    role?: 'owner' | 'engineer' | 'auditor' | 'support' | 'operator' | 'operatorSupport';
    account?: boolean;
  },
): Promise<Enrolled> {
  const { core, clock, accountId } = platform;
  const wish = { accountId: account ? accountId : null, name: 'Ada', email, role, passwordAllowed: true };
  const { person, token } = await core.people.invite(operator, wish);
  const { secret } = await core.enrolments.setPassword(token, password);
  const { cookie, recoveryCodes } = await core.enrolments.confirm(token, codeAt(secret, clock.now()), from);
  return { personId: person.id, email, secret, recoveryCodes, cookie };
}

/** The next code, which no log-in has used yet. */
export function nextCode(platform: TestPlatform, secret: string): string {
  platform.clock.advance(30_000);
  return codeAt(secret, platform.clock.now());
}

/** What the record has of these types, oldest first, without its stamps. */
export async function recorded(platform: TestPlatform, ...types: string[]): Promise<Record<string, unknown>[]> {
  await platform.core.recorder.flush();
  const all = await platform.core.store.outbox.read(`test-${types.join()}`, 1000);
  return all.flatMap(({ event }) => {
    if (event === null || !types.some((type) => event.type.startsWith(type))) return [];
    const { id: _id, at: _at, projectId: _project, ...rest } = event;
    return [rest as Record<string, unknown>];
  });
}

/** A platform whose clock begins on a whole step of authenticators. */
export function peoplePlatform(): Promise<TestPlatform> {
  return testPlatform('enterprise', { startAt: 1_800_000_000_000 });
}
