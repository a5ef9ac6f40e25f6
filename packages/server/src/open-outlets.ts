/** The receivers outside that get every entry of the audit log, as the settings name them. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { limits } from '@cloister/protocol';
import type { Egress } from './access/index.ts';
import { type AuditLog, type AuditQuery, Outlet, otlpSender, type Send, syslogSender } from './audit/index.ts';
import type { Config } from './config.ts';
import type { Journal, Store } from './core/index.ts';
import { systemClock } from './lib/index.ts';

interface Parts {
  readonly log: AuditLog;
  readonly query: AuditQuery;
  readonly store: Store;
  readonly journal: Journal;
  readonly egress: Egress;
}

/** Starts to send. @returns how to stop */
export function openOutlets(config: Config, parts: Parts): () => Promise<void> {
  const { store, ...rest } = parts;
  const outlets = Object.entries(sendersOf(config, parts.egress)).map(
    ([name, send]) => new Outlet({ ...rest, store: store.audit, clock: systemClock, name, send }),
  );
  for (const outlet of outlets) outlet.start();
  return async () => void (await Promise.all(outlets.map((outlet) => outlet.stop())));
}

/** By the name under which each keeps its place. */
function sendersOf(config: Config, egress: Egress): Record<string, Send> {
  const { auditSyslog, auditOtlp } = config;
  const host = config.publicUrl ? new URL(config.publicUrl).hostname : hostname();
  const ca = (file: string | undefined) => (file ? { ca: readFileSync(file, 'utf8') } : {});
  const senders: Record<string, Send> = {};
  if (auditSyslog) {
    const { auditSyslogCert: cert, auditSyslogKey: key } = config;
    const own = cert && key ? { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') } : {};
    const tls = { ...ca(config.auditSyslogCa), ...own };
    const timeoutMs = limits.auditOutletAnswerSeconds * 1000;
    senders.syslog = syslogSender(() => egress.connect({ url: auditSyslog, timeoutMs, tls }), {
      host,
      clock: systemClock,
    });
  }
  if (auditOtlp) {
    const tls = ca(config.auditOtlpCa);
    senders.otlp = otlpSender((call) => egress.request({ ...call, tls }), { url: auditOtlp, host });
  }
  return senders;
}
