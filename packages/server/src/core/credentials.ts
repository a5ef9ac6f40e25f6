/** The port by which the rules check what people log in with (filled by `people/`). It keeps nothing. */

import type { Passkey } from './people-store.ts';
import type { PersonRole } from './person-role.ts';

/** Where pages are reached: `https://host`, and the host alone, which passkeys are bound to (WebAuthn's RP id). */
export interface PageOrigin {
  readonly origin: string;
  readonly host: string;
}

/** What a browser gets for `navigator.credentials`, and the challenge in it. */
export interface PasskeyQuestion {
  readonly options: unknown;
  readonly challenge: string;
}

/** Who somebody is by the word of a log-in service. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly email: string;
  /** What their groups make them; null: nothing. */
  readonly assigned: { readonly accountId: string | null; readonly role: PersonRole } | null;
}

/** What a log-in by a service has to remember until it comes back. */
export interface ProviderJourney {
  readonly provider: string;
  readonly redirectUri: string;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

export interface Credentials {
  /** A password → its hash, with salt and parameters (Argon2id, PHC string). @throws PlatformError `Overloaded` */
  hash(password: string): Promise<string>;
  /** Takes the same time for null, where there is no password. @throws PlatformError `Overloaded` */
  matches(password: string, hash: string | null): Promise<boolean>;
  /** A new secret of an authenticator in base32 (RFC 6238). */
  totpSecret(): string;
  /** What the authenticator reads, and the same as a picture (a data URL). */
  totpShown(secret: string, label: string): Promise<{ uri: string; picture: string }>;
  /** The time step that a code is of, the current one or a neighbour; null for a wrong code. @param now milliseconds since 1970 */
  totpStep(secret: string, code: string, now: number): number | null;
  readonly passkeys: {
    creation(
      site: PageOrigin,
      person: { id: string; name: string; email: string; known: readonly Passkey[] },
    ): Promise<PasskeyQuestion>;
    /** What the browser made → the credential; null where it does not fit the challenge. */
    created(
      site: PageOrigin,
      challenge: string,
      answer: unknown,
    ): Promise<Pick<Passkey, 'id' | 'publicKey' | 'counter'> | null>;
    request(site: PageOrigin): Promise<PasskeyQuestion>;
    /** The new counter; null where the answer is not by this passkey for this challenge. */
    answered(site: PageOrigin, challenge: string, answer: unknown, passkey: Passkey): Promise<number | null>;
  };
  /** Log-in services (OpenID Connect), by id. */
  readonly providers: readonly { readonly id: string; readonly name: string }[];
  /** Where the browser has to go. @throws PlatformError `ProviderFailed` */
  depart(provider: string, redirectUri: string): Promise<{ url: string; journey: ProviderJourney }>;
  /** It came back to this address. @throws PlatformError `ProviderFailed`, `LogInFailed` */
  arrive(journey: ProviderJourney, url: string): Promise<Identity>;
}
