/**
 * A block of an address list and its life: announced → effective → withdrawn. Both steps are announced, `addressNoticeDays`
 * before they happen, but for emergencies.
 */
import { limits, PlatformError } from '@cloister/protocol';

/** What is reached at the addresses of a block. */
export const addressComponents = ['media', 'api', 'turn', 'log'] as const;
export type AddressComponent = (typeof addressComponents)[number];

/** Which customers the addresses are for. Projects with `ip.ranges` are served on the enterprise line alone. */
export const addressLines = ['standard', 'enterprise'] as const;
export type AddressLine = (typeof addressLines)[number];

export const addressProtocols = ['udp', 'tcp'] as const;
export type AddressProtocol = (typeof addressProtocols)[number];

/** Both included. */
export interface AddressPorts {
  readonly first: number;
  readonly last: number;
}

/** Why a change of the list has no notice, and who decided it. */
export interface Emergency {
  readonly reason: string;
  readonly proposedBy: string;
  readonly approvedBy: string;
}

/** All times in milliseconds since 1970. */
export interface AddressBlock {
  readonly id: string;
  /** Canonical. */
  readonly prefix: string;
  readonly component: AddressComponent;
  readonly zone: string;
  readonly line: AddressLine;
  readonly ports: readonly AddressPorts[];
  /** Each at every port. */
  readonly protocols: readonly AddressProtocol[];
  readonly announcedAt: number;
  /** Number of the version that announced it. */
  readonly announcedIn: number;
  readonly effectiveAt: number;
  /** null: announced with its notice. */
  readonly emergency: Emergency | null;
  /** When its withdrawal was announced; null while none is. */
  readonly withdrawalAnnouncedAt: number | null;
  readonly withdrawalIn: number | null;
  readonly withdrawnAt: number | null;
  readonly withdrawalEmergency: Emergency | null;
}

/** A list as it was from one change to the next. */
export interface AddressVersion {
  /** From 1, without a gap. */
  readonly number: number;
  /** How everybody names it. */
  readonly token: string;
  readonly createdAt: number;
  /** What was changed, in constant words, and of which block. */
  readonly change: 'announced' | 'withdrawn';
  readonly blockId: string;
  readonly blocks: readonly AddressBlock[];
}

const dayMs = 86_400_000;
export const noticeMs = limits.addressNoticeDays * dayMs;

/** Where a block is in its life. */
export type BlockState = 'announced' | 'effective' | 'withdrawn';

export function stateOf(block: AddressBlock, now: number): BlockState {
  if (block.withdrawnAt !== null && block.withdrawnAt <= now) return 'withdrawn';
  return block.effectiveAt <= now ? 'effective' : 'announced';
}

/** Whether a block came without the notice that has not passed by now: only who has acknowledged it gets its addresses. */
export function isEmergency({ emergency, announcedAt }: AddressBlock, now: number): boolean {
  return emergency !== null && now < announcedAt + noticeMs;
}

/** When something changes by itself: blocks that come into effect or go, or whose notice passes. */
export function momentsOf(blocks: readonly AddressBlock[]): number[] {
  return blocks.flatMap(({ effectiveAt, withdrawnAt, emergency, announcedAt }) => [
    effectiveAt,
    ...(withdrawnAt === null ? [] : [withdrawnAt]),
    ...(emergency ? [announcedAt + noticeMs] : []),
  ]);
}

/** @throws PlatformError `AddressNoticeTooShort` */
export function requireNotice(at: number, now: number): void {
  if (at >= now + noticeMs) return;
  const [named, earliest] = [at, now + noticeMs].map((each) => new Date(each).toISOString());
  throw new PlatformError('AddressNoticeTooShort', { at: named!, earliest: earliest!, days: limits.addressNoticeDays });
}

/** Ports as they are written: `443`, `40000-40100`. */
export function printPorts({ first, last }: AddressPorts): string {
  return first === last ? String(first) : `${first}-${last}`;
}
