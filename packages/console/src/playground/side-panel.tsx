import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react';
import { Button } from '../kit/button.tsx';

export const panelTitles = { chat: 'Chat', people: 'People', archives: 'Archives', security: 'Encryption' } as const;
export type PanelName = keyof typeof panelTitles;

/** A panel beside the call, or over it on a phone. Takes the focus, and Escape closes it. */
export function SidePanel({ name, onClose, children }: { name: PanelName; onClose: () => void; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || event.defaultPrevented) return;
    event.stopPropagation();
    onClose();
  };
  return (
    <aside className="side-panel" aria-labelledby="panel-title" onKeyDown={onKeyDown}>
      <div className="panel-head">
        <h2 id="panel-title" ref={heading} tabIndex={-1}>
          {panelTitles[name]}
        </h2>
        <Button tone="quiet" icon="close" words="hidden" onPress={onClose}>
          Close {panelTitles[name]}
        </Button>
      </div>
      {children}
    </aside>
  );
}
