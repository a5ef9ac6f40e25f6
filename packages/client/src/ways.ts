/** Which way a stream goes: over the server in a routed session, from client to client in a relayed one. */
import { type Incoming, type IncomingObserver, IncomingStream, type Wanted } from './incoming.ts';
import type { Link } from './link.ts';
import { log } from './log.ts';
import { type Outgoing, type OutgoingObserver, OutgoingStream, type Published } from './outgoing.ts';
import { RelayedIncoming } from './relayed/incoming.ts';
import { RelayedOutgoing } from './relayed/outgoing.ts';
import type { Stream } from './stream.ts';

export function wayOut(link: Link, describe: () => Published, observer: OutgoingObserver): Outgoing {
  if (link.mesh) return new RelayedOutgoing(link, link.mesh, describe, observer);
  // The transport is built while the user is still asked for the camera.
  link.media.ready('send').catch((error: unknown) => log.warn('The transport for sending is not ready', error));
  return new OutgoingStream(link, describe, observer);
}

export function wayIn(link: Link, stream: Stream, wanted: () => Wanted, observer: IncomingObserver): Incoming {
  if (link.mesh) return new RelayedIncoming(link, link.mesh, stream, wanted, observer);
  return new IncomingStream(link, stream, wanted, observer);
}
