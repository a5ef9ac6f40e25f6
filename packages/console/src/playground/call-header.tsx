import type { ReactNode } from 'react';
import { Button } from 'react-aria-components';
import { Icon, type IconName } from '../kit/icon.tsx';
import { Brand } from '../kit/mark.tsx';
import type { Standing, Summary } from './legs.ts';

const icons: Readonly<Record<Standing, IconName>> = {
  none: 'shield',
  waiting: 'clock',
  strong: 'shieldCheck',
  weak: 'shieldAlert',
  differ: 'shieldAlert',
};

interface Props {
  /** Null until the record was read once. */
  summary: Summary | null;
  /** Whether the call is being recorded. */
  recorded: boolean;
  panelOpen: boolean;
  onSecurity: () => void;
  /** The button that copies the link for others. */
  invite: ReactNode;
}

/** Whose page this is, whether it is recorded, how well it is protected, and the link for others. */
export function CallHeader({ summary, recorded, panelOpen, onSecurity, invite }: Props) {
  const standing = summary?.standing ?? 'waiting';
  return (
    <header className="page-header">
      <Brand />
      <RecordedSign recorded={recorded} />
      <Button
        id="open-security"
        className={`standing standing-${standing}`}
        onPress={onSecurity}
        aria-expanded={panelOpen}
      >
        <Icon name={icons[standing]} size={18} />
        <span className="visually-hidden">Encryption: </span>
        {summary?.short ?? 'Checking'}
      </Button>
      {invite}
    </header>
  );
}

/** In sight of everybody for as long as it lasts; screen readers are told when it comes. */
function RecordedSign({ recorded }: { recorded: boolean }) {
  return (
    <p className="recorded" role="status" data-recorded={recorded}>
      {recorded && (
        <>
          <span className="recorded-dot" aria-hidden="true" />
          <span>
            <span className="visually-hidden">This call is being recorded: </span>
            <span className="recorded-word">Recording</span>
          </span>
        </>
      )}
    </p>
  );
}
