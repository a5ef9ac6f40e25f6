import { useCallback, useEffect, useState } from 'react';
import { Arcade } from '../kit/arcade.tsx';
import { Brand } from '../kit/mark.tsx';
import type { AccountApi, Me } from './api.ts';
import type { Fragment } from './fragment.ts';
import { Invitation } from './invitation.tsx';
import { LogIn } from './log-in.tsx';
import { Profile } from './profile.tsx';

interface Props {
  api: AccountApi;
  fragment: Fragment;
}

/** A link is taken up first; otherwise whoever is logged in sees their account, and all others the ways in. */
export function AccountPage({ api, fragment }: Props) {
  const [invitation, setInvitation] = useState(fragment.invitation);
  const [me, setMe] = useState<Me | null | undefined>(undefined);
  const look = useCallback(() => {
    setInvitation(null);
    api.me().then(setMe, () => setMe(null));
  }, [api]);
  useEffect(() => {
    if (fragment.invitation === null) look();
  }, [fragment, look]);
  useLogOff(me, look);
  return (
    <div className="page entrance">
      <header className="page-header">
        <Brand />
        <span className="page-name">Account</span>
      </header>
      {invitation !== null ? (
        <Invitation api={api} token={invitation} onDone={look} />
      ) : me ? (
        <Profile api={api} me={me} onChange={look} />
      ) : (
        me === null && <LogIn api={api} refused={fragment.refused} onDone={look} />
      )}
      <Arcade />
    </div>
  );
}

/** A page that rests does not go on showing what it knows when its log-in has ended. */
function useLogOff(me: Me | null | undefined, look: () => void): void {
  useEffect(() => {
    if (!me) return;
    // A second later than the server, so that it has ended there.
    const timer = setTimeout(look, (me.idleSeconds + 1) * 1000);
    return () => clearTimeout(timer);
  }, [me, look]);
}
