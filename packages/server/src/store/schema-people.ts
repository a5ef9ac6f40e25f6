/** The tables of people as drizzle sees them. Part of `schema.ts`. */
import { bigint, boolean, integer, pgTable, text } from 'drizzle-orm/pg-core';
import type { ApiKey, LogInRecord, Person, PersonSession, Sealed, SupportGrant } from '../core/index.ts';

const ms = (name: string) => bigint(name, { mode: 'number' });
const seq = () => bigint('seq', { mode: 'number' }).generatedAlwaysAsIdentity();

export const peoplePepper = pgTable('people_pepper', {
  one: boolean().primaryKey().default(true),
  sealed: text().$type<Sealed>().notNull(),
});

export const people = pgTable('people', {
  id: text().primaryKey(),
  seq: seq(),
  accountId: text('account_id'),
  role: text().$type<NonNullable<Person['role']>>(),
  personal: text().$type<Sealed>().notNull(),
  emailHash: text('email_hash'),
  identityHash: text('identity_hash'),
  passwordAllowed: boolean('password_allowed').notNull(),
  secrets: text().$type<Sealed>().notNull(),
  invitationHash: text('invitation_hash'),
  invitedUntil: ms('invited_until'),
  createdAt: ms('created_at').notNull(),
  version: integer().notNull(),
});

export const passkeys = pgTable('passkeys', {
  id: text().primaryKey(),
  personId: text('person_id').notNull(),
  publicKey: text('public_key').notNull(),
  counter: ms('counter').notNull(),
  createdAt: ms('created_at').notNull(),
  lastUsedAt: ms('last_used_at'),
});

export const personSessions = pgTable('person_sessions', {
  hash: text().primaryKey(),
  personId: text('person_id').notNull(),
  method: text().$type<PersonSession['method']>().notNull(),
  createdAt: ms('created_at').notNull(),
  lastUsedAt: ms('last_used_at').notNull(),
  keyId: text('key_id').notNull(),
});

export const logIns = pgTable('log_ins', {
  id: text().primaryKey(),
  seq: seq(),
  accountId: text('account_id'),
  personId: text('person_id').notNull(),
  at: ms('at').notNull(),
  method: text().$type<LogInRecord['method']>().notNull(),
  outcome: text().$type<LogInRecord['outcome']>().notNull(),
  network: text().$type<LogInRecord['network']>().notNull(),
  address: text().$type<Sealed>().notNull(),
});

export const logInFailures = pgTable('log_in_failures', {
  subject: text().primaryKey(),
  count: integer().notNull(),
  lastAt: ms('last_at').notNull(),
});

export const apiKeys = pgTable('api_keys', {
  id: text().primaryKey(),
  seq: seq(),
  accountId: text('account_id').notNull(),
  personId: text('person_id'),
  label: text().$type<Sealed>().notNull(),
  scopes: text().array().$type<ApiKey['scopes'][number][]>().notNull(),
  hash: text().notNull(),
  createdAt: ms('created_at').notNull(),
  expiresAt: ms('expires_at').notNull(),
  lastUsedAt: ms('last_used_at'),
});

export const supportGrants = pgTable('support_grants', {
  id: text().primaryKey(),
  seq: seq(),
  accountId: text('account_id').notNull(),
  scopes: text().array().$type<SupportGrant['scopes'][number][]>().notNull(),
  givenBy: text('given_by').notNull(),
  createdAt: ms('created_at').notNull(),
  expiresAt: ms('expires_at').notNull(),
});
