/**
 * Entries as syslog messages (RFC 5424) over TLS (RFC 5425). Syslog has no acknowledgement: what a socket took may still be
 * lost with the receiver. So each batch has a connection of its own, which we end and then wait for the receiver to end
 * too: it does that when it has read to the end.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { limits, PlatformError } from '@cloister/protocol';
import { atMost, type Clock } from '../lib/index.ts';
import type { Send, Sent } from './outlet.ts';
import { actionOf, type Gravity, gravityOf, lineOf, timeOf } from './outlet-text.ts';

/** Facility 13, log audit (RFC 5424, 6.2.1). */
const facility = 13;
const severities: Readonly<Record<Gravity, number>> = { alert: 1, warning: 4, notice: 5 };
/** RFC 5424, 6: MSGID is 1 to 32 printable ASCII characters. */
const messageIdChars = 32;

/** One message, in ASCII. @param host whose log it is, as `HOSTNAME` has it */
export function syslogMessage(sent: Sent, host: string): string {
  const priority = facility * 8 + severities[gravityOf(sent)];
  const at = timeOf(sent);
  const time = at === null ? '-' : new Date(at).toISOString();
  const head = `<${priority}>1 ${time} ${host} cloister - ${actionOf(sent).slice(0, messageIdChars)} -`;
  const message = `${head} ${lineOf(sent)}`;
  return message.length <= limits.auditSyslogBytes ? message : `${head} ${lineOf(sent, false)}`;
}

/** RFC 5425, 4.3: octets counted in front. */
export function syslogFrame(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`;
}

/** @param open a connection to the receiver, TLS and all */
export function syslogSender(open: () => Promise<Duplex>, { host, clock }: { host: string; clock: Clock }): Send {
  return async (some) => {
    const socket = await open();
    try {
      let ended = false;
      const close = once(socket, 'close').then(() => {
        ended = true;
      });
      close.catch(() => {});
      // What a receiver says is of no interest, but its end is seen only once that was read.
      socket.resume();
      socket.end(some.map((each) => syslogFrame(syslogMessage(each, host))).join(''));
      const waitMs = limits.auditOutletAnswerSeconds * 1000;
      await atMost(clock, waitMs, close);
      if (!ended) throw failed('it did not end the connection after the last message');
    } catch (cause) {
      throw cause instanceof PlatformError ? cause : failed('the connection was cut', cause);
    } finally {
      socket.destroy();
    }
  };
}

function failed(why: string, cause?: unknown): PlatformError {
  return new PlatformError('DestinationFailed', { destination: 'auditSyslog', why }, { cause });
}
