import { useCallback, useEffect, useState } from 'react';
import { Button } from '../kit/button.tsx';
import type { AccountApi, Grant } from './api.ts';
import { Trouble, useWork } from './step.tsx';

const daySeconds = 24 * 3600;
/** What is asked for when a fault is looked for: settings and calls without names, not what was recorded. */
const usual = ['project.read', 'audit.read'];
const until = (ms: number) => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** What support staff of the operator may see of the account, and until when. */
export function SupportGrants({ api }: { api: AccountApi }) {
  const [grants, setGrants] = useState<readonly Grant[]>([]);
  const { problem, busy, work } = useWork();
  const look = useCallback(async () => setGrants(await api.grants()), [api]);
  useEffect(() => {
    look().catch(() => setGrants([]));
  }, [look]);
  return (
    <>
      <h2>Support</h2>
      <p>
        The operator's support staff sees nothing of your account but what you grant here, and each grant ends by
        itself.
      </p>
      <Trouble problem={problem} />
      <ul className="account-list">
        {grants.map(({ id, scopes, expiresAt }) => (
          <li key={id}>
            <span>{`${scopes.join(', ')} until ${until(expiresAt)}`}</span>
            <Button tone="quiet" onPress={() => work(() => api.withdrawGrant(id).then(look))}>
              Withdraw
            </Button>
          </li>
        ))}
      </ul>
      <Button busy={busy} onPress={() => work(() => api.giveGrant(usual, daySeconds).then(look))}>
        Let support look for a day
      </Button>
    </>
  );
}
