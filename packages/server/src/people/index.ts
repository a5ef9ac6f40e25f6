/** The door of what people log in with: passwords, authenticators, passkeys, log-in services. It fills the port `Credentials`. */
import type { Credentials } from '../core/index.ts';
import { LogInServices, type Wire } from './oidc.ts';
import { passkeys } from './passkey.ts';
import { Passwords } from './password.ts';
import { readProviders } from './providers.ts';
import { totpSecret, totpShown, totpStep } from './totp.ts';

export type { Wire } from './oidc.ts';

/**
 * @param file of log-in services; without one there are none
 * @throws PlatformError `ConfigInvalid`
 */
export function openCredentials({ file, wire }: { file: string | undefined; wire: Wire }): Credentials {
  const passwords = new Passwords();
  const services = new LogInServices(readProviders(file), wire);
  return {
    hash: (password) => passwords.hash(password),
    matches: (password, hash) => passwords.matches(password, hash),
    totpSecret,
    totpShown,
    totpStep,
    passkeys,
    providers: services.listed,
    depart: (provider, redirectUri) => services.depart(provider, redirectUri),
    arrive: (journey, url) => services.arrive(journey, url),
  };
}
