import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import type { AccountApi, Me } from './api.ts';
import { RecoveryCodes } from './recovery-codes.tsx';
import { Trouble, useWork } from './step.tsx';
import { SupportGrants } from './support-grants.tsx';

interface Props {
  api: AccountApi;
  me: Me;
  /** Looks again who is logged in, and how. */
  onChange: () => void;
}

const ways = { password: 'a password', passkey: 'a passkey', oidc: 'a log-in service' } as const;
const date = (ms: number) => new Date(ms).toLocaleDateString(undefined, { dateStyle: 'medium' });

/** Who somebody is here and how they log in; for owners, what support staff may see. */
export function Profile({ api, me, onChange }: Props) {
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const { problem, busy, work } = useWork();
  if (codes) {
    const done = () => {
      setCodes(null);
      onChange();
    };
    return <RecoveryCodes codes={codes} onDone={done} />;
  }
  const logOut = () => work(() => api.logOut().then(onChange));
  return (
    <main className="account">
      <h1>{me.name || me.email}</h1>
      <p className="lead">
        {`You are ${me.role} of ${me.accountKey === null ? 'the operator' : `account ${me.accountKey}`}, by ${ways[me.method]}.`}
      </p>
      <Trouble problem={problem} />
      <h2>Passkeys</h2>
      <ul className="account-list">
        {me.passkeys.map(({ id, createdAt }) => (
          <li key={id}>
            <span>{`Made on ${date(createdAt)}`}</span>
            <Button tone="quiet" onPress={() => work(() => api.removePasskey(id).then(onChange))}>
              Remove this passkey
            </Button>
          </li>
        ))}
      </ul>
      <Button busy={busy} onPress={() => work(() => api.addPasskey().then(onChange))}>
        Add a passkey
      </Button>
      {me.hasPassword && (
        <>
          <h2>Recovery codes</h2>
          <p>{`${me.recoveryCodesLeft} are left.`}</p>
          <Button busy={busy} onPress={() => work(async () => setCodes(await api.renewRecoveryCodes()))}>
            Make new ones
          </Button>
        </>
      )}
      {me.scopes.includes('approve') && <SupportGrants api={api} />}
      <h2>Done?</h2>
      <p>{`You are logged off by yourself after ${me.idleSeconds / 60} minutes without use.`}</p>
      <Button busy={busy} onPress={logOut}>
        Log out
      </Button>
    </main>
  );
}
