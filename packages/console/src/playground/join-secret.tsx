import type { PlaygroundSecret } from '@cloister/protocol';
import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Call } from './call.ts';
import { SecretField } from './secret-field.tsx';

const hints: Readonly<Record<PlaygroundSecret, string>> = {
  needed: 'Everybody in the session needs the same. It stays in your browsers; this server never gets it.',
  possible:
    'With one, nobody between the browsers can listen, this server included. Everybody needs the same, or none.',
  none: '',
};

interface Props {
  call: Call;
  /** What it is to the session; null while that is not known. */
  use: PlaygroundSecret | null;
  /** The session is still to be made. */
  fresh: boolean;
}

/** The secret to join with. What came with a link is not shown, since others may see the screen. */
export function JoinSecret({ call, use, fresh }: Props) {
  const { value } = useStore(call.secret);
  const [brought, setBrought] = useState(value !== '');
  const set = (secret: string) => call.secret.set({ value: secret });
  if (brought && value) {
    const other = () => {
      setBrought(false);
      set('');
    };
    return (
      <div className="linked">
        <div>
          <p className="field-label">Encryption secret</p>
          <p className="linked-words">You have it already</p>
        </div>
        <Button tone="quiet" onPress={other}>
          {use === 'needed' ? 'Type another' : 'Remove it'}
        </Button>
      </div>
    );
  }
  if (use !== 'needed' && use !== 'possible' && !value) return null;
  return (
    <SecretField
      hint={hints[use ?? 'none']}
      value={value}
      onChange={set}
      isRequired={use === 'needed'}
      mayMake={fresh}
    />
  );
}
