/**
 * An entry of the log: what it says, and what the tree holds of it. The tree is over HMAC-SHA-256 of the content under a
 * random salt of 256 bits, so that nobody can guess a content from a hash, and nothing is left when both are destroyed.
 */
import { randomBytes } from 'node:crypto';
import { type Act, type Actor, actOf, type Event, type Recorded, type Unreadable } from '../core/index.ts';
import { hashBytes, sha256 } from './merkle.ts';

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

export const saltBytes = 32;

/** HMAC-SHA-256 of the content, 32 bytes: the entry that the tree is over. */
export function macOf({ content, salt }: Opened): Buffer {
  return hmacSha256(Buffer.from(salt, 'base64'), Buffer.from(content));
}

const blockBytes = 64;
/** Filled anew by each call, which ends before another begins. */
const outer = Buffer.alloc(blockBytes + hashBytes);

/**
 * HMAC-SHA-256 (RFC 2104). `createHmac` makes an object of each key, which for a million salts takes more than all the
 * rest of verifying them.
 * @param key at most 64 bytes
 */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Buffer {
  if (key.length > blockBytes) throw new RangeError('a salt has more than 64 bytes');
  const inner = Buffer.allocUnsafe(blockBytes + message.length);
  for (let at = 0; at < blockBytes; at += 1) {
    const byte = key[at] ?? 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  inner.set(message, blockBytes);
  outer.set(sha256(inner), blockBytes);
  return sha256(outer);
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

export type OwnAction =
  | 'audit.begun'
  | 'audit.gap'
  | 'audit.unreadable'
  | 'audit.destroyed'
  /** Its checkpoint was signed with a key that had leaked, and was signed anew at the next start. */
  | 'audit.resigned'
  /** It was not what was signed, and an operator took it as it was. */
  | 'audit.repaired';

/** What the log says of itself. */
export function ownContent(
  about: { readonly at: number; readonly origin: string; readonly eventId: string },
  action: OwnAction,
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
