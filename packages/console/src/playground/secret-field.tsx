import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { TextField } from '../kit/text-field.tsx';
import { newSecret, secretFault } from './secret.ts';

interface Props {
  label?: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  isRequired?: boolean;
  /** Where the others have one already, a new one is of no use. */
  mayMake?: boolean;
}

/** A secret that is typed or made. Browsers are asked to keep nothing of it, neither for later forms nor in a spelling service. */
export function SecretField(props: Props) {
  const { label = 'Encryption secret', hint, value, onChange, isRequired = false, mayMake = true } = props;
  // A made secret is none that was refused: the field begins anew with it.
  const [made, setMade] = useState(0);
  const make = () => {
    onChange(newSecret());
    setMade(made + 1);
  };
  return (
    <div className="secret-field">
      <TextField
        key={made}
        label={isRequired ? label : `${label} (optional)`}
        {...(hint && { hint })}
        look="secret"
        value={value}
        onChange={onChange}
        isRequired={isRequired}
        validate={(text) => (text ? secretFault(text) : null)}
        autoComplete="off"
        autoCorrect="off"
        spellCheck="false"
      />
      {mayMake && (
        <Button icon="key" onPress={make}>
          Make a secret
        </Button>
      )}
    </div>
  );
}
