import { type FormEvent, useState } from 'react';
import { Disclosure, DisclosurePanel, Form, Heading, Button as Trigger } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { CopyButton } from '../kit/copy-button.tsx';
import { Icon } from '../kit/icon.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Call } from './call.ts';
import { strangersOf } from './call-state.ts';
import { invitation, secretFault } from './secret.ts';
import { SecretField } from './secret-field.tsx';
import { sealWords } from './words.ts';

/** Whether frames are sealed with a secret of the participants, and how to change it. */
export function SecretPanel({ call }: { call: Call }) {
  const state = useStore(call.state);
  const { value } = useStore(call.secret);
  const sealed = sealWords(state.secretUse, value !== '');
  if (!sealed) return null;
  return (
    <section className="secret" aria-label="Secret of this session">
      <p className="secret-title" data-sealed={value !== ''}>
        <Icon name={value ? 'key' : 'info'} size={18} />
        {sealed.title}
      </p>
      <p className="secret-text">{sealed.text}</p>
      {value && (
        <>
          <ShownSecret key={value} secret={value} />
          <ChangeSecret call={call} open={strangersOf(state).length > 0} />
        </>
      )}
    </section>
  );
}

/** Not in sight until it is asked for: a screen may be shared. */
function ShownSecret({ secret }: { secret: string }) {
  const [shown, setShown] = useState(false);
  return (
    <>
      {shown && <p className="secret-value">{secret}</p>}
      <div className="secret-actions">
        <Button icon="key" onPress={() => setShown(!shown)}>
          {shown ? 'Hide secret' : 'Show secret'}
        </Button>
        <CopyButton text={invitation(location.href, '')} what="link without secret" />
      </div>
    </>
  );
}

/** Everybody has to change it at about the same time. Open at once where somebody has another. */
function ChangeSecret({ call, open }: { call: Call; open: boolean }) {
  const [text, setText] = useState('');
  const [expanded, setExpanded] = useState<boolean | null>(null);
  const [busy, setBusy] = useState(false);
  const change = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || secretFault(text)) return;
    setBusy(true);
    if (await call.changeSecret(text)) {
      setText('');
      setExpanded(false);
    }
    setBusy(false);
  };
  return (
    <Disclosure className="earlier" isExpanded={expanded ?? open} onExpandedChange={setExpanded}>
      <Heading level={3}>
        <Trigger slot="trigger" className="earlier-button">
          <Icon name="chevron" size={16} />
          Change the secret
        </Trigger>
      </Heading>
      <DisclosurePanel>
        <Form className="secret-form" onSubmit={change}>
          <SecretField
            label="New secret"
            hint="Everybody has to take the same; who has another does not see or hear the others. Change it when somebody has left who must not hear the rest."
            value={text}
            onChange={setText}
            isRequired
          />
          <Button tone="primary" type="submit" busy={busy}>
            {busy ? 'Changing' : 'Change secret'}
          </Button>
        </Form>
      </DisclosurePanel>
    </Disclosure>
  );
}
