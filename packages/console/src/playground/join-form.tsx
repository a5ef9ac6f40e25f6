import { type FormEvent, useState } from 'react';
import { Form } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { Choice, type Option } from '../kit/choice.tsx';
import { Notice } from '../kit/notice.tsx';
import { TextField } from '../kit/text-field.tsx';
import { useStore } from '../kit/use-store.ts';
import { addressWith, pastedSession, sessionIn } from './address.ts';
import { ApiError, type MediaMode, type Role } from './api.ts';
import { rememberedName, rememberName } from './remembered-name.ts';
import type { Room } from './room.ts';
import { SessionField } from './session-field.tsx';
import { type Problem, problemOf } from './words.ts';

const roles: readonly Option<Role>[] = [
  { value: 'moderator', name: 'Moderator', text: 'Sends camera and microphone; may mute and disconnect others' },
  { value: 'publisher', name: 'Publisher', text: 'Sends camera and microphone' },
  { value: 'subscriber', name: 'Subscriber', text: 'Watches, listens and chats' },
];

interface Props {
  room: Room;
  role: Role;
  onRole: (role: Role) => void;
  onLogInNeeded: () => void;
}

export function JoinForm({ room, role, onRole, onLogInNeeded }: Props) {
  const call = useStore(room.call.state);
  const [linked, setLinked] = useState(() => sessionIn(location.href));
  const [name, setName] = useState(rememberedName);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [mode, setMode] = useState<MediaMode>('routed');
  const [asking, setAsking] = useState(false);
  const busy = asking || call.phase === 'joining';
  const problem = busy ? null : (failure ?? call.problem);

  const join = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    const pasted = new FormData(event.currentTarget).get('session');
    setAsking(true);
    setFailure(null);
    try {
      rememberName(name);
      const sessionId = linked ?? (pastedSession(String(pasted ?? '')) || (await room.api.createSession(mode)));
      const ticket = await room.api.createToken(sessionId, role, name.trim());
      history.replaceState(null, '', addressWith(location.href, sessionId));
      await room.call.join(ticket);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return onLogInNeeded();
      setFailure(problemOf(error, 'Joining did not work'));
    } finally {
      setAsking(false);
    }
  };
  const forget = () => {
    history.replaceState(null, '', addressWith(location.href, null));
    setLinked(null);
    onRole('moderator');
  };
  return (
    <Form className="form join-form" onSubmit={join}>
      {problem && (
        <Notice tone="problem" title={problem.title} role="alert">
          {problem.text}
        </Notice>
      )}
      <SessionField linked={linked} onForget={forget} onMode={setMode} />
      <TextField label="Your name" value={name} onChange={setName} isRequired maxLength={64} autoComplete="name" />
      <Choice label="Your role" value={role} options={roles} onChange={onRole} />
      <Button tone="primary" type="submit" busy={busy}>
        {busy ? 'Joining' : 'Join'}
      </Button>
    </Form>
  );
}
