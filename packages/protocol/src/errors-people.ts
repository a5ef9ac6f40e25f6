/** Refusals about people: log-ins, roles, invitations, API keys, grants. Part of the table in `errors.ts`. */

export const peopleErrors = {
  // People
  SessionRequired: {
    status: 401,
    opentok: 401,
    message: 'Nobody is logged in here',
    help: 'Log in at /account. A log-in ends by itself after some minutes without use, and when role, password or log-in key change.',
    fault: 'caller',
  },
  // One answer for all of it: it does not say whether there is such a person, nor which part was wrong.
  LogInFailed: {
    status: 401,
    opentok: 401,
    message: 'The log-in was not accepted',
    help: 'Check what you typed, and that your invitation was taken up. If it stays so, an owner of your account or the operator makes a new link for you: cloister person recover.',
    fault: 'caller',
  },
  LogInLocked: {
    status: 429,
    opentok: 429,
    message: 'Too many log-ins failed for this {subject}',
    help: 'Wait {retryAfterSeconds} s, or log in with a passkey. An owner of the account or the operator lifts it: cloister person unlock.',
    fault: 'caller',
  },
  PasswordRefused: {
    status: 400,
    opentok: 400,
    message: 'This password cannot be used: {why}',
    help: 'Take a longer one, such as five words that have nothing to do with each other, or a passkey instead.',
    fault: 'caller',
  },
  InvitationInvalid: {
    status: 403,
    opentok: 403,
    message: 'This invitation is not valid any more',
    help: 'It works once and for some days. Ask whoever invited you for a new one: cloister person recover.',
    fault: 'caller',
  },
  RequestForged: {
    status: 403,
    opentok: 403,
    message: 'The request does not come from a page of this log-in',
    help: 'Send the value of csrf from GET /cloister/v1/people/me in the header x-cloister-csrf.',
    fault: 'caller',
  },
  NotAllowed: {
    status: 403,
    opentok: 403,
    message: 'This needs the scope {scope}, which {who} does not have',
    help: 'docs/reference/access.md has the table of roles and scopes. Who may approve or sign is always a person; a key is a machine.',
    fault: 'caller',
  },
  GrantNeeded: {
    status: 403,
    opentok: 403,
    message: 'The account has not granted {scope} to support staff, or the grant has ended',
    help: 'Ask an owner of the account to make one at /account, under support.',
    fault: 'caller',
  },
  PersonNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is no such person',
    help: 'cloister person list shows who there is.',
    fault: 'caller',
  },
  LastOwner: {
    status: 409,
    opentok: 409,
    message: 'This is the last owner of the account',
    help: 'Make somebody else an owner first.',
    fault: 'caller',
  },
  ApiKeyNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is no such API key',
    help: 'GET /cloister/v1/api-keys lists those of the account.',
    fault: 'caller',
  },
  ApiKeyRefused: {
    status: 401,
    opentok: 401,
    message: 'The API key is not valid',
    help: 'It was revoked, has expired, or its owner has left. An owner or engineer of the account makes a new one.',
    fault: 'caller',
  },
  GrantNotFound: {
    status: 404,
    opentok: 404,
    message: 'There is no such grant',
    help: 'GET /cloister/v1/support-grants lists those of the account.',
    fault: 'caller',
  },
  ProviderFailed: {
    status: 502,
    opentok: 502,
    message: 'The log-in service {provider} did not answer as it should: {why}',
    help: 'Try again; the operator checks its entry in the file of the setting logInProviders.',
    fault: 'destination',
  },
} as const;
