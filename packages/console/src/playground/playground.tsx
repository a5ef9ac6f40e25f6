import { useCallback, useEffect, useState } from 'react';
import { Button } from '../kit/button.tsx';
import { useStore } from '../kit/use-store.ts';
import { createApi, type LogIn } from './api.ts';
import { Call } from './call.ts';
import { CallPage } from './call-page.tsx';
import { EndedPage } from './ended-page.tsx';
import { JoinPage } from './join-page.tsx';
import { LoginPage } from './login-page.tsx';
import { MessagePage } from './message-page.tsx';
import { loadOt } from './ot-script.ts';
import { OwnMedia } from './own-media.ts';
import type { Room } from './room.ts';
import { type Problem, problemOf, projectless } from './words.ts';

type Stage = 'loading' | 'failed' | 'unsupported' | 'projectless' | 'login' | 'ready';

/**
 * The page from its first moment: what is missing is said, and then it is the join page, the call or its end. `secret` came with
 * the link.
 */
export function Playground({ secret }: { secret: string }) {
  const [stage, setStage] = useState<Stage>('loading');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [logIn, setLogIn] = useState<LogIn>('none');
  const [room, setRoom] = useState<Room | null>(null);

  const open = useCallback(async () => {
    setStage('loading');
    try {
      const found = await prepare();
      setLogIn(found.logIn);
      if (secret) found.room?.call.secret.set({ value: secret });
      setRoom((known) => known ?? found.room);
      setStage(found.stage);
    } catch (error) {
      setProblem(problemOf(error, 'The playground could not start'));
      setStage('failed');
    }
  }, [secret]);
  useEffect(() => void open(), [open]);

  const again = (
    <Button tone="primary" onPress={open}>
      Try again
    </Button>
  );
  if (stage === 'loading') return <MessagePage title="One moment" text="The playground is starting." busy />;
  if (stage === 'failed' && problem) return <MessagePage {...problem} action={again} />;
  if (stage === 'projectless') return <MessagePage {...projectless} action={again} />;
  if (stage === 'unsupported') {
    return (
      <MessagePage
        title="This browser cannot make calls here"
        text="Use a current Chrome, Edge, Firefox or Safari, over HTTPS or on this machine itself."
      />
    );
  }
  if (stage === 'login' && logIn !== 'none') return <LoginPage api={createApi(fetchHere)} way={logIn} onDone={open} />;
  return room && <Pages room={room} onLogInNeeded={open} />;
}

function Pages({ room, onLogInNeeded }: { room: Room; onLogInNeeded: () => void }) {
  const { phase } = useStore(room.call.state);
  if (phase === 'connected' || phase === 'reconnecting') return <CallPage room={room} />;
  if (phase === 'ended') return <EndedPage room={room} />;
  return <JoinPage room={room} onLogInNeeded={onLogInNeeded} />;
}

const fetchHere = (path: string, init: RequestInit) => fetch(path, init);

interface Found {
  readonly stage: Stage;
  readonly logIn: LogIn;
  readonly room: Room | null;
}

/** The server's word, the script and what this browser can do. */
async function prepare(): Promise<Found> {
  const api = createApi(fetchHere);
  const { apiKey, turn, logIn, loggedIn } = await api.info();
  if (!loggedIn && logIn !== 'none') return { stage: 'login', logIn, room: null };
  if (apiKey === null) return { stage: 'projectless', logIn, room: null };
  const ot = await loadOt();
  if (ot.checkSystemRequirements() !== 1) return { stage: 'unsupported', logIn, room: null };
  const { supported } = await ot.checkScreenSharingCapability().catch(() => ({ supported: false }));
  const media = new OwnMedia(ot, navigator.hardwareConcurrency);
  return { stage: 'ready', logIn, room: { api, media, call: new Call(ot, media), turn, canShareScreen: supported } };
}
