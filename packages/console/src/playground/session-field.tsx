import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { Choice, type Option } from '../kit/choice.tsx';
import { TextField } from '../kit/text-field.tsx';
import { shortId } from './address.ts';
import type { SessionWish } from './api.ts';
import { pastedFault } from './pasted.ts';

type Way = 'routed' | 'sealed' | 'relayed' | 'known';

const ways: readonly Option<Way>[] = [
  { value: 'routed', name: 'A new one', text: 'Made when you join; the link is for others' },
  {
    value: 'sealed',
    name: 'A new one, end-to-end encrypted',
    text: 'Only who has the secret sees and hears; this server cannot',
  },
  {
    value: 'relayed',
    name: 'A new one, relayed',
    text: 'Picture and sound go from browser to browser, for up to ten people',
  },
  { value: 'known', name: 'One that exists', text: 'By its session id or its link' },
];

const wishes: Readonly<Record<Way, SessionWish | null>> = {
  routed: { mediaMode: 'routed', e2ee: false },
  sealed: { mediaMode: 'routed', e2ee: true },
  relayed: { mediaMode: 'relayed', e2ee: false },
  known: null,
};

interface Props {
  /** The session of the link. */
  linked: string | null;
  onForget: () => void;
  /** How a new one is to be made; null for one that exists. */
  onWish: (wish: SessionWish | null) => void;
}

/** The session of the link, or the choice between a new one and one that exists. */
export function SessionField({ linked, onForget, onWish }: Props) {
  const [way, setWay] = useState<Way>('routed');
  const choose = (chosen: Way) => {
    setWay(chosen);
    onWish(wishes[chosen]);
  };
  if (linked) {
    return (
      <div className="linked">
        <div>
          <p className="field-label">Session</p>
          <p className="linked-id" title={linked}>
            {shortId(linked)}
          </p>
        </div>
        <Button tone="quiet" onPress={onForget}>
          Start a new one
        </Button>
      </div>
    );
  }
  return (
    <>
      <Choice label="Session" value={way} options={ways} onChange={choose} />
      {way === 'known' && (
        <TextField
          label="Session id or link"
          name="session"
          isRequired
          validate={(text) => (text ? pastedFault(text) : null)}
          maxLength={2048}
          autoComplete="off"
        />
      )}
    </>
  );
}
