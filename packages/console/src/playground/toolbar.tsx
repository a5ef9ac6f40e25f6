import { type ReactNode, useEffect, useRef } from 'react';
import { Toolbar as Bar, Button } from 'react-aria-components';
import { Icon, type IconName } from '../kit/icon.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Room } from './room.ts';
import type { PanelName } from './side-panel.tsx';

interface Props {
  room: Room;
  panel: PanelName | null;
  onPanel: (name: PanelName) => void;
  /** Chat lines that were not in sight yet. */
  unread: number;
}

/** The tools of a call, in one row that arrow keys and the tab key reach. */
export function Toolbar({ room, panel, onPanel, unread }: Props) {
  const { people, publishing, archives, may } = useStore(room.call.state);
  const bar = useRef<HTMLDivElement>(null);
  // When the call begins, and when the button that had the focus made way for others.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is published decides which buttons there are
  useEffect(() => {
    if (document.activeElement === document.body) bar.current?.querySelector('button')?.focus();
  }, [publishing]);
  return (
    <footer className="call-foot">
      <Bar className="toolbar" aria-label="Call" ref={bar}>
        <OwnTools room={room} />
        <span className="toolbar-gap" />
        <Tool id="open-chat" icon="chat" expanded={panel === 'chat'} onPress={() => onPanel('chat')}>
          Chat{' '}
          {unread > 0 && (
            <span className="badge">
              {unread}
              <span className="visually-hidden"> unread</span>
            </span>
          )}
        </Tool>
        <Tool id="open-people" icon="people" expanded={panel === 'people'} onPress={() => onPanel('people')}>
          People <span className="tool-count">{people.length}</span>
        </Tool>
        {may.archive && (
          <Tool
            id="open-archives"
            icon="record"
            tone={archives.length > 0 ? 'recording' : 'on'}
            expanded={panel === 'archives'}
            onPress={() => onPanel('archives')}
          >
            Archives
          </Tool>
        )}
        <Tool icon="leave" tone="leave" onPress={() => room.call.leave()}>
          Leave
        </Tool>
      </Bar>
    </footer>
  );
}

/** What this person sends. Without devices, the buttons ask for them again. */
function OwnTools({ room }: { room: Room }) {
  const { may, screen, publishing } = useStore(room.call.state);
  const media = useStore(room.media.state);
  if (!may.publish) return <p className="toolbar-words">You watch and listen</p>;
  if (publishing === 'off') {
    const start = async () => {
      await room.media.start();
      await room.call.publish();
    };
    return (
      <Tool icon="cameraOff" tone="off" busy={media.status === 'asking'} onPress={start}>
        Send camera
      </Tool>
    );
  }
  const { microphoneOn, cameraOn, hasMicrophone, hasCamera } = media;
  return (
    <>
      <Tool
        icon={microphoneOn && hasMicrophone ? 'microphone' : 'microphoneOff'}
        tone={microphoneOn && hasMicrophone ? 'on' : 'off'}
        isDisabled={!hasMicrophone}
        onPress={() => room.media.setMicrophone(!microphoneOn)}
      >
        {!hasMicrophone ? 'No microphone' : microphoneOn ? 'Mute' : 'Unmute'}
      </Tool>
      <Tool
        icon={cameraOn && hasCamera ? 'camera' : 'cameraOff'}
        tone={cameraOn && hasCamera ? 'on' : 'off'}
        isDisabled={!hasCamera}
        onPress={() => room.media.setCamera(!cameraOn)}
      >
        {!hasCamera ? 'No camera' : cameraOn ? 'Stop camera' : 'Start camera'}
      </Tool>
      {room.canShareScreen && (
        <Tool
          icon={screen === 'on' ? 'screenStop' : 'screen'}
          tone={screen === 'on' ? 'active' : 'on'}
          busy={screen === 'starting'}
          onPress={() => (screen === 'off' ? room.call.shareScreen() : room.call.stopScreen())}
        >
          {screen === 'on' ? 'Stop sharing' : 'Share screen'}
        </Tool>
      )}
    </>
  );
}

interface ToolProps {
  id?: string;
  icon: IconName;
  tone?: 'on' | 'off' | 'active' | 'recording' | 'leave';
  expanded?: boolean;
  isDisabled?: boolean;
  busy?: boolean;
  onPress: () => void;
  children: ReactNode;
}

function Tool({ icon, tone = 'on', expanded, busy = false, children, onPress, ...rest }: ToolProps) {
  return (
    <Button
      {...rest}
      onPress={() => !busy && onPress()}
      data-busy={busy}
      className={`tool tool-${tone}`}
      {...(expanded !== undefined && { 'aria-expanded': expanded })}
    >
      <Icon name={icon} size={22} />
      <span className="tool-words">{children}</span>
    </Button>
  );
}
