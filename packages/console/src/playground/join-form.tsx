import type { PlaygroundSecret, PlaygroundSession } from '@cloister/protocol';
import { type FormEvent, useEffect, useState } from 'react';
import { Form } from 'react-aria-components';
import { Button } from '../kit/button.tsx';
import { Choice, type Option } from '../kit/choice.tsx';
import { Notice } from '../kit/notice.tsx';
import { TextField } from '../kit/text-field.tsx';
import { useStore } from '../kit/use-store.ts';
import { addressWith, sessionIn } from './address.ts';
import { type Api, ApiError, type Role, type SessionWish } from './api.ts';
import { JoinSecret } from './join-secret.tsx';
import { readPasted } from './pasted.ts';
import { rememberedName, rememberName } from './remembered-name.ts';
import type { Room } from './room.ts';
import { SessionField } from './session-field.tsx';
import { type Problem, problemOf, secretWords } from './words.ts';

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

/** The session of this id, or a new one; null where there is neither an id nor a wish. */
function sessionFor(
  api: Api,
  existing: string | undefined,
  wish: SessionWish | null,
): Promise<PlaygroundSession> | null {
  if (existing) return api.session(existing);
  return wish && api.createSession(wish);
}

/** What a secret is to the session that is chosen; null while it is not known. */
function useOf(
  wish: SessionWish | null,
  linked: string | null,
  found: PlaygroundSession | null,
): PlaygroundSecret | null {
  if (linked) return found?.sessionId === linked ? found.secret : null;
  if (!wish) return null;
  if (wish.e2ee) return 'needed';
  return wish.mediaMode === 'relayed' ? 'possible' : 'none';
}

/** What the session of a link is, for its form. What is wrong with the link is said to who joins. */
function useFound(api: Api, linked: string | null) {
  const [found, setFound] = useState<PlaygroundSession | null>(null);
  useEffect(() => {
    if (linked) api.session(linked).then(setFound, () => undefined);
  }, [api, linked]);
  return [found, setFound] as const;
}

export function JoinForm({ room, role, onRole, onLogInNeeded }: Props) {
  const call = useStore(room.call.state);
  const [linked, setLinked] = useState(() => sessionIn(location.href));
  const [found, setFound] = useFound(room.api, linked);
  const [name, setName] = useState(rememberedName);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [wish, setWish] = useState<SessionWish | null>({ mediaMode: 'routed', e2ee: false });
  const [asking, setAsking] = useState(false);
  const busy = asking || call.phase === 'joining';
  const problem = busy ? null : (failure ?? call.problem);

  const join = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const pasted = readPasted(String(new FormData(event.currentTarget).get('session') ?? ''));
    // What is wrong with a text that names no session, its field says.
    const asked = busy ? null : sessionFor(room.api, linked ?? pasted?.sessionId, wish);
    if (!asked) return;
    setAsking(true);
    setFailure(null);
    try {
      rememberName(name);
      const session = await asked;
      const { sessionId, secret: use } = session;
      history.replaceState(null, '', addressWith(location.href, sessionId));
      if (pasted?.secret) room.call.secret.set({ value: pasted.secret });
      const trouble = secretWords(use, room.call.secret.get().value);
      if (trouble) {
        setFound(session);
        setLinked(sessionId);
        setFailure(trouble);
        return;
      }
      await room.call.join(await room.api.createToken(sessionId, role, name.trim()), use);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return onLogInNeeded();
      setFailure(problemOf(error, 'Joining did not work'));
    } finally {
      setAsking(false);
    }
  };
  const forget = () => {
    history.replaceState(null, '', addressWith(location.href, null));
    room.call.secret.set({ value: '' });
    setLinked(null);
    setFailure(null);
    onRole('moderator');
  };
  const choose = (chosen: SessionWish | null) => {
    setWish(chosen);
    // What was made for a session of another kind.
    if (!chosen || (chosen.mediaMode === 'routed' && !chosen.e2ee)) room.call.secret.set({ value: '' });
  };
  const use = useOf(wish, linked, found);
  return (
    <Form className="form join-form" onSubmit={join}>
      {problem && (
        <Notice tone="problem" title={problem.title} role="alert">
          {problem.text}
        </Notice>
      )}
      <SessionField linked={linked} onForget={forget} onWish={choose} />
      <JoinSecret key={linked} call={room.call} use={use} fresh={linked === null} />
      <TextField label="Your name" value={name} onChange={setName} isRequired maxLength={64} autoComplete="name" />
      <Choice label="Your role" value={role} options={roles} onChange={onRole} />
      <Button tone="primary" type="submit" busy={busy}>
        {busy ? 'Joining' : 'Join'}
      </Button>
    </Form>
  );
}
