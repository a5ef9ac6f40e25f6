import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';

interface Props {
  tone: 'info' | 'warning' | 'problem';
  title: string;
  children?: ReactNode;
  /** What the person can do about it. */
  action?: ReactNode;
  /** `alert` interrupts a screen reader: for what has just gone wrong. */
  role?: 'status' | 'alert';
}

/** Something to know, with what to do about it. */
export function Notice({ tone, title, children, action, role }: Props) {
  return (
    <div className={`notice notice-${tone}`} role={role}>
      <Icon name={tone === 'info' ? 'info' : 'alert'} />
      <div className="notice-body">
        <p className="notice-title">{title}</p>
        {children && <div className="notice-text">{children}</div>}
        {action && <div className="notice-action">{action}</div>}
      </div>
    </div>
  );
}
