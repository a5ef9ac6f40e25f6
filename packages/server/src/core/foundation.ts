/** What every use case stands on. One object, so that nothing is reached for behind a constructor's back. */
import type { Clock, Ids } from '../lib/index.ts';
import type { Journal, Keys, Store } from './ports.ts';
import type { Recorder } from './recorder.ts';

export interface Foundation {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly keys: Keys;
  readonly journal: Journal;
  readonly recorder: Recorder;
}
