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
    connection.link.send('iceServers', { iceServers: site.iceServers(connection.id) });
    renewIceServers(connection, site, clock);
  });
}
