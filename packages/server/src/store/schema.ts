/** The tables as drizzle sees them. `migrations/` makes them; a test compares the two. */
import type { MediaPolicy } from '@cloister/protocol';
import { bigint, boolean, integer, pgTable, text } from 'drizzle-orm/pg-core';
import type { Account, Callback, Feature, PlanName, Project, Sealed, Session } from '../core/index.ts';

const ms = (name: string) => bigint(name, { mode: 'number' });
const seq = () => bigint('seq', { mode: 'number' }).generatedAlwaysAsIdentity();

export const accounts = pgTable('accounts', {
  id: text().primaryKey(),
  seq: seq(),
  name: text().$type<Sealed>().notNull(),
  secret: text().$type<Sealed>().notNull(),
  plan: text().$type<PlanName>().notNull(),
  addOns: text('add_ons').array().$type<Feature[]>().notNull(),
  createdAt: ms('created_at').$type<Account['createdAt']>().notNull(),
});

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
