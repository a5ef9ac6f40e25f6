import { useEffect, useState } from 'react';
import { Arcade } from '../kit/arcade.tsx';
import { Brand } from '../kit/mark.tsx';
import { Notice } from '../kit/notice.tsx';
import { sessionIn } from './address.ts';
import type { Role } from './api.ts';
import { JoinForm } from './join-form.tsx';
import { Preview } from './preview.tsx';
import type { Room } from './room.ts';
import { turnWords } from './words.ts';

/** Before the call: how one looks and sounds, which session, under which name. */
export function JoinPage({ room, onLogInNeeded }: { room: Room; onLogInNeeded: () => void }) {
  const linked = sessionIn(location.href);
  const [role, setRole] = useState<Role>(linked ? 'publisher' : 'moderator');
  // Who was invited cannot mend it.
  const missing = linked ? null : turnWords(room.turn);
  const watches = role === 'subscriber';
  useEffect(() => {
    if (watches) room.media.release();
    else void room.media.start();
  }, [room, watches]);
  return (
    <div className="page entrance">
      <header className="page-header">
        <Brand />
        <span className="page-name">Playground</span>
      </header>
      <main className="join">
        <div className="join-words">
          <h1>{linked ? 'You are invited to a session' : 'Try a call on your own server'}</h1>
          <p className="lead">
            Everything here runs on this server, through the same script and API that your application uses. The call
            shows the encryption of every leg, seen from both ends.
          </p>
          {missing && (
            <Notice tone="warning" title={missing.title}>
              {missing.text}
            </Notice>
          )}
        </div>
        <Preview media={room.media} watches={watches} />
        <JoinForm room={room} role={role} onRole={setRole} onLogInNeeded={onLogInNeeded} />
      </main>
      <Arcade />
    </div>
  );
}
