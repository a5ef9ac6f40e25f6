/** Events of people, part of the union in `event.ts`. They name nobody: a person is an id, an address its class of network. */
import type { GrantScope, PersonRole, Scope } from './person-role.ts';

/** From where somebody came: this machine, a network of the house, or the world. */
export type NetworkClass = 'loopback' | 'private' | 'public';
export type LogInMethod = 'password' | 'passkey' | 'oidc';

/** What somebody logs in with. */
export type Credential = 'password' | 'passkey' | 'recoveryCodes';

interface OfPerson {
  readonly accountId: string | null;
  readonly personId: string;
}

interface OfKey {
  readonly accountId: string;
  readonly apiKeyId: string;
}

export type PeopleFacts =
  | ({ readonly type: 'person.invited'; readonly role: PersonRole } & OfPerson)
  /** By the groups that a log-in service says they are in. */
  | ({ readonly type: 'person.provisioned'; readonly role: PersonRole } & OfPerson)
  | ({
      readonly type: 'person.roleChanged';
      readonly from: PersonRole | null;
      readonly role: PersonRole | null;
    } & OfPerson)
  | ({ readonly type: 'person.removed' } & OfPerson)
  | ({ readonly type: 'person.unlocked' } & OfPerson)
  /** Their ways in were taken away, and there is a new link. */
  | ({ readonly type: 'person.recovered' } & OfPerson)
  | ({ readonly type: 'person.credentialAdded'; readonly credential: Credential } & OfPerson)
  | ({ readonly type: 'person.credentialRemoved'; readonly credential: Credential } & OfPerson)
  | ({
      readonly type: 'login.done';
      readonly method: LogInMethod;
      readonly network: NetworkClass;
      readonly recoveryCode: boolean;
    } & OfPerson)
  | {
      readonly type: 'login.failed';
      /** Null where there is no such person. */
      readonly accountId: string | null;
      readonly personId: string | null;
      readonly method: LogInMethod;
      readonly network: NetworkClass;
      /** From now on the next one waits. */
      readonly locked: boolean;
    }
  | ({ readonly type: 'login.ended'; readonly why: 'logged out' | 'idle' | 'too long' | 'key rotated' } & OfPerson)
  | { readonly type: 'login.addressesShown'; readonly accountId: string | null; readonly count: number }
  | ({ readonly type: 'apiKey.created'; readonly scopes: readonly Scope[]; readonly expiresAt: number } & OfKey)
  | ({ readonly type: 'apiKey.firstUsed'; readonly network: NetworkClass } & OfKey)
  | ({ readonly type: 'apiKey.revoked' } & OfKey)
  | {
      readonly type: 'supportGrant.given';
      readonly accountId: string;
      readonly grantId: string;
      readonly scopes: readonly GrantScope[];
      readonly expiresAt: number;
    }
  | {
      readonly type: 'supportGrant.ended';
      readonly accountId: string;
      readonly grantId: string;
      readonly why: 'expired' | 'withdrawn';
    };
