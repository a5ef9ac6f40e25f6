/**
 * What goes wrong in the client, under OpenTok's names: `error.name` is what applications switch on.
 */
import type { ErrorBody } from '@cloister/protocol';
import { type ErrorCode, errorTable } from '@cloister/protocol/errors';

/** Numeric codes of OpenTok's `exception` event, by `error.name`. */
const codes: Readonly<Record<string, number>> = {
  OT_AUTHENTICATION_ERROR: 1004,
  OT_INVALID_SESSION_ID: 1005,
  OT_CONNECT_FAILED: 1006,
  OT_CONNECTION_LIMIT_EXCEEDED: 1027,
  OT_TIMEOUT: 1008,
  OT_NOT_CONNECTED: 1010,
  OT_DISCONNECTED: 1010,
  OT_INVALID_PARAMETER: 1011,
  OT_CREATE_PEER_CONNECTION_FAILED: 1013,
  OT_ICE_WORKFLOW_FAILED: 1013,
  OT_MEDIA_SUITE_REFUSED: 1009,
  OT_UNEXPECTED_SERVER_RESPONSE: 1014,
  OT_PERMISSION_DENIED: 1500,
  OT_USER_MEDIA_ACCESS_DENIED: 1500,
  OT_STREAM_CREATE_FAILED: 1500,
  OT_ENCRYPTION_SECRET_MISSING: 6000,
  OT_INVALID_ENCRYPTION_SECRET: 6004,
};

/**
 * Which of the failures that have one name in OpenTok this is, for pages that go on by it. `keysDiffer`: two clients of a relayed
 * session have different keys for their frames, and this one has no secret.
 */
export type ErrorDetail = 'keysDiffer';

/** An error with one of OpenTok's names; the message says what was wrong, where, and what to do. */
export class OtError extends Error {
  /** Code of OpenTok's `exception` event; 2000 where OpenTok names none. */
  readonly code: number;
  /** Ours: OpenTok has no such member. Null for most. */
  readonly detail: ErrorDetail | null;

  constructor(name: string, message: string, options: { cause?: unknown; detail?: ErrorDetail } = {}) {
    super(message, options);
    this.name = name;
    this.code = codes[name] ?? 2000;
    this.detail = options.detail ?? null;
  }
}

/** An error that a server's frame or answer carried. `fallback` names it when its code is not the client's business. */
export function errorFromBody(body: Pick<ErrorBody, 'message' | 'help'> & { code: string }, fallback: string): OtError {
  const row = Object.hasOwn(errorTable, body.code) ? errorTable[body.code as ErrorCode] : undefined;
  return new OtError(row?.client ?? fallback, body.help ? `${body.message}. ${body.help}` : body.message);
}

/** Anything thrown, as an error with an OpenTok name. */
export function asOtError(thrown: unknown, fallback: string): OtError {
  if (thrown instanceof OtError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new OtError(fallback, message, { cause: thrown });
}

/** The refusal of a member of OpenTok's surface that this SDK does not have. */
export function notOffered(member: string, why: string): OtError {
  return new OtError('OT_NOT_SUPPORTED', `${member} is not offered by this SDK: ${why}`);
}

// DOMException names of getUserMedia and getDisplayMedia (Media Capture and Streams, 10.2) → OpenTok's.
const captureNames: Readonly<Record<string, [name: string, message: string]>> = {
  NotAllowedError: [
    'OT_USER_MEDIA_ACCESS_DENIED',
    'The user or the browser refused access to the camera, microphone or screen',
  ],
  SecurityError: ['OT_USER_MEDIA_ACCESS_DENIED', 'This page may not capture media: serve it over HTTPS'],
  NotFoundError: ['OT_NO_DEVICES_FOUND', 'No camera or microphone of the asked kind is connected'],
  NotReadableError: ['OT_HARDWARE_UNAVAILABLE', 'The camera or microphone is in use by another program or failed'],
  AbortError: ['OT_HARDWARE_UNAVAILABLE', 'The camera or microphone could not be started'],
  OverconstrainedError: ['OT_CONSTRAINTS_NOT_SATISFIED', 'No device can satisfy the asked constraints'],
  TypeError: ['OT_NO_VALID_CONSTRAINTS', 'Neither audio nor video was asked for, or this page may not capture media'],
  InvalidStateError: ['OT_USER_MEDIA_ACCESS_DENIED', 'The page is not active, or the call did not come from a click'],
};

/** A refusal of getUserMedia or getDisplayMedia in OpenTok's words. */
export function captureError(thrown: unknown): OtError {
  if (thrown instanceof OtError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : { name: '', message: String(thrown) };
  const known = captureNames[name];
  if (!known) return new OtError('OT_HARDWARE_UNAVAILABLE', message, { cause: thrown });
  return new OtError(known[0], message ? `${known[1]} (${message})` : known[1], { cause: thrown });
}

/** Error of a media element's playback, from its MediaError code. */
export function playbackError(error: { code: number; message: string } | null): OtError {
  const names = [
    '',
    'OT_MEDIA_ERR_ABORTED',
    'OT_MEDIA_ERR_NETWORK',
    'OT_MEDIA_ERR_DECODE',
    'OT_MEDIA_ERR_SRC_NOT_SUPPORTED',
  ];
  return new OtError(
    names[error?.code ?? 0] || 'OT_MEDIA_ERR_DECODE',
    error?.message || 'The video could not be played',
  );
}
