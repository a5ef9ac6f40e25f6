import type { ReactNode } from 'react';
import { Arcade } from '../kit/arcade.tsx';
import { Brand } from '../kit/mark.tsx';

interface Props {
  title: string;
  text: string;
  action?: ReactNode;
  busy?: boolean;
}

/** A page that says one thing. */
export function MessagePage({ title, text, action, busy = false }: Props) {
  return (
    <div className="page entrance">
      <header className="page-header">
        <Brand />
      </header>
      <main className="message" aria-busy={busy}>
        <h1>{title}</h1>
        <p>{text}</p>
        {action && <div className="message-action">{action}</div>}
      </main>
      <Arcade />
    </div>
  );
}
