import { useEffect, useState } from 'react';
import { Button } from '../kit/button.tsx';
import { TextField } from '../kit/text-field.tsx';
import type { AccountApi, Authenticator, Invited } from './api.ts';
import { RecoveryCodes } from './recovery-codes.tsx';
import { StepForm, Trouble, useWork } from './step.tsx';
import { type Problem, problemOf } from './words.ts';

interface Props {
  api: AccountApi;
  token: string;
  onDone: () => void;
}

/** Whoever has a link takes it up: with a passkey, or where they may with a password and an authenticator. */
export function Invitation({ api, token, onDone }: Props) {
  const [invited, setInvited] = useState<Invited | null>(null);
  const [dead, setDead] = useState<Problem | null>(null);
  const [authenticator, setAuthenticator] = useState<Authenticator | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const { problem, busy, work } = useWork();
  useEffect(() => {
    api.invitation(token).then(setInvited, (error) => setDead(problemOf(error)));
  }, [api, token]);
  if (codes) return <RecoveryCodes codes={codes} onDone={onDone} />;
  if (!invited) {
    return (
      <main className="login">
        <h1>Your invitation</h1>
        <Trouble problem={dead} />
      </main>
    );
  }
  return (
    <main className="login">
      <h1>{`Welcome, ${invited.name || invited.email}`}</h1>
      <p className="lead">{`You are invited as ${invited.role}. Choose how you will log in.`}</p>
      <Trouble problem={problem} />
      {authenticator ? (
        <AuthenticatorStep
          authenticator={authenticator}
          busy={busy}
          onCode={(code) => work(async () => setCodes(await api.confirm(token, code)))}
        />
      ) : (
        <>
          <Button tone="primary" busy={busy} onPress={() => work(() => api.takePasskey(token).then(onDone))}>
            Make a passkey
          </Button>
          {invited.passwordAllowed && (
            <PasswordStep
              busy={busy}
              onPassword={(password) => work(async () => setAuthenticator(await api.setPassword(token, password)))}
            />
          )}
        </>
      )}
    </main>
  );
}

function PasswordStep({ busy, onPassword }: { busy: boolean; onPassword: (password: string) => void }) {
  return (
    <>
      <h2>Or a password for emergencies</h2>
      <StepForm
        word="Set the password"
        tone="plain"
        busy={busy}
        onSend={(field) => onPassword(field('password'))}
        fields={
          <TextField
            label="New password"
            name="password"
            type="password"
            isRequired
            autoComplete="new-password"
            hint="Twelve characters or more; an authenticator comes beside it."
          />
        }
      />
    </>
  );
}

interface AuthenticatorProps {
  authenticator: Authenticator;
  busy: boolean;
  onCode: (code: string) => void;
}

function AuthenticatorStep({ authenticator, busy, onCode }: AuthenticatorProps) {
  return (
    <>
      <h2>Your authenticator</h2>
      <p>Read this picture with the authenticator on your telephone, or type the secret into it.</p>
      <img className="totp-picture" src={authenticator.picture} alt="QR code for an authenticator" />
      <p>
        <code className="totp-secret">{authenticator.secret}</code>
      </p>
      <StepForm
        word="Confirm"
        busy={busy}
        onSend={(field) => onCode(field('code'))}
        fields={
          <TextField
            label="Code that it shows"
            name="code"
            look="code"
            isRequired
            inputMode="numeric"
            autoComplete="one-time-code"
          />
        }
      />
    </>
  );
}
