import { useState } from 'react';
import { useStore } from '../kit/use-store.ts';
import { ArchivesPanel } from './archives-panel.tsx';
import { CallBanners } from './call-banners.tsx';
import { CallHeader } from './call-header.tsx';
import { strangersOf, tilesOf } from './call-state.ts';
import { Chat } from './chat.tsx';
import { InviteButton } from './invite-button.tsx';
import { summaryOf } from './legs.ts';
import { People } from './people.tsx';
import type { Room } from './room.ts';
import { SecurityPanel } from './security-panel.tsx';
import { type PanelName, SidePanel } from './side-panel.tsx';
import { Stage } from './stage.tsx';
import { Toolbar } from './toolbar.tsx';
import { useSecurity } from './use-security.ts';

/** The call: everybody, the tools below, and at most one panel beside. */
export function CallPage({ room }: { room: Room }) {
  const call = useStore(room.call.state);
  const media = useStore(room.media.state);
  const [panel, setPanel] = useState<PanelName | null>(null);
  const [read, setRead] = useState(0);
  const { value: secret } = useStore(room.call.secret);
  const security = useSecurity(room);
  const lines = call.chat.filter((line) => !line.own).length;
  if (panel === 'chat' && read !== lines) setRead(lines);

  const toggle = (name: PanelName) => setPanel((open) => (open === name ? null : name));
  const close = () => {
    const opener = document.getElementById(`open-${panel}`);
    setPanel(null);
    opener?.focus();
  };
  return (
    <div className="page call" data-panel={panel !== null}>
      <CallHeader
        summary={security.record ? summaryOf(security.rows, strangersOf(call).length) : null}
        recorded={call.archives.length > 0}
        panelOpen={panel === 'security'}
        onSecurity={() => toggle('security')}
        invite={<InviteButton secret={secret} place="header" />}
      />
      <main className="call-main">
        <h1 className="visually-hidden">Call</h1>
        <CallBanners room={room} onSecret={() => setPanel('security')} />
        <Stage tiles={tilesOf(call, media)} invite={<InviteButton secret={secret} place="stage" />} />
      </main>
      {panel && (
        <SidePanel name={panel} key={panel} onClose={close}>
          {panel === 'chat' && <Chat call={room.call} />}
          {panel === 'people' && <People room={room} />}
          {panel === 'archives' && <ArchivesPanel room={room} />}
          {panel === 'security' && <SecurityPanel security={security} call={room.call} />}
        </SidePanel>
      )}
      <Toolbar room={room} panel={panel} onPanel={toggle} unread={lines - read} />
    </div>
  );
}
