/** What the pages of one visit work with. */
import type { PlaygroundTurn } from '@cloister/protocol';
import type { Api } from './api.ts';
import type { Call } from './call.ts';
import type { OwnMedia } from './own-media.ts';

export interface Room {
  readonly api: Api;
  readonly media: OwnMedia;
  readonly call: Call;
  /** What becomes of those who reach the server by no other way. */
  readonly turn: PlaygroundTurn | null;
  /** Phones cannot share their screen from a page. */
  readonly canShareScreen: boolean;
}
