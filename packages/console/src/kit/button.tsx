import type { ReactNode } from 'react';
import { type ButtonProps, Button as Pressable } from 'react-aria-components';
import { Icon, type IconName } from './icon.tsx';

interface Props extends Omit<ButtonProps, 'children' | 'className' | 'style' | 'isPending'> {
  /** `primary` once a page at most. */
  tone?: 'primary' | 'plain' | 'quiet';
  icon?: IconName;
  /** The words stay for screen readers where there is no room for them: always, or on a phone. */
  words?: 'shown' | 'hidden' | 'hidden-on-phone';
  /** Its work is under way: it keeps the focus and does nothing until that is over. */
  busy?: boolean;
  children: ReactNode;
}

/** A button with a word, and an icon where it helps. */
export function Button({ tone = 'plain', icon, words = 'shown', busy = false, children, onPress, ...rest }: Props) {
  return (
    <Pressable
      {...rest}
      {...(onPress && !busy && { onPress })}
      className={`button button-${tone}`}
      data-words={words}
      data-busy={busy}
    >
      {icon && <Icon name={icon} size={18} />}
      <span className="button-words">{children}</span>
    </Pressable>
  );
}
