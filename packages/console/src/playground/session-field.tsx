import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { Choice, type Option } from '../kit/choice.tsx';
import { TextField } from '../kit/text-field.tsx';
import { shortId } from './address.ts';

type Way = 'new' | 'known';

const ways: readonly Option<Way>[] = [
  { value: 'new', name: 'A new one', text: 'Made when you join; the link is for others' },
  { value: 'known', name: 'One that exists', text: 'By its session id or its link' },
];

/** The session of the link, or the choice between a new one and one that exists. */
export function SessionField({ linked, onForget }: { linked: string | null; onForget: () => void }) {
  const [way, setWay] = useState<Way>('new');
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
      <Choice label="Session" value={way} options={ways} onChange={setWay} />
      {way === 'known' && <TextField label="Session id or link" name="session" isRequired maxLength={2048} />}
    </>
  );
}
