/** What the page says when something does not work: the reason and the way on, without codes. */

import type { PlaygroundSecret, PlaygroundTurn } from '@cloister/protocol';
import type { OtError } from './ot.ts';

export interface Problem {
  readonly title: string;
  readonly text: string;
}

export interface Named {
  readonly name: string;
  readonly message: string;
}

const known: Readonly<Record<string, Problem>> = {
  OT_USER_MEDIA_ACCESS_DENIED: {
    title: 'Your browser did not allow the camera or microphone',
    text: 'Allow them for this page with the button in the address bar, then try again. You can also join without them.',
  },
  OT_NO_DEVICES_FOUND: {
    title: 'No camera or microphone found',
    text: 'Plug one in and try again, or join to watch, listen and chat.',
  },
  OT_HARDWARE_UNAVAILABLE: {
    title: 'The camera or microphone is in use',
    text: 'Another program holds it. Close that program and try again, or choose another device.',
  },
  OT_AUTHENTICATION_ERROR: {
    title: 'The server did not accept this page’s token',
    text: 'It may have expired. Join again to get a new one.',
  },
  OT_INVALID_SESSION_ID: {
    title: 'There is no such session here',
    text: 'Check the link or the session id, or start a new session.',
  },
  OT_CONNECTION_LIMIT_EXCEEDED: {
    title: 'The server is full',
    text: 'It carries as many calls as it can. Try again in a moment.',
  },
  OT_CONNECT_FAILED: {
    title: 'The server cannot be reached',
    text: 'Check your network, then join again.',
  },
  OT_ICE_WORKFLOW_FAILED: {
    title: 'Sound and picture do not get through',
    text: 'The network between you and the server blocks media. A firewall or a VPN is the usual cause.',
  },
  OT_MEDIA_SUITE_REFUSED: {
    title: 'Refused: the encryption is too weak',
    text: 'This project requires AES-256, and this browser and the server could not agree on it.',
  },
  OT_UNSUPPORTED_BROWSER: {
    title: 'This browser cannot make calls here',
    text: 'Use a current Chrome, Edge, Firefox or Safari.',
  },
  OT_PERMISSION_DENIED: {
    title: 'Your role does not allow this',
    text: 'Join again with a role that does.',
  },
  OT_ENCRYPTION_SECRET_MISSING: {
    title: 'This session needs its secret',
    text: 'Ask the person who invited you for it, or for the link that carries it.',
  },
  OT_INVALID_ENCRYPTION_SECRET: {
    title: 'This cannot be a secret',
    text: 'A secret has 8 to 256 characters.',
  },
  LogInRequired: {
    title: 'Your log-in has ended',
    text: 'Leave the call, load the page again and log in.',
  },
  SessionNotFound: {
    title: 'There is no such session here',
    text: 'Check the link or the session id, or start a new session.',
  },
  SessionIdInvalid: {
    title: 'There is no such session here',
    text: 'Check the link or the session id, or start a new session.',
  },
  RateLimited: {
    title: 'Too many tries',
    text: 'Wait a few seconds, then try again.',
  },
  Unreachable: {
    title: 'The server cannot be reached',
    text: 'Check your network, then try again.',
  },
};

/** A thrown error in the page's words; an unknown one keeps its own message. */
export function problemOf(thrown: unknown, title = 'That did not work'): Problem {
  if (!isNamed(thrown)) return { title, text: 'Try again.' };
  return known[thrown.name] ?? { title, text: sentence(thrown.message) };
}

/** What those miss who reach the server by no other way than TURN, and who can mend it; null where nothing is missing. */
export function turnWords(turn: PlaygroundTurn | null): Problem | null {
  switch (turn) {
    case 'missing':
      return {
        title: 'No TURN server is installed',
        text: 'People behind strict firewalls cannot join calls. On the server install the Debian package coturn (apt install coturn), switch its own service off (systemctl disable --now coturn), then start Cloister again.',
      };
    case 'failed':
      return {
        title: 'The TURN server does not run',
        text: 'People behind strict firewalls cannot join calls. The server tries to start it again; its log says why it fails.',
      };
    case 'off':
      return {
        title: 'The TURN server is switched off',
        text: 'People behind strict firewalls cannot join calls. Set turn to auto to have one.',
      };
    default:
      return null;
  }
}

/** Why one cannot join with this secret, or without one; null where one can. */
export function secretWords(use: PlaygroundSecret, secret: string): Problem | null {
  if (use === 'needed' && !secret) return known.OT_ENCRYPTION_SECRET_MISSING ?? null;
  if (use !== 'none' || !secret) return null;
  return {
    title: 'A secret protects nothing here',
    text: 'This session does not seal its frames. Join without the secret, or start one that is end-to-end encrypted.',
  };
}

/** What seals the frames of a call, where a secret may; null elsewhere. */
export function sealWords(use: PlaygroundSecret, given: boolean): Problem | null {
  if (use === 'needed') {
    return {
      title: 'Sealed with your secret',
      text: 'Only who has the secret sees and hears. The server passes sealed frames on and never gets the secret.',
    };
  }
  if (use === 'none') return null;
  return given
    ? {
        title: 'Sealed with your secret',
        text: 'It is a part of the keys between each two browsers. Who stands between them without it is noticed at once.',
      }
    : {
        title: 'Sealed without a secret',
        text: 'The browsers agreed on keys through the server. Compare the security codes below, or leave, and join again with a secret that all of you have.',
      };
}

/** That others have another secret than this page, and what to do; null where nobody has. */
export function strangerWords(strangers: readonly string[]): Problem | null {
  const [first, ...more] = strangers;
  if (first === undefined) return null;
  const who = more.length === 0 ? `${first} has` : `${first} and ${more.length} more have`;
  return {
    title: `${who} another secret than you`,
    text: 'So you do not see or hear each other. Compare the secrets, by a way that you trust; whose is wrong types the right one.',
  };
}

/** Why a stream of somebody else is not shown. */
export function unshownWords(error: OtError): Problem {
  if (error.detail !== 'keysDiffer') return problemOf(error, 'This stream cannot be shown');
  return {
    title: 'You and they have different keys',
    text: 'Mostly they have a secret and you have none: ask for it, leave the call, and join again with it. If nobody has one, somebody between you changed the keys.',
  };
}

/** A stream of somebody else that was shown, and is not any more. */
export const lostStream: Problem = {
  title: 'The connection with them was lost',
  text: 'They are still in the call. Leave it and join again to see and hear them.',
};

/** A call is made with a project, and there is none that may be used. */
export const projectless: Problem = {
  title: 'There is no project to make a call with',
  text: 'Make one on the server with “cloister project create”, or make a suspended one active again, then try again.',
};

function isNamed(thrown: unknown): thrown is Named {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown && 'message' in thrown;
}

function sentence(message: string): string {
  const text = message.trim() || 'Try again.';
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export type EndReason = 'left' | 'forceDisconnected' | 'networkDisconnected' | 'stopping';

/** Why a call is over. `reason` is OpenTok's reason of `sessionDisconnected`. */
export function endWords(reason: string): Problem {
  switch (reason) {
    case 'left':
    case 'clientDisconnected':
      return { title: 'You have left the session', text: 'The others may still be there.' };
    case 'forceDisconnected':
      return { title: 'A moderator ended your part in the session', text: 'Ask them before you join again.' };
    case 'stopping':
      return { title: 'The server is being restarted', text: 'Join again in a minute.' };
    default:
      return { title: 'The connection was lost', text: 'Check your network, then join again.' };
  }
}
