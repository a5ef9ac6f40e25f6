import { Button } from 'react-aria-components';
import { CopyButton } from '../kit/copy-button.tsx';
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
  panelOpen: boolean;
  onSecurity: () => void;
}

/** Whose page this is, how well the call is protected, and the link for others. */
export function CallHeader({ summary, panelOpen, onSecurity }: Props) {
  const standing = summary?.standing ?? 'waiting';
  return (
    <header className="page-header">
      <Brand />
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
      <CopyButton text={location.href} what="link" words="hidden-on-phone" tone="quiet" />
    </header>
  );
}
