import { type FormEvent, type ReactNode, useState } from 'react';
import { Form } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { Notice } from '../kit/notice.tsx';
import { type Problem, problemOf } from './words.ts';

/** Does one thing at a time, and keeps what went wrong. */
export function useWork(first: Problem | null = null) {
  const [problem, setProblem] = useState<Problem | null>(first);
  const [busy, setBusy] = useState(false);
  const work = async (task: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await task();
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  return { problem, busy, work };
}

/** What went wrong, where something did. */
export function Trouble({ problem }: { problem: Problem | null }) {
  if (!problem) return null;
  return (
    <Notice tone="problem" title={problem.title} role="alert">
      {problem.text}
    </Notice>
  );
}

interface Props {
  fields: ReactNode;
  word: string;
  tone?: 'primary' | 'plain';
  busy: boolean;
  onSend: (field: (name: string) => string) => void;
}

/** Some fields and the button that sends them. */
export function StepForm({ fields, word, tone = 'primary', busy, onSend }: Props) {
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    onSend((name) => String(data.get(name) ?? ''));
  };
  return (
    <Form className="form" onSubmit={send}>
      {fields}
      <Button tone={tone} type="submit" busy={busy}>
        {word}
      </Button>
    </Form>
  );
}
