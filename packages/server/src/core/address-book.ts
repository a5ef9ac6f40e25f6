/** What is stored of address lists, and the port that stores it. */
import type {
  AddressBlock,
  AddressComponent,
  AddressLine,
  AddressPorts,
  AddressProtocol,
  AddressVersion,
} from './address-block.ts';
import type { Event } from './event.ts';

/** A block that an operator wants announced. */
export interface BlockWish {
  readonly prefix: string;
  readonly component: AddressComponent;
  readonly zone: string;
  readonly line: AddressLine;
  readonly ports: readonly AddressPorts[];
  readonly protocols: readonly AddressProtocol[];
  /** Milliseconds since 1970; null: as early as may be. */
  readonly effectiveAt: number | null;
}

/** A change of the list. */
export type AddressChange =
  | ({ readonly kind: 'announce' } & BlockWish)
  | {
      readonly kind: 'withdraw';
      readonly blockId: string;
      /** Milliseconds since 1970; null: as early as may be. */
      readonly at: number | null;
    };

/** An emergency that one person proposed and another has to approve. */
export interface AddressProposal {
  readonly id: string;
  readonly at: number;
  readonly reason: string;
  readonly proposedBy: string;
  readonly change: AddressChange;
}

/** What a project has had: the numbers of its last versions; 0: none. */
export interface AddressReceipt {
  readonly projectId: string;
  readonly fetched: number;
  readonly fetchedAt: number | null;
  readonly acknowledged: number;
  readonly acknowledgedAt: number | null;
}

/** A reminder that went out. */
export interface AddressReminder {
  readonly projectId: string;
  /** When the change takes effect that it is about. */
  readonly takesEffectAt: number;
  /** So many days before. */
  readonly days: number;
}

export interface AddressBook {
  /** The last one; null before the first. */
  last(): Promise<AddressVersion | null>;
  /** Newest first. */
  history(limit: number): Promise<Omit<AddressVersion, 'blocks'>[]>;
  version(token: string): Promise<AddressVersion | null>;
  /**
   * @param proposalId of the emergency that it carries out; it is settled with it
   * @returns whether it was added: not where another of this number is there, or the proposal is settled already
   */
  add(version: AddressVersion, event: Event, proposalId: string | null): Promise<boolean>;
  propose(proposal: AddressProposal, event: Event): Promise<void>;
  /** Those that are not settled, oldest first. */
  proposals(): Promise<AddressProposal[]>;
  receipt(projectId: string): Promise<AddressReceipt | null>;
  receipts(): Promise<AddressReceipt[]>;
  /** Writes the receipt of a project. */
  receive(receipt: AddressReceipt, event: Event): Promise<void>;
  reminders(): Promise<AddressReminder[]>;
  remind(reminder: AddressReminder, event: Event): Promise<void>;
}

export type { AddressBlock };
