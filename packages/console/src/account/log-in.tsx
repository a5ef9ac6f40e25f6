import { useEffect, useState } from 'react';
import { Button } from '../kit/button.tsx';
import { TextField } from '../kit/text-field.tsx';
import type { AccountApi, Service } from './api.ts';
import { StepForm, Trouble, useWork } from './step.tsx';
import { refusedBy } from './words.ts';

interface Props {
  api: AccountApi;
  /** Why a log-in service sent somebody back. */
  refused: string | null;
  onDone: () => void;
}

/** The ways in: passkey and log-in services first, the password for emergencies below. */
export function LogIn({ api, refused, onDone }: Props) {
  const [services, setServices] = useState<readonly Service[]>([]);
  const { problem, busy, work } = useWork(refused === null ? null : refusedBy(refused));
  useEffect(() => {
    api.services().then(setServices, () => setServices([]));
  }, [api]);
  const send = (field: (name: string) => string) =>
    work(async () => {
      await api.logIn({ email: field('email'), password: field('password'), code: field('code') });
      onDone();
    });
  const passkey = () => work(() => api.logInWithPasskey().then(onDone));
  return (
    <main className="login">
      <h1>Log in</h1>
      <Trouble problem={problem} />
      <div className="ways">
        <Button tone="primary" busy={busy} onPress={passkey}>
          Use a passkey
        </Button>
        {services.map(({ id, name }) => (
          <Button key={id} onPress={() => location.assign(`/cloister/v1/people/oidc/${encodeURIComponent(id)}/start`)}>
            {`Log in with ${name}`}
          </Button>
        ))}
      </div>
      <h2>With a password</h2>
      <StepForm
        word="Log in"
        tone="plain"
        busy={busy}
        onSend={send}
        fields={
          <>
            <TextField label="E-mail address" name="email" type="email" isRequired autoComplete="username" />
            <TextField label="Password" name="password" type="password" isRequired autoComplete="current-password" />
            <TextField
              label="Code"
              name="code"
              look="code"
              isRequired
              autoComplete="one-time-code"
              hint="Of your authenticator, or a recovery code."
            />
          </>
        }
      />
    </main>
  );
}
