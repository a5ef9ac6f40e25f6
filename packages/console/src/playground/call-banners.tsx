import { useEffect } from 'react';
import { Button } from '../kit/button.tsx';
import { Icon } from '../kit/icon.tsx';
import { useStore } from '../kit/use-store.ts';
import { strangersOf } from './call-state.ts';
import type { Room } from './room.ts';
import { strangerWords } from './words.ts';

/** How long a passing notice stays in sight. */
const NOTICE_MS = 7000;

/**
 * What concerns the whole call: the network is gone, sound is held back, others have another secret, something has
 * just happened.
 */
export function CallBanners({ room, onSecret }: { room: Room; onSecret: () => void }) {
  const state = useStore(room.call.state);
  const { phase, soundBlocked, notice } = state;
  const strange = strangerWords(strangersOf(state));
  const id = notice?.id;
  useEffect(() => {
    if (id === undefined) return;
    const timer = setTimeout(() => room.call.dismissNotice(id), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [room, id]);
  return (
    <div className="banners">
      <div role="alert">
        {phase === 'reconnecting' && (
          <p className="banner banner-warning">
            <Icon name="network" />
            The network is gone. Reconnecting; stay on this page.
          </p>
        )}
        {strange && (
          <div className="banner banner-problem">
            <Icon name="key" />
            <span>{strange.title}.</span>
            <Button onPress={onSecret}>What to do</Button>
          </div>
        )}
        {notice?.tone === 'problem' && (
          <p className="banner banner-problem">
            <Icon name="alert" />
            {notice.text}
          </p>
        )}
      </div>
      <div role="status">
        {notice?.tone === 'info' && (
          <p className="banner">
            <Icon name="info" />
            {notice.text}
          </p>
        )}
      </div>
      {soundBlocked && (
        <div className="banner banner-warning">
          <Icon name="sound" />
          <span>Your browser holds back the sound.</span>
          <Button onPress={() => void room.call.allowSound()}>Play sound</Button>
        </div>
      )}
    </div>
  );
}
