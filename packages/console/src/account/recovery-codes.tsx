import { Button } from '../kit/button.tsx';
import { CopyButton } from '../kit/copy-button.tsx';

interface Props {
  codes: readonly string[];
  onDone: () => void;
}

/** Shown once: the server keeps no more than their hashes. */
export function RecoveryCodes({ codes, onDone }: Props) {
  return (
    <main className="login">
      <h1>Keep your recovery codes</h1>
      <p className="lead">Each stands once for your authenticator, should you lose it. They are shown this once.</p>
      <ul className="recovery-codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className="row">
        <CopyButton text={codes.join('\n')} what="codes" otherwise="Mark and copy them by hand" />
        <Button tone="primary" onPress={onDone}>
          I have kept them
        </Button>
      </div>
    </main>
  );
}
