/** What the page says when something does not work: the reason and the way on, without codes. */

import type { PlaygroundTurn } from '@cloister/protocol';

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
