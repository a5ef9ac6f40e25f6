/** What is said when something did not work. */
import { ApiError } from '../playground/api.ts';

export interface Problem {
  readonly title: string;
  readonly text: string;
}

const known: Readonly<Record<string, Problem>> = {
  LogInFailed: {
    title: 'That did not let you in',
    text: 'Check what you typed. If it stays so, an owner of your account makes a new link for you.',
  },
  LogInLocked: {
    title: 'Too many log-ins failed',
    text: 'Wait some minutes and try again, or use a passkey. An owner of your account can lift the wait.',
  },
  InvitationInvalid: {
    title: 'This link is not valid any more',
    text: 'It works once and for some days. Ask whoever invited you for a new one.',
  },
  Unreachable: { title: 'The server did not answer', text: 'Check your network and try again.' },
};

/** An error → words; a browser's own, such as that a passkey was not made, in its own. */
export function problemOf(error: unknown): Problem {
  const { name, message } = error instanceof Error ? error : new Error('unknown');
  if (error instanceof ApiError) return known[name] ?? { title: 'That did not work', text: message };
  if (name === 'NotAllowedError' || name === 'InvalidStateError') {
    return {
      title: 'No passkey was used',
      text: 'It was cancelled, took too long, or this device has one for you already.',
    };
  }
  return { title: 'That did not work', text: message };
}

/** The same for the code in an address, by which a log-in service came back. */
export function refusedBy(code: string): Problem {
  return (
    known[code] ?? {
      title: 'The log-in service did not let you in',
      text: `It said ${code}. Try again, or ask the operator.`,
    }
  );
}
