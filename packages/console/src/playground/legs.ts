/**
 * The security record in words. A leg is one stream on its way between one browser and the server, or in a relayed session
 * between two browsers; both ends say which suite they negotiated, and the page shows both and whether they agree.
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
  /** The way, such as `Ana → server`, `server → you` or `Ana → you`. */
  readonly way: string;
  /** Whose browser it is, or whose gets the stream. */
  readonly browser: 'Your browser' | 'Their browser';
  /** As this page sees it, where it takes part. */
  readonly direction: Leg['direction'];
  readonly suiteSeenByServer: string | null;
  readonly suiteReportedByClient: string | null;
  /** In a relayed session, the browser that sends the stream; null where the server is the other end. */
  readonly sender: { readonly browser: 'Your browser' | 'Their browser'; readonly suite: string | null } | null;
  /** Frame encryption inside, by its suite; null where there is none. */
  readonly frameLayer: string | null;
  /** What both people can compare, where this page is one end of a leg between browsers; null elsewhere. */
  readonly securityCode: string | null;
  readonly verdict: Verdict;
  /** Bits of the key that counts: that of the frames, else the server's, or between browsers the shorter of what they say; 0 is unknown. */
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
  const keyOf = (leg: SecurityLeg | Leg) => `${leg.connectionId} ${leg.direction} ${leg.streamId}`;
  const told = new Map(ownLegs.map((leg) => [keyOf(leg), leg]));
  const rows = record.legs.map((leg) => {
    const heard = leg.closedAt === null ? told.get(keyOf(leg)) : undefined;
    const own = directory.ownConnectionId;
    const ofClient = leg.connectionId === own ? heard?.suiteReportedByClient : undefined;
    const ofPeer = leg.peerConnectionId === own ? heard?.suiteReportedByPeer : undefined;
    const suiteReportedByClient = ofClient ?? leg.suiteReportedByClient;
    const suiteReportedByPeer = ofPeer ?? leg.suiteReportedByPeer;
    // Whether its own frames are sealed is known to this browser, not to the server.
    const frameLayer = heard ? heard.frameLayer : leg.frameLayer;
    const said = { ...leg, suiteReportedByClient, suiteReportedByPeer, frameLayer };
    const row = leg.observedBy === 'clients' ? rowBetween(said, directory) : rowOf(said, directory);
    return { ...row, securityCode: heard?.securityCode ?? null };
  });
  return rows.sort((a, b) => Number(b.own) - Number(a.own) || compare(a.stream, b.stream) || compare(b.way, a.way));
}

function rowOf(leg: Leg, directory: Directory): LegRow {
  const own = leg.connectionId === directory.ownConnectionId;
  const who = nameOf(leg.connectionId, directory);
  return {
    ...common(leg, directory),
    way: leg.direction === 'send' ? `${capital(who)} → server` : `Server → ${who}`,
    direction: leg.direction,
    sender: null,
    verdict: verdictOf(leg, leg.suiteSeenByServer, leg.suiteReportedByClient),
    bits: leg.frameLayer ? 256 : keyBits(leg.suiteSeenByServer ?? 'unknown'),
    own,
  };
}

/** From one browser to another: nobody else has seen what the two agreed on. */
function rowBetween(leg: Leg, directory: Directory): LegRow {
  const { ownConnectionId: own } = directory;
  const sends = leg.peerConnectionId === own;
  const words = [leg.suiteReportedByClient, leg.suiteReportedByPeer];
  const bits = words.flatMap((suite) => (suite === null ? [] : [keyBits(suite)]));
  const [from, to] = [leg.peerConnectionId ?? '', leg.connectionId].map((id) => nameOf(id, directory));
  return {
    ...common(leg, directory),
    way: `${capital(from ?? LEFT)} → ${to}`,
    direction: sends ? 'send' : 'receive',
    sender: { browser: sends ? 'Your browser' : 'Their browser', suite: leg.suiteReportedByPeer },
    // Where they agree on the suite they may still have been told different things of each other's frames.
    verdict:
      leg.state === 'allowed' && leg.agree === false
        ? 'differ'
        : verdictOf(leg, leg.suiteReportedByPeer, leg.suiteReportedByClient),
    bits: leg.frameLayer ? 256 : bits.length > 0 ? (Math.min(...bits) as LegRow['bits']) : 0,
    own: sends || leg.connectionId === own,
  };
}

function common(leg: Leg, directory: Directory) {
  return {
    key: `${leg.connectionId} ${leg.streamId} ${leg.direction} ${leg.connectedAt}`,
    stream: streamName(leg, directory),
    browser: leg.connectionId === directory.ownConnectionId ? ('Your browser' as const) : ('Their browser' as const),
    suiteSeenByServer: leg.suiteSeenByServer,
    suiteReportedByClient: leg.suiteReportedByClient,
    frameLayer: leg.frameLayer,
    securityCode: null,
    open: leg.closedAt === null,
  };
}

function nameOf(connectionId: string, { ownConnectionId, people }: Directory): string {
  return connectionId === ownConnectionId ? 'you' : (people.get(connectionId) ?? LEFT);
}

function verdictOf(leg: Leg, one: string | null, other: string | null): Verdict {
  if (leg.state === 'refused') return 'refused';
  if (one === null || other === null) return 'waiting';
  return one === other && other !== 'unknown' ? 'agree' : 'differ';
}

function streamName(leg: Leg, { streams, people, ownConnectionId }: Directory): string {
  const stream = streams.get(leg.streamId);
  const sender = leg.peerConnectionId ?? (leg.direction === 'send' ? leg.connectionId : undefined);
  const owner = stream?.connectionId ?? sender;
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

/** @param strangers how many people have another secret than this page */
export function summaryOf(rows: readonly LegRow[], strangers = 0): Summary {
  if (strangers > 0) {
    const who = strangers === 1 ? 'One person here has' : `${strangers} people here have`;
    return { standing: 'differ', short: 'Secrets differ', text: `${who} another secret than you.` };
  }
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
