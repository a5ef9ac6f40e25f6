/**
 * An entry of the log: what it says, and what the tree holds of it. The tree is over HMAC-SHA-256 of the content under a
 * random salt of 256 bits, so that nobody can guess a content from a hash, and nothing is left when both are destroyed.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type Act, type Actor, actOf, type Event, type Recorded, type Unreadable } from '../core/index.ts';

/** What an entry says, in this order of fields. Nothing in it is personal. */
export interface AuditContent {
  /** Milliseconds since 1970, UTC. */
  readonly at: number;
  readonly actor: Actor;
  /** As the event is named; `audit.…` for what is about the log itself. */
  readonly action: string;
  readonly subject: { readonly kind: Act['subject']['kind'] | 'log'; readonly id: string };
  readonly projectId: string | null;
  readonly accountId: string | null;
  readonly outcome: Act['outcome'];
  readonly code: string | null;
  /** What was set, where a setting was changed. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly eventId: string;
  /** Of the event in the outbox; null for one of a version before there was one. */
  readonly sequence: number | null;
}

/** What is sealed, and what a proof shows: with both, anybody can compute the hash that is in the tree. */
export interface Opened {
  /** JSON of `AuditContent`, exactly as it was hashed. */
  readonly content: string;
  /** 32 bytes, base64. */
  readonly salt: string;
}

const saltBytes = 32;

/** HMAC-SHA-256 (RFC 2104) of the content, 32 bytes: the entry that the tree is over. */
export function macOf({ content, salt }: Opened): Buffer {
  return createHmac('sha256', Buffer.from(salt, 'base64')).update(content).digest();
}

/** A content under a new salt. Salts come from the system's generator, never through an injected one. */
export function salted(content: AuditContent): Opened {
  return { content: JSON.stringify(content), salt: randomBytes(saltBytes).toString('base64') };
}

/** What was set, of events that are about a project or an account and not about a call. */
function detailOf(event: Event): Readonly<Record<string, unknown>> {
  if ('sessionId' in event || event.type === 'act.failed') return {};
  const { id: _id, at: _at, actor: _actor, type: _type, projectId: _project, ...rest } = event;
  return rest;
}

/** What the log says of an event; null for one that no audit keeps. @param accountId whose account is concerned */
export function contentOf({ event, sequence }: Recorded, accountId: string | null): AuditContent | null {
  const act = actOf(event);
  if (!act) return null;
  const { at, actor, action, subject, projectId, outcome, code } = act;
  const who = { at, actor, action, subject, projectId, accountId };
  return { ...who, outcome, code, detail: detailOf(event), eventId: event.id, sequence };
}

/** What the log says of itself. */
export function ownContent(
  about: { readonly at: number; readonly origin: string; readonly eventId: string },
  action: 'audit.begun' | 'audit.gap' | 'audit.unreadable' | 'audit.destroyed',
  detail: AuditContent['detail'],
): AuditContent {
  const { at, origin, eventId } = about;
  const whole = { projectId: null, accountId: null, outcome: 'done', code: null } as const;
  const subject = { kind: 'log', id: origin } as const;
  return { at, actor: { kind: 'system' }, action, subject, ...whole, detail, eventId, sequence: null };
}

/** What the log says of an event that does not open any more. */
export function unreadableContent(
  { position, sequence, projectId, why }: Unreadable,
  about: { readonly at: number; readonly origin: string; readonly eventId: string },
): AuditContent {
  return { ...ownContent(about, 'audit.unreadable', { position, projectId, why }), sequence };
}

/** A content out of its text; null where it is none. */
export function parseContent(text: string): AuditContent | null {
  try {
    const value = JSON.parse(text) as Partial<AuditContent> | null;
    return typeof value?.action === 'string' && typeof value.eventId === 'string' ? (value as AuditContent) : null;
  } catch {
    return null;
  }
}
