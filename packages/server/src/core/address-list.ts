/**
 * The address list: blocks that operators announce and withdraw with notice, its versions, and who has had which. How
 * emergencies are decided stands here too; who is behind is in `address-reminders.ts`.
 */
import { createHash } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import type { Accounts } from './account.ts';
import {
  type AddressBlock,
  type AddressVersion,
  type Emergency,
  noticeMs,
  requireNotice,
  stateOf,
} from './address-block.ts';
import type { AddressChange, AddressProposal, AddressReceipt, BlockWish } from './address-book.ts';
import { diffOf, type ListDiff } from './address-document.ts';
import { overlap, readListedPrefix, storedPrefix } from './address-prefix.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { requireEntitled } from './plan.ts';
import type { Projects } from './project.ts';

export interface AddressListParts {
  readonly accounts: Accounts;
  readonly projects: Projects;
  /** Whether addresses that are not public may be announced: in the development mode, by a setting. */
  readonly anyAddress: boolean;
}

const noReceipt = { fetched: 0, fetchedAt: null, acknowledged: 0, acknowledgedAt: null } as const;

export class AddressLists {
  readonly #deps: Foundation;
  readonly #parts: AddressListParts;
  #last: Promise<AddressVersion | null> | null = null;
  readonly #receipts = new Map<string, AddressReceipt>();
  /** The latest time that was seen: what has come into effect stays so where the clock is turned back. */
  #latest = 0;

  constructor(deps: Foundation, parts: AddressListParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** The time by which blocks are judged: it never runs backwards. */
  now(): number {
    this.#latest = Math.max(this.#latest, this.#deps.clock.now());
    return this.#latest;
  }

  /** The list as it is; null before the first change. */
  last(): Promise<AddressVersion | null> {
    if (!this.#last) {
      this.#last = this.#deps.store.addresses.last();
      this.#last.then(
        (version) => (this.#latest = Math.max(this.#latest, version?.createdAt ?? 0)),
        () => (this.#last = null),
      );
    }
    return this.#last;
  }

  /** @param token null: the last @throws PlatformError `AddressVersionUnknown` */
  async version(token: string | null): Promise<AddressVersion> {
    const last = await this.last();
    const found = token === null || token === last?.token ? last : await this.#deps.store.addresses.version(token);
    if (!found) throw new PlatformError('AddressVersionUnknown', { version: (token ?? '').slice(0, 60) });
    return found;
  }

  /** Newest first, `addressHistory` of them at most. */
  history(): Promise<Omit<AddressVersion, 'blocks'>[]> {
    return this.#deps.store.addresses.history(limits.addressHistory);
  }

  /** @throws PlatformError `AddressVersionUnknown` */
  async diff(from: string, to: string | null): Promise<ListDiff> {
    return diffOf(await this.version(from), await this.version(to));
  }

  // ---------------------------------------------------------------------------------------------------------- changes

  /**
   * Announces a block with its notice.
   * @param options `first`: at once, while no project has fetched a list yet, so that nobody relies on one
   * @throws PlatformError for what `address-prefix.ts` refuses, `AddressPrefixOverlaps`, `AddressNoticeTooShort`,
   *   `AddressClockTurnedBack`, `AddressListChanged`, `LimitReached`, `BadRequest`
   */
  async announce(actor: Actor, wish: BlockWish, { first = false } = {}): Promise<AddressVersion> {
    if (first && (await this.#deps.store.addresses.receipts()).length > 0) {
      throw new PlatformError('BadRequest', { why: 'first: a project has fetched the list already, and relies on it' });
    }
    return this.#change(actor, { kind: 'announce', ...wish }, { notice: !first, emergency: null, proposalId: null });
  }

  /** Announces the withdrawal of a block. @throws PlatformError as `announce`, and `AddressBlockUnknown` */
  async withdraw(actor: Actor, blockId: string, at: number | null): Promise<AddressVersion> {
    const how = { notice: true, emergency: null, proposalId: null };
    return this.#change(actor, { kind: 'withdraw', blockId, at }, how);
  }

  /**
   * Proposes a change without notice, which another person has to approve.
   * @param by who proposes it
   * @throws PlatformError as `announce`
   */
  async propose(actor: Actor, wish: { change: AddressChange; reason: string; by: string }): Promise<AddressProposal> {
    const { clock, ids, recorder, store } = this.#deps;
    const reason = wish.reason.trim();
    if (reason === '' || reason.length > limits.addressReasonChars) {
      const why = `reason: an emergency says why it cannot wait, in ${limits.addressReasonChars} characters at most`;
      throw new PlatformError('BadRequest', { why });
    }
    const proposedBy = personOf(wish.by);
    const proposal = { id: ids.uuid(), at: clock.now(), reason, proposedBy, change: wish.change };
    // What could not be carried out is refused now, not when it is approved.
    this.#next(await this.last(), wish.change, { notice: false, emergency: { reason, proposedBy, approvedBy: '' } });
    const event = {
      type: 'addressList.proposed',
      projectId: null,
      proposalId: proposal.id,
      reason,
      proposedBy,
    } as const;
    await recorder.change(actor, event, (stamped) => store.addresses.propose(proposal, stamped));
    return proposal;
  }

  /** Emergencies that wait for their second person. */
  async proposals(): Promise<AddressProposal[]> {
    const oldest = this.#deps.clock.now() - limits.addressProposalHours * 3_600_000;
    return (await this.#deps.store.addresses.proposals()).filter(({ at }) => at >= oldest);
  }

  /** Carries out what another person proposed. @throws PlatformError `AddressApprovalRefused`, and as `announce` */
  async approve(actor: Actor, proposalId: string, by: string): Promise<AddressVersion> {
    const approvedBy = personOf(by);
    const proposal = (await this.proposals()).find(({ id }) => id === proposalId);
    const refuse = (why: string): never => {
      throw new PlatformError('AddressApprovalRefused', { why });
    };
    if (!proposal) return refuse('nothing of this id waits for approval');
    const { proposedBy, reason } = proposal;
    if (sameName(proposedBy) === sameName(approvedBy)) return refuse(`${approvedBy} proposed it`);
    const emergency = { reason, proposedBy, approvedBy };
    return this.#change(actor, proposal.change, { notice: false, emergency, proposalId });
  }

  async #change(
    actor: Actor,
    change: AddressChange,
    how: { notice: boolean; emergency: Emergency | null; proposalId: string | null },
  ): Promise<AddressVersion> {
    const { recorder, store } = this.#deps;
    const version = this.#next(await this.last(), change, how);
    const { prefix, line } = version.blocks.find(({ id }) => id === version.blockId)!;
    const { token, blockId } = version;
    const event = {
      ...({ type: 'addressList.changed', projectId: null, version: token, change: version.change } as const),
      ...{ blockId, prefix, line, emergency: how.emergency },
    };
    await recorder.change(actor, event, async (stamped) => {
      if (await store.addresses.add(version, stamped, how.proposalId)) return;
      this.#last = null;
      throw new PlatformError('AddressListChanged');
    });
    this.#last = Promise.resolve(version);
    return version;
  }

  /** The version that a change makes of the last one. */
  #next(
    last: AddressVersion | null,
    change: AddressChange,
    how: { notice: boolean; emergency: Emergency | null },
  ): AddressVersion {
    const now = this.#deps.clock.now();
    // A version is never older than the one before it, or notices would be shorter than they say.
    if (now < Math.max(last?.createdAt ?? 0, this.#latest)) {
      const [at, latest] = [now, Math.max(last?.createdAt ?? 0, this.#latest)].map((ms) => new Date(ms).toISOString());
      throw new PlatformError('AddressClockTurnedBack', { now: at!, last: latest! });
    }
    const number = (last?.number ?? 0) + 1;
    // One that went long ago says nothing to anybody any more.
    const kept = (last?.blocks ?? []).filter(({ withdrawnAt }) => withdrawnAt === null || withdrawnAt + noticeMs > now);
    const stamp = { now, number, ...how };
    const [block, blocks] =
      change.kind === 'announce' ? this.#announced(kept, change, stamp) : withdrawn(kept, change, stamp);
    const done = change.kind === 'announce' ? 'announced' : 'withdrawn';
    const version = { number, createdAt: now, change: done, blockId: block.id, blocks } as const;
    return { ...version, token: tokenOf(version) };
  }

  #announced(kept: readonly AddressBlock[], wish: BlockWish, how: Stamp): [AddressBlock, AddressBlock[]] {
    const { now, number } = how;
    const prefix = readListedPrefix(wish.prefix, this.#parts);
    requireForm(wish);
    const soonest = how.notice ? now + noticeMs : now;
    const effectiveAt = wish.effectiveAt ?? soonest;
    if (how.notice) requireNotice(effectiveAt, now);
    else if (effectiveAt < now) throw new PlatformError('BadRequest', { why: 'effectiveAt lies in the past' });
    if (kept.length >= limits.addressBlocks) {
      throw new PlatformError('LimitReached', { limit: 'addressBlocks', value: limits.addressBlocks });
    }
    for (const other of kept) {
      // What is gone by then leaves its addresses free.
      if (other.withdrawnAt !== null && other.withdrawnAt <= effectiveAt) continue;
      const same = other.prefix === prefix.text && other.line === wish.line;
      if ((same && !sharesDoor(other, wish)) || !overlap(prefix, storedPrefix(other.prefix))) continue;
      const details = { prefix: prefix.text, other: other.prefix, blockId: other.id };
      throw new PlatformError('AddressPrefixOverlaps', details);
    }
    const { component, zone, line, ports, protocols } = wish;
    const block: AddressBlock = {
      ...{ id: this.#deps.ids.uuid(), prefix: prefix.text, component, zone, line, ports, protocols },
      ...{ announcedAt: now, announcedIn: number, effectiveAt, emergency: how.emergency },
      ...{ withdrawalAnnouncedAt: null, withdrawalIn: null, withdrawnAt: null, withdrawalEmergency: null },
    };
    return [block, [...kept, block]];
  }

  // --------------------------------------------------------------------------------------------------------- projects

  /** @throws PlatformError `NotEntitled` */
  async requireEntitled(projectId: string): Promise<void> {
    const { accounts, projects } = this.#parts;
    const { accountId } = await projects.active(projectId);
    requireEntitled(await accounts.get(accountId), 'ip.ranges');
  }

  /** What a project has had. */
  async receiptOf(projectId: string): Promise<AddressReceipt> {
    const known = this.#receipts.get(projectId);
    if (known) return known;
    const receipt = (await this.#deps.store.addresses.receipt(projectId)) ?? { projectId, ...noReceipt };
    if (!this.#receipts.has(projectId)) this.#receipts.set(projectId, receipt);
    return this.#receipts.get(projectId)!;
  }

  /** A project fetches a version; the first time of the newest it had is kept. @throws PlatformError `NotEntitled`, `AddressVersionUnknown` */
  async fetch(projectId: string, token: string | null): Promise<AddressVersion> {
    await this.requireEntitled(projectId);
    const version = await this.version(token);
    const receipt = await this.receiptOf(projectId);
    if (version.number > receipt.fetched) {
      const fetched = { ...receipt, fetched: version.number, fetchedAt: this.#deps.clock.now() };
      await this.#receive({ kind: 'project', projectId }, fetched, 'addressList.fetched', version.token);
    }
    return version;
  }

  /** A project says that its network is ready for a version. @throws PlatformError `NotEntitled`, `AddressVersionUnknown` */
  async acknowledge(projectId: string, token: string): Promise<AddressVersion> {
    await this.requireEntitled(projectId);
    const version = await this.version(token);
    const receipt = await this.receiptOf(projectId);
    if (version.number > receipt.acknowledged) {
      const acknowledged = { ...receipt, acknowledged: version.number, acknowledgedAt: this.#deps.clock.now() };
      await this.#receive({ kind: 'project', projectId }, acknowledged, 'addressList.acknowledged', version.token);
    }
    return version;
  }

  async #receive(
    actor: Actor,
    receipt: AddressReceipt,
    type: 'addressList.fetched' | 'addressList.acknowledged',
    version: string,
  ): Promise<void> {
    const { recorder, store } = this.#deps;
    const { projectId } = receipt;
    await recorder.change(actor, { type, projectId, version }, (event) => store.addresses.receive(receipt, event));
    this.#receipts.set(projectId, receipt);
  }
}

interface Stamp {
  readonly now: number;
  readonly number: number;
  readonly notice: boolean;
  readonly emergency: Emergency | null;
}

function withdrawn(
  kept: readonly AddressBlock[],
  { blockId, at }: { readonly blockId: string; readonly at: number | null },
  { now, number, notice, emergency }: Stamp,
): [AddressBlock, AddressBlock[]] {
  const block = kept.find(({ id }) => id === blockId);
  const open = block && stateOf(block, now) !== 'withdrawn' && (block.withdrawnAt === null || emergency !== null);
  if (!block || !open) throw new PlatformError('AddressBlockUnknown', { blockId: blockId.slice(0, 60) });
  const withdrawnAt = at ?? (notice ? now + noticeMs : now);
  if (notice) requireNotice(withdrawnAt, now);
  else if (withdrawnAt < now) throw new PlatformError('BadRequest', { why: 'at lies in the past' });
  const gone = {
    ...block,
    withdrawalAnnouncedAt: now,
    withdrawalIn: number,
    withdrawnAt,
    withdrawalEmergency: emergency,
  };
  return [gone, kept.map((each) => (each === block ? gone : each))];
}

/** Whether two blocks have a port with a protocol in common for the same component. */
function sharesDoor(one: Omit<BlockWish, 'effectiveAt'>, other: Omit<BlockWish, 'effectiveAt'>): boolean {
  if (one.component !== other.component) return false;
  if (!one.protocols.some((each) => other.protocols.includes(each))) return false;
  return one.ports.some((a) => other.ports.some((b) => a.first <= b.last && b.first <= a.last));
}

/** @throws PlatformError `BadRequest` */
function requireForm({ zone, ports, protocols }: BlockWish): void {
  const bad = (why: string): never => {
    throw new PlatformError('BadRequest', { why });
  };
  if (!/^[a-z0-9-]{1,32}$/.test(zone)) bad('zone: small letters, digits and hyphens, 32 of them at most');
  if (protocols.length === 0 || new Set(protocols).size !== protocols.length) bad('protocols: udp, tcp, or both');
  if (ports.length === 0 || ports.length > limits.addressPortRanges) {
    bad(`ports: from one to ${limits.addressPortRanges} ports or ranges`);
  }
  const wrong = ports.some(({ first, last }) => !(first >= 1 && first <= last && last <= 65_535));
  if (wrong) bad('ports: from 1 to 65535, the lower one first');
}

/** Who acts, as a person types it. @throws PlatformError `BadRequest` */
function personOf(text: string): string {
  const name = text.trim().normalize('NFKC');
  if (name !== '' && name.length <= limits.nameChars) return name;
  throw new PlatformError('BadRequest', { why: `by: the name of a person, ${limits.nameChars} characters at most` });
}

function sameName(name: string): string {
  return name.toLowerCase().replace(/\s+/g, ' ');
}

/** Its number, and so much of a hash over its content that nobody takes another for it. */
function tokenOf(version: Omit<AddressVersion, 'token'>): string {
  return `${version.number}-${createHash('sha256').update(JSON.stringify(version)).digest('hex').slice(0, 16)}`;
}
