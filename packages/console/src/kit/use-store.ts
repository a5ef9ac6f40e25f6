import { useSyncExternalStore } from 'react';
import type { Store } from './store.ts';

/** The current value of a store; the component is drawn again when it changes. */
export function useStore<State>(store: Store<State>): State {
  return useSyncExternalStore(store.subscribe, store.get);
}
