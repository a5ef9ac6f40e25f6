/** What the page knows of a call, and the tiles that follow from it. */
import type { SecurityLeg } from '@cloister/client';
import type { PlaygroundSecret } from '@cloister/protocol';
import type { MediaState } from './own-media.ts';
import type { Problem } from './words.ts';

export interface Person {
  readonly connectionId: string;
  readonly name: string;
  readonly own: boolean;
}

/** One stream of somebody else, or this person's own screen. */
export interface RemoteTile {
  readonly streamId: string;
  readonly connectionId: string;
  readonly kind: 'camera' | 'screen';
  readonly element: HTMLElement | null;
  readonly aspect: number;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** The network is too poor for the picture: sound only, for now. */
  readonly fallback: boolean;
  /** Whether its publisher has the secret that this page has; otherwise it is neither seen nor heard. */
  readonly understood: boolean;
  readonly problem: Problem | null;
}

export interface ChatLine {
  readonly id: number;
  readonly name: string;
  readonly own: boolean;
  readonly text: string;
  /** Milliseconds since 1970, of this browser. */
  readonly at: number;
}

export interface CallState {
  readonly phase: 'idle' | 'joining' | 'connected' | 'reconnecting' | 'ended';
  readonly sessionId: string | null;
  /** What a secret is to this session. */
  readonly secretUse: PlaygroundSecret;
  readonly connectionId: string | null;
  /** Why joining failed, or why the call is over. */
  readonly problem: Problem | null;
  readonly may: {
    readonly publish: boolean;
    readonly mute: boolean;
    readonly disconnect: boolean;
    readonly archive: boolean;
  };
  readonly people: readonly Person[];
  readonly remote: readonly RemoteTile[];
  readonly chat: readonly ChatLine[];
  readonly publishing: 'off' | 'starting' | 'on';
  /** This person's stream id, while it is published. */
  readonly ownStreamId: string | null;
  readonly screen: 'off' | 'starting' | 'on';
  readonly screenElement: HTMLElement | null;
  readonly screenAspect: number;
  readonly speaking: ReadonlySet<string>;
  readonly ownLegs: readonly SecurityLeg[];
  readonly soundBlocked: boolean;
  /** Ids of the archives that this call is being recorded into. */
  readonly archives: readonly string[];
  /** Something that just happened, for eyes and for screen readers. */
  readonly notice: { readonly id: number; readonly text: string; readonly tone: 'info' | 'problem' } | null;
}

export const idleCall: CallState = {
  phase: 'idle',
  sessionId: null,
  secretUse: 'none',
  connectionId: null,
  problem: null,
  may: { publish: false, mute: false, disconnect: false, archive: false },
  people: [],
  remote: [],
  chat: [],
  publishing: 'off',
  ownStreamId: null,
  screen: 'off',
  screenElement: null,
  screenAspect: 16 / 9,
  speaking: new Set(),
  ownLegs: [],
  soundBlocked: false,
  archives: [],
  notice: null,
};

/** One tile of the stage. */
export interface Tile {
  readonly key: string;
  readonly kind: 'camera' | 'screen';
  readonly own: boolean;
  readonly name: string;
  readonly streamId: string | null;
  readonly connectionId: string | null;
  readonly element: HTMLElement | null;
  readonly aspect: number;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly speaking: boolean;
  readonly fallback: boolean;
  readonly understood: boolean;
  readonly problem: Problem | null;
}

/** Names of those who have another secret than this page, each once. */
export function strangersOf({ people, remote }: CallState): string[] {
  const strange = new Set(remote.flatMap((tile) => (tile.understood ? [] : [tile.connectionId])));
  return people.flatMap(({ connectionId, name }) => (strange.has(connectionId) ? [name] : []));
}

/** Everybody's tiles: others in the order in which they came, this person last. */
export function tilesOf(call: CallState, media: MediaState): Tile[] {
  const names = new Map(call.people.map((person) => [person.connectionId, person.name]));
  const ownName = names.get(call.connectionId ?? '') ?? '';
  const tiles = call.remote.map(
    (tile): Tile => ({
      ...tile,
      key: tile.streamId,
      own: false,
      name: names.get(tile.connectionId) ?? '',
      speaking: tile.hasAudio && call.speaking.has(tile.streamId),
    }),
  );
  const own = { own: true, name: ownName, connectionId: call.connectionId };
  const well = { fallback: false, understood: true, problem: null };
  if (call.screen === 'on') {
    const { screenElement: element, screenAspect: aspect } = call;
    const shown = { element, aspect, hasAudio: false, hasVideo: true, speaking: false };
    tiles.push({ ...own, ...well, ...shown, key: 'own-screen', kind: 'screen', streamId: null });
  }
  if (call.publishing !== 'off') {
    const hasAudio = media.hasMicrophone && media.microphoneOn;
    tiles.push({
      ...own,
      ...well,
      key: 'own',
      kind: 'camera',
      streamId: call.ownStreamId,
      element: media.element,
      aspect: media.aspect,
      hasAudio,
      hasVideo: media.hasCamera && media.cameraOn,
      speaking: hasAudio && call.ownStreamId !== null && call.speaking.has(call.ownStreamId),
    });
  }
  return tiles;
}
