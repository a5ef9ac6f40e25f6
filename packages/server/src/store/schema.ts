/** The tables as drizzle sees them. `migrations/` makes them; a test compares the two. */
import type { MediaPolicy } from '@cloister/protocol';
import { bigint, boolean, date, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import type {
  Account,
  AddressVersion,
  Archive,
  Callback,
  Feature,
  OpenUse,
  PlanName,
  Project,
  Sealed,
  Sealing,
  Session,
  Storage,
  TermsChange,
} from '../core/index.ts';

const ms = (name: string) => bigint(name, { mode: 'number' });
const seq = () => bigint('seq', { mode: 'number' }).generatedAlwaysAsIdentity();

export const accounts = pgTable('accounts', {
  id: text().primaryKey(),
  seq: seq(),
  name: text().$type<Sealed>().notNull(),
  secret: text().$type<Sealed>().notNull(),
  createdAt: ms('created_at').$type<Account['createdAt']>().notNull(),
});

export const accountTerms = pgTable(
  'account_terms',
  {
    accountId: text('account_id').notNull(),
    version: integer().notNull(),
    effectiveAt: ms('effective_at').notNull(),
    decidedAt: ms('decided_at').notNull(),
    by: text('decided_by').$type<TermsChange['by']>().notNull(),
    plan: text().$type<PlanName>(),
    addOns: text('add_ons').array().$type<Feature[]>(),
    buy: text().array().$type<Feature[]>().notNull(),
    drop: text('dropped').array().$type<Feature[]>().notNull(),
    forced: boolean().notNull(),
  },
  ({ accountId, version }) => [primaryKey({ columns: [accountId, version] })],
);

export const projects = pgTable('projects', {
  id: text().primaryKey(),
  seq: seq(),
  accountId: text('account_id').notNull(),
  name: text().$type<Sealed>().notNull(),
  status: text().$type<Project['status']>().notNull(),
  /** JSON of `ProjectSecret[]`. */
  secrets: text().notNull(),
  signatureSecret: text('signature_secret').$type<Sealed>().notNull(),
  policy: text().$type<MediaPolicy>().notNull(),
  zone: text().notNull(),
  createdAt: ms('created_at').notNull(),
});

export const sessions = pgTable('sessions', {
  id: text().primaryKey(),
  projectId: text('project_id').notNull(),
  mediaMode: text('media_mode').$type<Session['mediaMode']>().notNull(),
  archiveMode: text('archive_mode').$type<Session['archiveMode']>().notNull(),
  archiveName: text('archive_name').$type<Sealed>(),
  archiveResolution: text('archive_resolution'),
  e2ee: boolean().notNull(),
  zone: text().notNull(),
  policy: text().$type<MediaPolicy>().notNull(),
  createdAt: ms('created_at').notNull(),
});

export const legs = pgTable('legs', {
  id: text().primaryKey(),
  seq: seq(),
  projectId: text('project_id').notNull(),
  sessionId: text('session_id').notNull(),
  connectedAt: ms('connected_at').notNull(),
  /** JSON of `Leg`. */
  leg: text().notNull(),
  /** JSON of `LegWord[]`. */
  words: text().notNull(),
  closedAt: ms('closed_at'),
});

/** Connections and streams that have begun and not ended. */
export const present = pgTable('present', {
  id: text().primaryKey(),
  seq: seq(),
  projectId: text('project_id').notNull(),
  sessionId: text('session_id').notNull(),
  eventId: text('event_id').notNull(),
  event: text().notNull(),
  personal: text(),
});

export const archives = pgTable('archives', {
  id: text().primaryKey(),
  seq: seq(),
  projectId: text('project_id').notNull(),
  sessionId: text('session_id').notNull(),
  status: text().$type<Archive['status']>().notNull(),
  name: text().$type<Sealed>().notNull(),
  reason: text().notNull(),
  outputMode: text('output_mode').$type<Archive['outputMode']>().notNull(),
  hasAudio: boolean('has_audio').notNull(),
  hasVideo: boolean('has_video').notNull(),
  resolution: text(),
  streamMode: text('stream_mode').$type<Archive['streamMode']>().notNull(),
  automatic: boolean().notNull(),
  maxBitrate: integer('max_bitrate'),
  quantizationParameter: integer('quantization_parameter'),
  certificate: text(),
  createdAt: ms('created_at').notNull(),
  beganAt: ms('began_at'),
  updatedAt: ms('updated_at').notNull(),
  sizeBytes: ms('size_bytes').notNull(),
  durationMs: ms('duration_ms').notNull(),
  sha256: text().notNull(),
  password: text().notNull(),
  kept: boolean().notNull(),
  recipients: text().array().notNull(),
  manifest: text().notNull(),
  sandbox: text().$type<Archive['sandbox']>(),
});

export const storages = pgTable('storages', {
  projectId: text('project_id').primaryKey(),
  target: text().$type<Sealed>().notNull(),
  fallback: text().$type<Storage['fallback']>().notNull(),
  certificate: text(),
  updatedAt: ms('updated_at').notNull(),
});

export const sealings = pgTable('sealings', {
  projectId: text('project_id').primaryKey(),
  format: text().$type<Sealing['format']>().notNull(),
  certificates: text().array().notNull(),
  updatedAt: ms('updated_at').notNull(),
});

export const callbacks = pgTable('callbacks', {
  id: text().primaryKey(),
  seq: seq(),
  projectId: text('project_id').notNull(),
  group: text().$type<Callback['group']>().notNull(),
  event: text().$type<Callback['event']>().notNull(),
  url: text().$type<Sealed>().notNull(),
  createdAt: ms('created_at').notNull(),
});

export const deliveries = pgTable('deliveries', {
  id: text().primaryKey(),
  seq: seq(),
  projectId: text('project_id').notNull(),
  orderKey: text('order_key').notNull(),
  url: text().$type<Sealed>().notNull(),
  body: text().$type<Sealed>().notNull(),
  attempts: integer().notNull(),
  dueAt: ms('due_at').notNull(),
  createdAt: ms('created_at').notNull(),
  head: boolean().notNull(),
});

export const outbox = pgTable('outbox', {
  position: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  id: text().notNull(),
  projectId: text('project_id'),
  event: text().notNull(),
  personal: text(),
  sequence: bigint({ mode: 'number' }),
});

export const outboxSequence = pgTable('outbox_sequence', {
  one: boolean().primaryKey().default(true),
  last: bigint({ mode: 'number' }).notNull(),
});

export const readers = pgTable('readers', {
  name: text().primaryKey(),
  position: bigint({ mode: 'number' }).notNull(),
});

export const keyring = pgTable('keyring', {
  id: text().primaryKey(),
  purpose: text().notNull(),
  wrapped: text().notNull(),
  createdAt: ms('created_at').notNull(),
  retiredAt: ms('retired_at'),
  compromisedAt: ms('compromised_at'),
});

export const lastSettings = pgTable('last_settings', {
  one: boolean().primaryKey().default(true),
  settings: text().$type<Sealed>().notNull(),
});

export const auditOutlets = pgTable('audit_outlets', {
  name: text().primaryKey(),
  next: bigint({ mode: 'number' }).notNull(),
});
export const usageProjects = pgTable('usage_projects', {
  projectId: text('project_id').primaryKey(),
  accountId: text('account_id').notNull(),
});

export const usageOpen = pgTable(
  'usage_open',
  {
    kind: text().$type<OpenUse['kind']>().notNull(),
    id: text().notNull(),
    projectId: text('project_id').notNull(),
    zone: text().notNull(),
    since: ms('since'),
  },
  ({ kind, id }) => [primaryKey({ columns: [kind, id] })],
);

export const usageDays = pgTable(
  'usage_days',
  {
    projectId: text('project_id').notNull(),
    zone: text().notNull(),
    day: date({ mode: 'string' }).notNull(),
    participantMs: ms('participant_ms').notNull(),
    archiveMs: ms('archive_ms').notNull(),
    sealedBytes: ms('sealed_bytes').notNull(),
  },
  ({ projectId, day, zone }) => [primaryKey({ columns: [projectId, day, zone] })],
);

export const auditLog = pgTable('audit_log', {
  one: boolean().primaryKey().default(true),
  origin: text().notNull(),
  size: bigint({ mode: 'number' }).notNull(),
  checkpoint: text().notNull(),
  sequence: bigint({ mode: 'number' }).notNull(),
});

export const auditEntries = pgTable('audit_entries', {
  index: bigint({ mode: 'number' }).primaryKey(),
  eventId: text('event_id').notNull(),
  at: ms('at').notNull(),
  action: text().notNull(),
  accountId: text('account_id'),
  projectId: text('project_id'),
  mac: text().notNull(),
  sealed: text().$type<Sealed>(),
});

export const auditTiles = pgTable(
  'audit_tiles',
  {
    level: integer().notNull(),
    index: bigint({ mode: 'number' }).notNull(),
    hashes: text().notNull(),
  },
  ({ level, index }) => [primaryKey({ columns: [level, index] })],
);

export const auditWitnesses = pgTable('audit_witnesses', {
  name: text().primaryKey(),
  checkpoint: text().notNull(),
  at: ms('at').notNull(),
});

export const addressVersions = pgTable('address_versions', {
  number: bigint({ mode: 'number' }).primaryKey(),
  token: text().notNull(),
  createdAt: ms('created_at').notNull(),
  change: text().$type<AddressVersion['change']>().notNull(),
  blockId: text('block_id').notNull(),
  /** JSON of `AddressBlock[]`. */
  blocks: text().notNull(),
});

export const addressProposals = pgTable('address_proposals', {
  id: text().primaryKey(),
  at: ms('at').notNull(),
  reason: text().notNull(),
  proposedBy: text('proposed_by').notNull(),
  /** JSON of `AddressChange`. */
  change: text().notNull(),
});

export const addressReceipts = pgTable('address_receipts', {
  projectId: text('project_id').primaryKey(),
  fetched: bigint({ mode: 'number' }).notNull(),
  fetchedAt: ms('fetched_at'),
  acknowledged: bigint({ mode: 'number' }).notNull(),
  acknowledgedAt: ms('acknowledged_at'),
});

export const addressReminders = pgTable(
  'address_reminders',
  {
    projectId: text('project_id').notNull(),
    takesEffectAt: ms('takes_effect_at').notNull(),
    days: integer().notNull(),
  },
  ({ projectId, takesEffectAt, days }) => [primaryKey({ columns: [projectId, takesEffectAt, days] })],
);
export * from './schema-people.ts';
