import { limits } from '@cloister/protocol/limits';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Form, Input, Label, TextField } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { useStore } from '../kit/use-store.ts';
import type { Call } from './call.ts';
import type { ChatLine } from './call-state.ts';

/** Text among everybody in the session: signals of the type `chat`, which nothing keeps. */
export function Chat({ call }: { call: Call }) {
  const { chat, phase } = useStore(call.state);
  const [text, setText] = useState('');
  const end = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what brings the end into sight
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'end' });
  }, [chat.length]);
  const bytes = new TextEncoder().encode(text).length;
  const tooLong = bytes > limits.signalDataBytes;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const line = text.trim();
    if (!line || tooLong) return;
    setText('');
    if (!(await call.say(line))) setText(line);
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls must be reachable by the keyboard */}
      <div className="panel-body chat-lines" role="log" aria-label="Messages" tabIndex={0}>
        {chat.length === 0 && <p className="panel-empty">Messages go to everybody here now. The server keeps none.</p>}
        {chat.map((line) => (
          <Line key={line.id} line={line} />
        ))}
        <div ref={end} />
      </div>
      <Form className="chat-form" onSubmit={send}>
        <TextField className="field" value={text} onChange={setText} isInvalid={tooLong}>
          <Label className="visually-hidden">Message</Label>
          <Input className="input" placeholder="Message" autoComplete="off" />
        </TextField>
        <Button tone="primary" icon="send" words="hidden" type="submit" isDisabled={phase !== 'connected' || tooLong}>
          Send
        </Button>
      </Form>
      {tooLong && <p className="field-error chat-error">This message is too long.</p>}
    </>
  );
}

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

function Line({ line }: { line: ChatLine }) {
  return (
    <div className="line" data-own={line.own}>
      <p className="line-head">
        <span className="line-name">{line.own ? 'You' : line.name}</span>{' '}
        <time dateTime={new Date(line.at).toISOString()}>{time.format(line.at)}</time>
      </p>
      <p className="line-text">{line.text}</p>
    </div>
  );
}
