/** Signals: small messages between clients, or from an application's server, in one order for everybody. */
import { limits, PlatformError } from '@cloister/protocol';
import { type Connection, connectionShape } from './connection.ts';
import type { Actor } from './event.ts';
import type { Home } from './home.ts';

export interface Signal {
  readonly type?: string;
  readonly data?: string;
}

/** @throws PlatformError `SignalDataMissing`, `SignalTypeInvalid`, `SignalTooLong` */
export function checkSignal(signal: Signal, dataRequired: boolean): void {
  if (dataRequired && signal.data === undefined) throw new PlatformError('SignalDataMissing');
  if (signal.type !== undefined && Buffer.byteLength(signal.type) > limits.signalTypeBytes) {
    throw new PlatformError('SignalTooLong', { part: 'type', limit: limits.signalTypeBytes });
  }
  if (signal.type !== undefined && !/^[A-Za-z0-9_~-]*$/.test(signal.type)) throw new PlatformError('SignalTypeInvalid');
  if (signal.data !== undefined && Buffer.byteLength(signal.data) > limits.signalDataBytes) {
    throw new PlatformError('SignalTooLong', { part: 'data', limit: limits.signalDataBytes });
  }
}

/**
 * Delivers a signal to all (the sender too, as OpenTok does) or to one connection. Its content lives in memory only.
 * @throws PlatformError `ConnectionNotFound`
 */
export function deliverSignal(home: Home, signal: Signal, to: string | null, from: Connection | null): void {
  const message = { type: signal.type ?? '', data: signal.data ?? '', from: from ? connectionShape(from) : null };
  const actor: Actor = from
    ? { kind: 'connection', connectionId: from.id }
    : { kind: 'project', projectId: home.session.projectId };
  if (to === null) {
    home.broadcast('signal', message);
  } else {
    const receiver = home.connections.get(to);
    if (!receiver) throw new PlatformError('ConnectionNotFound', { connectionId: to });
    receiver.link.send('signal', message);
  }
  home.record(actor, { type: 'signal.sent', toConnectionId: to });
}
