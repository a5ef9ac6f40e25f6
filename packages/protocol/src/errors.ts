/**
 * Every refusal that Cloister can give, in one table: the HTTP status, OpenTok's numeric code, the sentence, what to do
 * about it and whose fault it is. Edges turn a `PlatformError` into their own wire shape; nobody else knows statuses.
 * A retired code is never used again.
 */

import { archiveErrors } from './errors-archives.ts';
import { auditErrors } from './errors-audit.ts';
import { contractErrors } from './errors-contracts.ts';
import { statementErrors } from './errors-statements.ts';

/** Whose mistake a refusal is: the caller's, the customer's destination's (a webhook, a bucket), or the platform's own. */
export type Fault = 'caller' | 'destination' | 'platform';

interface ErrorEntry {
  /** HTTP status of the REST answer. */
  readonly status: number;
  /** OpenTok's numeric `code` in a JSON error body; the HTTP status where OpenTok documents none. */
  readonly opentok: number;
  /** The sentence; `{name}` is filled from the error's details. */
  readonly message: string;
  /** What the reader should do next. */
  readonly help: string;
  readonly fault: Fault;
  /** The client SDK's `error.name` (compat section 9) where the client can meet it. */
  readonly client?: string;
}

const table = {
  ...archiveErrors,
  ...statementErrors,
  ...auditErrors,
  ...contractErrors,
  // Who is asking
  AuthenticationMissing: {
    status: 403,
    opentok: -1,
    message: 'No credential was sent',
    help: 'Send a JSON Web Token in the X-OPENTOK-AUTH header, signed with the secret of the project or account.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  AuthenticationFailed: {
    status: 403,
    opentok: -1,
    message: 'Invalid token: {why}',
    help: 'Sign the token with the current secret, algorithm HS256, and a lifetime of at most five minutes.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  IssuerNotFound: {
    status: 403,
    opentok: -1,
    message: 'Issuer not found',
    help: 'The `iss` claim must be the key of an active project, or of the account for account routes.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  KeyMismatch: {
    status: 403,
    opentok: -1,
    message: 'Id in the token does not match the one in the url',
    help: 'Use the token of the project that the path names.',
    fault: 'caller',
  },
  ProjectSuspended: {
    status: 403,
    opentok: -1,
    message: 'Project {projectId} is suspended',
    help: 'Set its status to ACTIVE through the account API or the command line.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  LogInRequired: {
    status: 401,
    opentok: 401,
    message: 'This page needs a log-in',
    help: 'Log in with the account key and secret, or with --lan by the code from the terminal, then come back.',
    fault: 'caller',
  },
  TokenInvalid: {
    status: 403,
    opentok: 1004,
    message: 'The token is not valid: {why}',
    help: 'Make a new token for this session with the server SDK.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  TokenExpired: {
    status: 403,
    opentok: 1004,
    message: 'The token expired at {expiredAt}',
    help: 'Make a new token for this session with the server SDK.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  AdmissionRefused: {
    status: 403,
    opentok: 1004,
    message: 'The admission ticket was refused: {why}',
    help: 'Call session.connect() again to fetch a new ticket.',
    fault: 'caller',
    client: 'OT_AUTHENTICATION_ERROR',
  },
  PermissionDenied: {
    status: 403,
    opentok: 403,
    message: 'A {role} may not {action}',
    help: 'Make the token with a role that may: moderator for moderation, publisher for publishing.',
    fault: 'caller',
    client: 'OT_PERMISSION_DENIED',
  },
  NotEntitled: {
    status: 403,
    opentok: 403,
    message: 'The plan {plan} does not include {feature}',
    help: '{way}',
    fault: 'caller',
  },

  // What is asked for
  BadRequest: {
    status: 400,
    opentok: 400,
    message: 'Invalid request: {why}',
    help: 'Correct the named field and send the request again.',
    fault: 'caller',
    client: 'OT_INVALID_PARAMETER',
  },
  SessionIdInvalid: {
    status: 400,
    opentok: 1005,
    message: 'The session id {sessionId} is not one of this project',
    help: 'Use the id that session/create returned for this API key.',
    fault: 'caller',
    client: 'OT_INVALID_SESSION_ID',
  },
  SessionNotFound: {
    status: 404,
    opentok: 404,
    message: 'Session not found',
    help: 'Use the id that session/create returned for this API key.',
    fault: 'caller',
    client: 'OT_INVALID_SESSION_ID',
  },
  NobodyConnected: {
    status: 404,
    opentok: 404,
    message: 'Not found. No clients are actively connected to the OpenTok session.',
    help: 'Wait for the connectionCreated webhook before sending.',
    fault: 'caller',
    client: 'OT_NOT_FOUND',
  },
  ConnectionNotFound: {
    status: 404,
    opentok: 404,
    message: 'Connection {connectionId} is not in this session',
    help: 'List the connections of the session; the client may have left.',
    fault: 'caller',
    client: 'OT_NOT_FOUND',
  },
  StreamNotFound: {
    status: 404,
    opentok: 404,
    message: 'Stream {streamId} is not in this session',
    help: 'List the streams of the session; the publisher may have left.',
    fault: 'caller',
    client: 'OT_STREAM_NOT_FOUND',
  },
  StreamIdInvalid: {
    status: 408,
    opentok: 408,
    message: 'Invalid stream id {streamId}',
    help: 'List the streams of the session and use one of their ids.',
    fault: 'caller',
  },
  ArchiveNotFound: {
    status: 404,
    opentok: 404,
    message: 'Archive {archiveId} is not one of this project',
    help: 'List the archives of the project and use one of their ids.',
    fault: 'caller',
  },
  ArchiveStreamsAutomatic: {
    status: 405,
    opentok: 405,
    message: 'The streams of this archive are chosen automatically',
    help: 'Start the archive with the streamMode `manual` to choose them.',
    fault: 'caller',
  },
  CertificateNeedsComposed: {
    status: 400,
    opentok: 400,
    message: 'Archives of this project are sealed in the format of OpenTok, which has no individual ones',
    help: 'Start it with the outputMode `composed`, or choose the format of Cloister with PUT …/archive-sealing.',
    fault: 'caller',
  },
  StorageNotFound: {
    status: 404,
    opentok: 404,
    message: 'This project has no storage of its own',
    help: 'Set it with PUT …/archive/storage.',
    fault: 'caller',
  },
  RecorderMissing: {
    status: 501,
    opentok: 501,
    message: 'This server has no recorder: it cannot archive',
    help: 'Run a version of Cloister with a recorder; docs/reference/opentok-routes.md says which routes need it.',
    fault: 'platform',
  },
  SandboxMissing: {
    status: 503,
    opentok: 503,
    message: 'This server cannot shut a recorder in, and its settings require that: it does not archive',
    help: 'Install bubblewrap (apt-get install bubblewrap) and let the server make user namespaces; the log says what the trial said. docs/guides/operating.md has the way without: recorderSandbox.',
    fault: 'platform',
  },
  UploadMissing: {
    status: 501,
    opentok: 501,
    message: 'This server cannot upload archives, and the storage of this project has the fallback "none"',
    help: 'Set the storage with the fallback "opentok", so that archives are kept with this server.',
    fault: 'platform',
  },
  LinkInvalid: {
    status: 403,
    opentok: 403,
    message: 'The download link is not valid: {why}',
    help: 'Read the archive again: its `url` is a new link.',
    fault: 'caller',
  },
  RangeInvalid: {
    status: 416,
    opentok: 416,
    message: 'The file has {size} bytes, and none of them is in the range',
    help: 'Ask for a range inside the file, or for the whole.',
    fault: 'caller',
  },
  CallbackNotFound: {
    status: 404,
    opentok: 404,
    message: 'Callback {id} is not registered for this project',
    help: 'List the callbacks of the project and use one of their ids.',
    fault: 'caller',
  },
  AccountNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is no account {accountKey}',
    help: 'List the accounts with `cloister account list` and use one of their keys.',
    fault: 'caller',
  },
  ProjectNotFound: {
    status: 404,
    opentok: 404,
    message: 'Project {projectId} is not in this account',
    help: 'List the projects of the account and use one of their ids.',
    fault: 'caller',
  },
  RouteNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is nothing at {path}',
    help: 'See docs/reference/opentok-routes.md for the routes that are served.',
    fault: 'caller',
  },
  NotBuilt: {
    status: 501,
    opentok: 501,
    message: 'This version of Cloister does not offer {feature}',
    help: 'docs/reference/opentok-routes.md says what each version offers.',
    fault: 'platform',
    client: 'OT_NOT_SUPPORTED',
  },
  BodyTooLarge: {
    status: 413,
    opentok: 413,
    message: 'The body is larger than {limit} bytes',
    help: 'Send less; docs/reference/limits.md has every limit.',
    fault: 'caller',
  },
  SignalDataMissing: {
    status: 400,
    opentok: 15202,
    message: "Signal payload 'data' must be set",
    help: 'Send a JSON body with the string field `data`.',
    fault: 'caller',
    client: 'OT_INVALID_PARAMETER',
  },
  SignalTypeInvalid: {
    status: 400,
    opentok: 1461,
    message: 'The signal type may only hold letters, digits, - _ and ~',
    help: 'Rename the type.',
    fault: 'caller',
    client: 'OT_INVALID_PARAMETER',
  },
  SignalTooLong: {
    status: 413,
    opentok: 1413,
    message: 'The signal {part} is longer than {limit} bytes',
    help: 'Send a shorter signal, or a reference to the data.',
    fault: 'caller',
    client: 'OT_INVALID_PARAMETER',
  },
  DtmfInvalid: {
    status: 400,
    opentok: 400,
    message: 'Invalid DTMF Digits',
    help: 'Send only 0-9, *, # and p (a pause of half a second).',
    fault: 'caller',
  },
  WrongState: {
    status: 409,
    opentok: 409,
    message: 'This cannot be done now: {why}',
    help: 'Wait for the state that the message names.',
    fault: 'caller',
    client: 'OT_NOT_CONNECTED',
  },
  LimitReached: {
    status: 409,
    opentok: 409,
    message: 'The limit {limit} of {value} is reached',
    help: 'docs/reference/limits.md has every limit and why it is there.',
    fault: 'caller',
    client: 'OT_CONNECTION_LIMIT_EXCEEDED',
  },
  RateLimited: {
    status: 429,
    opentok: 429,
    message: 'Too many requests by this {scope}',
    help: 'Wait {retryAfterSeconds} s before the next one.',
    fault: 'caller',
    client: 'OT_RATE_LIMIT_EXCEEDED',
  },
  DestinationRefused: {
    status: 400,
    opentok: 400,
    message: 'The destination {destination} is not allowed: {why}',
    help: 'Use a public HTTPS address, or have the operator list the prefix and port in CLOISTER_DESTINATIONS.',
    fault: 'destination',
  },
  DestinationFailed: {
    status: 502,
    opentok: 502,
    message: 'The destination {destination} failed: {why}',
    help: 'Make it answer 2xx within the time limit; the delivery is tried again.',
    fault: 'destination',
  },

  // Media
  SuiteRefused: {
    status: 403,
    opentok: 403,
    message: 'This project requires AES-256 media, and this leg has {suite}',
    help: 'Use a client whose DTLS-SRTP offers AEAD_AES_256_GCM; docs/reference/clients.md lists them.',
    fault: 'caller',
    client: 'OT_MEDIA_SUITE_REFUSED',
  },
  SuiteUnprovable: {
    status: 503,
    opentok: 503,
    message: 'This media worker does not report the SRTP suite, so AES-256 cannot be required of it',
    help: 'Run the media worker version that this release of Cloister pins.',
    fault: 'platform',
    client: 'OT_MEDIA_SUITE_REFUSED',
  },
  DtlsRoleRefused: {
    status: 400,
    opentok: 400,
    message: 'The DTLS role {role} is refused: the media server is always the DTLS server',
    help: 'Connect the transport with the DTLS role `client`.',
    fault: 'caller',
    client: 'OT_CREATE_PEER_CONNECTION_FAILED',
  },
  MediaParametersInvalid: {
    status: 400,
    opentok: 400,
    message: 'The media parameters were refused: {why}',
    help: 'Send the parameters that mediasoup-client made for this router.',
    fault: 'caller',
    client: 'OT_CREATE_PEER_CONNECTION_FAILED',
  },
  MediaLost: {
    status: 503,
    opentok: 503,
    message: 'The media worker of this session was lost',
    help: 'The client connects its media again by itself.',
    fault: 'platform',
    client: 'OT_ICE_WORKFLOW_FAILED',
  },
  CapacityReached: {
    status: 503,
    opentok: 503,
    message: 'This node carries as much media as it can',
    help: 'Try again later, or add a media node.',
    fault: 'platform',
    client: 'OT_CONNECTION_LIMIT_EXCEEDED',
  },
  FrameKeyMissing: {
    status: 403,
    opentok: 403,
    message: 'This session is end-to-end encrypted, and this client has told of no key for its frames',
    help: 'Give OT.initSession the encryptionSecret of the session, with a client SDK of this version.',
    fault: 'caller',
    client: 'OT_ENCRYPTION_SECRET_MISSING',
  },
  SessionRelayed: {
    status: 409,
    opentok: 409,
    message: 'A relayed session has no {what}: its media does not pass through the server',
    help: 'Create the session with the media mode `routed`.',
    fault: 'caller',
    client: 'OT_NOT_SUPPORTED',
  },
  SessionRouted: {
    status: 409,
    opentok: 409,
    message: 'In a routed session clients exchange nothing with each other: media goes to the server',
    help: 'Open a transport to the server, or create the session with the media mode `relayed`.',
    fault: 'caller',
    client: 'OT_NOT_SUPPORTED',
  },
  PeerUnpaired: {
    status: 409,
    opentok: 409,
    message: 'Neither this client nor {connectionId} subscribes to a stream of the other',
    help: 'In a relayed session subscribe to a stream first; where that has just ended, nothing is left to do.',
    fault: 'caller',
    client: 'OT_STREAM_NOT_FOUND',
  },
  ZoneUnavailable: {
    status: 503,
    opentok: 503,
    message: 'No media node of the zone {zone} is available',
    help: 'Try again later; media never leaves the zone of the project.',
    fault: 'platform',
    client: 'OT_CONNECT_FAILED',
  },

  // Signalling
  FrameInvalid: {
    status: 400,
    opentok: 400,
    message: 'The signalling frame was not understood: {why}',
    help: 'Use the client SDK that this server serves.',
    fault: 'caller',
    client: 'OT_BADLY_FORMED_RESPONSE',
  },
  ResumeRefused: {
    status: 403,
    opentok: 1006,
    message: 'The connection could not be resumed: {why}',
    help: 'Connect again with session.connect().',
    fault: 'caller',
    client: 'OT_CONNECT_FAILED',
  },
  SlowConsumer: {
    status: 429,
    opentok: 429,
    message: 'The client does not read its messages fast enough',
    help: 'Connect again; messages are kept for {seconds} s only.',
    fault: 'caller',
    client: 'OT_CONNECT_FAILED',
  },

  // The platform itself
  ConfigInvalid: {
    status: 500,
    opentok: 500,
    message: 'The settings are not valid: {why}',
    help: 'See docs/reference/configuration.md, or run `cloister config --explain`.',
    fault: 'caller',
  },
  DataFolderLocked: {
    status: 500,
    opentok: 500,
    message: 'The data folder {folder} is in use by process {pid}',
    help: 'Stop that process, or set CLOISTER_DATA_DIR to another folder.',
    fault: 'caller',
  },
  KeyNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is no key {key}',
    help: 'List the keys with `cloister keys list` and use one of their ids or purposes.',
    fault: 'caller',
  },
  KeyUnavailable: {
    status: 500,
    opentok: 500,
    message: 'The key {key} is not available: {why}',
    help: 'Start with the root key that this data folder was made with.',
    fault: 'platform',
  },
  SchemaUnknown: {
    status: 500,
    opentok: 500,
    message: 'The database was made by another version of Cloister: {why}',
    help: 'Start the version that last ran on this database, or a newer one.',
    fault: 'platform',
  },
  SealBroken: {
    status: 500,
    opentok: 500,
    message: 'A sealed value could not be opened: {why}',
    help: 'Start with the root key that this data folder was made with; restore the row from a backup if it was changed.',
    fault: 'platform',
  },
  StoreUnavailable: {
    status: 503,
    opentok: 503,
    message: 'The database did not answer: {why}',
    help: 'Try again; the operator sees the cause in the log.',
    fault: 'platform',
  },
  Overloaded: {
    status: 503,
    opentok: 503,
    message: 'The server has too much to do: {why}',
    help: 'Try again in a moment.',
    fault: 'platform',
  },
  Stopping: {
    status: 503,
    opentok: 503,
    message: 'The server is stopping',
    help: 'Connect again in a moment.',
    fault: 'platform',
    client: 'OT_CONNECT_FAILED',
  },
  Internal: {
    status: 500,
    opentok: 500,
    message: 'Something went wrong in the server',
    help: 'The log has the details under this request id.',
    fault: 'platform',
    client: 'OT_UNEXPECTED_SERVER_RESPONSE',
  },
} as const satisfies Record<string, ErrorEntry>;

/** The name of a refusal: a key of the table. */
export type ErrorCode = keyof typeof table;

/** The whole table, for the edges and for the generated reference. */
export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table;

/** Values for the `{placeholders}` of a message; never secrets, never addresses of participants. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** How an error travels in a signalling frame or a body of our own API. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly help: string;
  readonly details: ErrorDetails;
}

/**
 * An expected refusal. `code` names the row of the table; `details` fill its sentence; `cause` is for the log only and
 * never leaves the process.
 */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options: { cause?: unknown } = {}) {
    super(fill(errorTable[code].message, details), options);
    this.name = 'PlatformError';
    this.code = code;
    this.details = details;
  }

  /** HTTP status of this refusal. */
  get status(): number {
    return errorTable[this.code].status;
  }

  /** What the reader should do, filled in. */
  get help(): string {
    return fill(errorTable[this.code].help, this.details);
  }

  /** The shape that travels; holds no cause and no stack. */
  toBody(): ErrorBody {
    return { code: this.code, message: this.message, help: this.help, details: this.details };
  }
}

/** Any thrown value as a `PlatformError`; what was not expected becomes `Internal` with its cause kept for the log. */
export function asPlatformError(thrown: unknown): PlatformError {
  return thrown instanceof PlatformError ? thrown : new PlatformError('Internal', {}, { cause: thrown });
}

function fill(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'));
}
