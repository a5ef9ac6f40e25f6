/**
 * The door of media as a client finds it: media answers STUN from those alone whom it knows, so this joins a session of its
 * own, without publishing anything, and is told the candidates of a transport and what to ask them with.
 */
import { type JoinAnswer, PlatformError, signallingVersion, type TransportOffer } from '@cloister/protocol';
import { nominate } from '../media/index.ts';
import { makeClientToken, makeJwt } from '../opentok/index.ts';

export interface MediaDoor {
  readonly candidates: readonly { readonly address: string; readonly port: number; readonly protocol: 'udp' | 'tcp' }[];
  /** A binding request that all of them answer. */
  request(): Buffer;
  close(): void;
}

export interface Credential {
  readonly apiKey: string;
  readonly secret: string;
}

const waitMs = 10_000;

/** The REST credential of a project. @param now in milliseconds since 1970 */
export function restCredential({ apiKey, secret }: Credential, now: number): string {
  const seconds = Math.floor(now / 1000);
  return makeJwt({ iss: apiKey, ist: 'project', iat: seconds, exp: seconds + 120 }, secret);
}

function fails(why: string, cause?: unknown): never {
  throw new PlatformError('BadRequest', { why: `a test call could not be made: ${why}` }, { cause });
}

async function asked(url: string, init: RequestInit, fetch: typeof globalThis.fetch): Promise<unknown> {
  const answer = await fetch(url, { ...init, method: 'POST', signal: AbortSignal.timeout(waitMs) }).catch((cause) =>
    fails(`${url} could not be reached`, cause),
  );
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok) return body;
  return fails(`${url} answered ${answer.status}: ${(body as { message?: string } | null)?.message ?? ''}`);
}

/** @param platform its address @throws PlatformError `BadRequest` that says what could not be done */
export async function openMediaDoor(
  platform: string,
  credential: Credential,
  { fetch, now }: { fetch: typeof globalThis.fetch; now: number },
): Promise<MediaDoor> {
  const { apiKey, secret } = credential;
  const headers = { 'x-opentok-auth': restCredential(credential, now), accept: 'application/json' };
  const body = new URLSearchParams({ 'p2p.preference': 'disabled' });
  const [session] = (await asked(`${platform}/session/create`, { headers, body }, fetch)) as { session_id: string }[];
  const sessionId = session!.session_id;
  const expiresAt = Math.floor(now / 1000) + 300;
  const token = makeClientToken({ apiKey, secret, sessionId, role: 'subscriber', data: '', expiresAt });
  const join = { body: JSON.stringify({ apiKey, sessionId, token }), headers: { 'content-type': 'application/json' } };
  const joined = (await asked(`${platform}/cloister/v1/join`, join, fetch)) as JoinAnswer;
  const socket = new WebSocket(joined.signallingUrl);
  try {
    const { iceParameters, iceCandidates } = await offerOver(socket, joined.ticket);
    const candidates = iceCandidates.map(({ address, ip, port, protocol }) => ({
      address: String(address ?? ip),
      port: Number(port),
      protocol: protocol === 'tcp' ? ('tcp' as const) : ('udp' as const),
    }));
    return { candidates, request: () => nominate(iceParameters, 'check'), close: () => socket.close() };
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Says hello, and asks for a transport. */
function offerOver(socket: WebSocket, ticket: string): Promise<TransportOffer> {
  return new Promise((resolve, reject) => {
    const end = (why: string) => {
      try {
        fails(why);
      } catch (error) {
        reject(error);
      }
    };
    const say = (frame: object) => socket.send(JSON.stringify(frame));
    AbortSignal.timeout(waitMs).addEventListener('abort', () => end('signalling did not answer in time'));
    socket.onerror = () => end(`${socket.url} could not be reached`);
    socket.onclose = () => end('signalling was closed');
    socket.onopen = () => say({ type: 'hello', version: signallingVersion, ticket, frames: false });
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; data?: TransportOffer; error?: { message: string } };
      if (frame.type === 'welcome')
        say({ type: 'request', id: 1, method: 'openTransport', data: { direction: 'receive' } });
      if (frame.type === 'close') end(frame.error?.message ?? 'signalling was closed');
      if (frame.type !== 'answer') return;
      if (frame.data) resolve(frame.data);
      else end(frame.error?.message ?? 'no transport was offered');
    };
  });
}
