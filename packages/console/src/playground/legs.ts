/**
 * The security record in words. A leg is one stream on its way between one browser and the server, and both ends say
 * which suite they negotiated; the page shows both and whether they agree.
 */
import type { SecurityLeg } from '@cloister/client';
import type { Leg, SecurityRecord } from '@cloister/protocol';
import { keyBits } from '@cloister/protocol/suites';

/** Whom connections and streams belong to, also those that are gone. */
export interface Directory {
  readonly ownConnectionId: string | null;
  /** Connection id → name. */
  readonly people: ReadonlyMap<string, string>;
  /** Stream id → whose it is and what it shows. */
  readonly streams: ReadonlyMap<string, { connectionId: string; kind: 'camera' | 'screen' }>;
}

export type Verdict = 'agree' | 'differ' | 'waiting' | 'refused';

/** One leg as a row of the panel. */
export interface LegRow {
  readonly key: string;
  /** The stream, such as `Ana’s camera`. */
  readonly stream: string;
  /** The way, such as `Ana → server` or `server → you`. */
  readonly way: string;
  /** Whose browser is at the far end. */
  readonly browser: 'Your browser' | 'Their browser';
  readonly direction: Leg['direction'];
  readonly suiteSeenByServer: string | null;
  readonly suiteReportedByClient: string | null;
  readonly verdict: Verdict;
  /** Bits of the key that counts: the server's; 0 is unknown. */
  readonly bits: 256 | 128 | 0;
  readonly own: boolean;
  readonly open: boolean;
}

const LEFT = 'someone who left';

/**
 * Rows of a record, this browser's own legs first, then by stream. For its own legs the page takes what this browser
 * told the page, not what the server says that it was told.
 */
export function legRows(record: SecurityRecord, ownLegs: readonly SecurityLeg[], directory: Directory): LegRow[] {
  const own = new Map(ownLegs.map((leg) => [`${leg.direction} ${leg.streamId}`, leg.suiteReportedByClient]));
  const rows = record.legs.map((leg) => {
    const isOwn = leg.connectionId === directory.ownConnectionId;
    const heard = isOwn && leg.closedAt === null ? own.get(`${leg.direction} ${leg.streamId}`) : undefined;
    return rowOf(leg, heard ?? leg.suiteReportedByClient, isOwn, directory);
  });
  return rows.sort((a, b) => Number(b.own) - Number(a.own) || compare(a.stream, b.stream) || compare(b.way, a.way));
}

function rowOf(leg: Leg, reported: string | null, own: boolean, directory: Directory): LegRow {
  const person = directory.people.get(leg.connectionId);
  const who = own ? 'you' : (person ?? LEFT);
  return {
    key: `${leg.connectionId} ${leg.streamId} ${leg.direction} ${leg.connectedAt}`,
    stream: streamName(leg, directory),
    way: leg.direction === 'send' ? `${capital(who)} → server` : `Server → ${who}`,
    browser: own ? 'Your browser' : 'Their browser',
    direction: leg.direction,
    suiteSeenByServer: leg.suiteSeenByServer,
    suiteReportedByClient: reported,
    verdict: verdictOf(leg, reported),
    bits: keyBits(leg.suiteSeenByServer ?? 'unknown'),
    own,
    open: leg.closedAt === null,
  };
}

function verdictOf(leg: Leg, reported: string | null): Verdict {
  if (leg.state === 'refused') return 'refused';
  if (reported === null) return 'waiting';
  return reported === leg.suiteSeenByServer && reported !== 'unknown' ? 'agree' : 'differ';
}

function streamName(leg: Leg, { streams, people, ownConnectionId }: Directory): string {
  const stream = streams.get(leg.streamId);
  const owner = stream?.connectionId ?? (leg.direction === 'send' ? leg.connectionId : undefined);
  const kind = stream?.kind ?? 'stream';
  if (owner === ownConnectionId && owner) return `Your ${kind}`;
  const name = owner ? people.get(owner) : undefined;
  return name ? `${name}’s ${kind}` : `The ${kind} of ${LEFT}`;
}

export type Standing = 'none' | 'waiting' | 'strong' | 'weak' | 'differ';

/** All open legs in one line. */
export interface Summary {
  readonly standing: Standing;
  /** A few words, for a button. */
  readonly short: string;
  readonly text: string;
}

export function summaryOf(rows: readonly LegRow[]): Summary {
  const open = rows.filter((row) => row.open && row.verdict !== 'refused');
  const legs = open.length === 1 ? 'leg' : 'legs';
  const count = (wanted: (row: LegRow) => boolean) => open.filter(wanted).length;
  if (open.length === 0) {
    return { standing: 'none', short: 'No media yet', text: 'Nobody sends or receives media at the moment.' };
  }
  const differ = count((row) => row.verdict === 'differ');
  if (differ > 0) {
    return {
      standing: 'differ',
      short: 'Ends disagree',
      text: `The two ends disagree on ${differ} of ${open.length} ${legs}.`,
    };
  }
  const weak = count((row) => row.bits < 256);
  if (weak > 0) {
    return { standing: 'weak', short: 'Below AES-256', text: `${weak} of ${open.length} ${legs} below AES-256.` };
  }
  const waiting = count((row) => row.verdict === 'waiting');
  if (waiting > 0) {
    return {
      standing: 'waiting',
      short: 'Checking',
      text: `The server saw AES-256 on every leg; ${waiting} of ${open.length} browsers have still to report.`,
    };
  }
  const all = open.length === 1 ? 'The one leg has' : `All ${open.length} legs have`;
  return { standing: 'strong', short: 'AES-256, both ends', text: `${all} AES-256, and both ends agree.` };
}

/** The policy in words. */
export function policyWords(policy: SecurityRecord['policy']): { name: string; text: string } {
  return policy === 'require-aes256'
    ? { name: 'AES-256 required', text: 'A leg below AES-256 is closed before a packet passes.' }
    : { name: 'AES-256 preferred', text: 'Each leg gets the strongest suite that both ends can do.' };
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en');
}
