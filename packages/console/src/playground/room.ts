/** What the pages of one visit work with. */
import type { Api } from './api.ts';
import type { Call } from './call.ts';
import type { OwnMedia } from './own-media.ts';

export interface Room {
  readonly api: Api;
  readonly media: OwnMedia;
  readonly call: Call;
  /** Phones cannot share their screen from a page. */
  readonly canShareScreen: boolean;
}
