import { useEffect, useRef } from 'react';
import { Button } from '../kit/button.tsx';
import { useStore } from '../kit/use-store.ts';
import { addressWith } from './address.ts';
import { MessagePage } from './message-page.tsx';
import type { Room } from './room.ts';

/** Why the call is over, and the ways on. */
export function EndedPage({ room }: { room: Room }) {
  const { problem } = useStore(room.call.state);
  const action = useRef<HTMLDivElement>(null);
  useEffect(() => {
    action.current?.querySelector('button')?.focus();
  }, []);
  const startNew = () => {
    history.replaceState(null, '', addressWith(location.href, null));
    room.call.secret.set({ value: '' });
    room.call.reset();
  };
  return (
    <MessagePage
      title={problem?.title ?? 'The session is over'}
      text={problem?.text ?? ''}
      action={
        <div className="row" ref={action}>
          <Button tone="primary" onPress={() => room.call.reset()}>
            Join again
          </Button>
          <Button onPress={startNew}>Start a new session</Button>
        </div>
      }
    />
  );
}
