/** The audit log of a platform, opened: what follows the outbox, what is asked of it, and what is destroyed by age. */
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';
import type { Egress } from './access/index.ts';
import type { AuditDoor } from './admin/index.ts';
import {
  AuditLog,
  AuditQuery,
  fileOutside,
  type NoteKey,
  parseNoteKey,
  printNoteKey,
  Retention,
  toCsv,
  toJsonLine,
} from './audit/index.ts';
import type { Config } from './config.ts';
import type { Journal, Keys, Store } from './core/index.ts';
import { systemClock, systemIds } from './lib/index.ts';
import { openOutlets } from './open-outlets.ts';

export interface OpenedAudit {
  readonly log: AuditLog;
  readonly door: AuditDoor;
  /** Sends what is in it to the receivers that the settings name. */
  sendBy(egress: Egress): void;
  stop(): Promise<void>;
}

/** The audit log, and the last checkpoint of it in a file of the data folder. */
export async function openAudit(
  config: Config,
  { store, keys, journal }: { store: Store; keys: Keys; journal: Journal },
): Promise<OpenedAudit> {
  const clock = systemClock;
  const log = await AuditLog.open({
    ...{ store, keys, journal, clock, ids: systemIds },
    outside: fileOutside(path.join(config.dataDir, 'audit-checkpoint')),
  });
  const witnesses = config.auditWitnesses.map((text): NoteKey => {
    const key = parseNoteKey(text);
    if (key?.kind === 'cosignature') return key;
    throw new PlatformError('ConfigInvalid', { why: `auditWitnesses: ${text} is no key of a witness` });
  });
  const query = new AuditQuery({ log, store: store.audit, keys, witnesses, now: () => clock.now() });
  const { auditKept: keptMs, auditHold: held } = config;
  const retention = new Retention({ log, query, store: store.audit, clock, journal, keptMs, held });
  let stopOutlets = async () => {};
  log.start();
  retention.start();
  return {
    log,
    door: {
      status: () => ({
        origin: log.origin,
        size: log.size,
        state: log.state,
        why: log.why,
        checkpoint: log.checkpoint,
      }),
      checkpoint: () => log.signed() && log.checkpoint,
      keys: () => log.keys.map(printNoteKey),
      file: (name) => query.file(name),
      search: (search, limit) => query.search(search, limit),
      async *export(search, form, since) {
        const print = form === 'csv' ? toCsv : toJsonLine;
        for await (const line of query.export(search, since)) yield print(line);
      },
      cosign: (note) => query.cosign(note),
      repair: (actor, reason) => log.repair(actor, reason),
    },
    sendBy(egress) {
      stopOutlets = openOutlets(config, { log, query, store, journal, egress });
    },
    async stop() {
      retention.stop();
      await log.stop();
      await stopOutlets();
    },
  };
}
