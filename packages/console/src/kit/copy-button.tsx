import { useEffect, useState } from 'react';
import { Button } from './button.tsx';

interface Props {
  text: string;
  /** What is copied, such as `link`. */
  what: string;
  /** What helps where the browser does not let a page copy. */
  otherwise?: string;
  words?: 'shown' | 'hidden-on-phone';
  tone?: 'plain' | 'quiet' | 'primary';
}

/** How long the button says that it has copied. */
const SAID_MS = 2500;

/** Copies text and says so, also to screen readers. */
export function CopyButton({
  text,
  what,
  otherwise = 'Copy it from the address bar',
  words = 'shown',
  tone = 'plain',
}: Props) {
  const [outcome, setOutcome] = useState<'none' | 'copied' | 'failed'>('none');
  useEffect(() => {
    if (outcome === 'none') return;
    const timer = setTimeout(() => setOutcome('none'), SAID_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = () =>
    Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard')))
      .then(() => setOutcome('copied'))
      .catch(() => setOutcome('failed'));
  const said = { none: `Copy ${what}`, copied: 'Copied', failed: otherwise };
  return (
    <>
      <Button tone={tone} icon={outcome === 'copied' ? 'check' : 'link'} words={words} onPress={copy}>
        {said[outcome]}
      </Button>
      <span className="visually-hidden" role="status">
        {outcome === 'copied' ? `The ${what} is copied` : ''}
      </span>
    </>
  );
}
