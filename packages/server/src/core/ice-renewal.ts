/** TURN credentials end within minutes; a connection that stays is given others before. */
import type { Clock } from '../lib/index.ts';
import type { Site } from './calls.ts';
import type { Connection } from './connection.ts';

/**
 * Sends `iceServers` for as long as the connection is there. The event is kept like every other, so a client that comes
 * back after a cut gets what was renewed meanwhile.
 */
export function renewIceServers(connection: Connection, site: Site, clock: Clock): void {
  const { iceRenewMs } = site;
  if (iceRenewMs === null) return;
  connection.stopIceRenewal = clock.after(iceRenewMs, () => {
    const iceServers = site.iceServers(connection.id);
    const send = () => connection.link.send('iceServers', { iceServers });
    // Servers that are not in effect in the address list any more are not handed out again; those it has end by themselves.
    if (connection.hold) connection.hold.requireServers(iceServers).then(() => connection.closed || send(), ignore);
    else send();
    renewIceServers(connection, site, clock);
  });
}

function ignore(): void {}
