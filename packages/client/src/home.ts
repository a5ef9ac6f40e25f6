/** Where the platform is, and showing it a token. */
import type { ErrorBody, JoinAnswer, JoinRequest } from '@cloister/protocol';
import { errorFromBody, OtError } from './errors.ts';

const joinMs = 10_000;
/** Pauses before the token is shown again when no answer came: a change of network fails whatever is on its way. */
const againAfterMs = [200, 1000];

let base: string | null = null;

/** Sets the platform's address for the whole page: the script's own origin, or what `OT.setProxyUrl` says. */
export function setHome(url: string): void {
  base = trimmed(url);
}

/** The platform's address without a slash at its end; the page's own origin when nothing else was said. */
export function homeUrl(override?: string): string {
  if (override) return trimmed(override);
  return base ?? globalThis.location.origin;
}

function trimmed(url: string): string {
  try {
    return new URL(url, globalThis.location?.href).href.replace(/\/+$/, '');
  } catch {
    throw new OtError('OT_INVALID_PARAMETER', `${url} is not an address; use one like https://video.example.org`);
  }
}

/**
 * `POST /cloister/v1/join`: trades the token for the media node and its ticket, within 10 s. Where no answer comes it asks
 * twice more, since a ticket that nobody uses costs nothing; an answer, also a refusal, is final. Rejects with an `OtError`.
 */
export async function join(url: string, request: JoinRequest): Promise<JoinAnswer> {
  const response = await asked(`${url}/cloister/v1/join`, {
    method: 'POST',
    // JSON, under a type for which a browser does not first ask whether the other origin takes it (Fetch standard, CORS-safelisted).
    headers: { 'content-type': 'text/plain;charset=UTF-8' },
    body: JSON.stringify(request),
    credentials: 'omit',
    signal: AbortSignal.timeout(joinMs),
  }).catch((cause: unknown) => {
    throw new OtError('OT_CONNECT_FAILED', `${url} could not be reached; check the network and the address`, { cause });
  });
  const body = (await response.json().catch(() => null)) as
    | (JoinAnswer & Partial<ErrorBody> & { error?: ErrorBody })
    | null;
  if (response.ok && body) return body;
  const refusal = body?.error ?? body;
  if (refusal?.code && refusal.message) {
    return Promise.reject(
      errorFromBody({ code: refusal.code, message: refusal.message, help: refusal.help ?? '' }, 'OT_CONNECT_FAILED'),
    );
  }
  const name = response.ok ? 'OT_EMPTY_RESPONSE_BODY' : 'OT_INVALID_HTTP_STATUS';
  throw new OtError(name, `${url} answered ${response.status} without saying why`);
}

/** The answer of an address; rejects with what the last try ended in. */
async function asked(url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  for (const pause of againAfterMs) {
    try {
      return await fetch(url, init);
    } catch (failed) {
      if (init.signal.aborted) throw failed;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return fetch(url, init);
}
