import { CopyButton } from '../kit/copy-button.tsx';
import { invitation } from './secret.ts';

interface Props {
  secret: string;
  /** In the header there is little room for it. */
  place: 'header' | 'stage';
}

/** Copies the link for others: with the secret in it, where there is one, and then it says so. */
export function InviteButton({ secret, place }: Props) {
  const look = place === 'header' ? ({ words: 'hidden-on-phone', tone: 'quiet' } as const) : {};
  const text = invitation(location.href, secret);
  if (!secret) return <CopyButton text={text} what="link" {...look} />;
  const otherwise = 'Copy the address, and the secret under Encryption';
  return <CopyButton text={text} what="link with secret" otherwise={otherwise} {...look} />;
}
