import { type FormEvent, type ReactNode, useState } from 'react';
import { Form } from 'react-aria-components';
import { Arcade } from '../kit/arcade.tsx';
import { Button } from '../kit/button.tsx';
import { Brand } from '../kit/mark.tsx';
import { Notice } from '../kit/notice.tsx';
import { TextField } from '../kit/text-field.tsx';
import { type Api, ApiError, type LogIn } from './api.ts';
import { type Problem, problemOf } from './words.ts';

type Way = Exclude<LogIn, 'none'>;

interface LogInForm {
  readonly title: string;
  readonly lead: string;
  readonly fields: ReactNode;
  /** The field that is most likely wrong. */
  readonly last: string;
  /** What a refusal means. */
  readonly wrong: Problem;
  send(api: Api, field: (name: string) => string): Promise<void>;
}

const forms: Readonly<Record<Way, LogInForm>> = {
  account: {
    title: 'Log in',
    lead: 'The playground of this server is for its account holders.',
    fields: (
      <>
        <TextField label="Account key" name="accountKey" isRequired autoComplete="username" />
        <TextField
          label="Account secret"
          name="accountSecret"
          type="password"
          isRequired
          autoComplete="current-password"
        />
      </>
    ),
    last: 'accountSecret',
    wrong: {
      title: 'That key and secret do not belong together',
      text: 'Check both, and that the account is active.',
    },
    send: (api, field) => api.logIn(field('accountKey').trim(), field('accountSecret')),
  },
  code: {
    title: 'Enter the code',
    lead: 'It has eight digits and is shown in the terminal where this server was started.',
    fields: (
      <TextField
        label="Code from the terminal"
        name="code"
        look="code"
        isRequired
        autoFocus
        inputMode="numeric"
        autoComplete="one-time-code"
        maxLength={24}
      />
    ),
    last: 'code',
    wrong: {
      title: 'That is not the code',
      text: 'Look for the line that begins with “code”. Each start of the server makes a new one.',
    },
    send: (api, field) => api.logInWithCode(field('code')),
  },
};

interface Props {
  api: Api;
  way: Way;
  onDone: () => void;
}

/** Who is not on the server's own machine is asked who they are before a session is made in the operator's name. */
export function LoginPage({ api, way, onDone }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const { title, lead, fields, last, wrong, send } = forms[way];
  const logIn = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const data = new FormData(form);
    setBusy(true);
    setProblem(null);
    try {
      await send(api, (name) => String(data.get(name) ?? ''));
      onDone();
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setProblem(refused ? wrong : problemOf(error, 'Logging in did not work'));
      setBusy(false);
      if (refused) markField(form, last);
    }
  };
  return (
    <div className="page entrance">
      <header className="page-header">
        <Brand />
        <span className="page-name">Playground</span>
      </header>
      <main className="login">
        <h1>{title}</h1>
        <p className="lead">{lead}</p>
        <Form className="form" onSubmit={logIn}>
          {problem && (
            <Notice tone="problem" title={problem.title} role="alert">
              {problem.text}
            </Notice>
          )}
          {fields}
          <Button tone="primary" type="submit" busy={busy}>
            {busy ? 'Logging in' : 'Log in'}
          </Button>
        </Form>
      </main>
      <Arcade />
    </div>
  );
}

/** What was wrong is typed over at once. */
function markField(form: HTMLFormElement, name: string): void {
  const field = form.elements.namedItem(name);
  if (!(field instanceof HTMLInputElement)) return;
  field.focus();
  field.select();
}
