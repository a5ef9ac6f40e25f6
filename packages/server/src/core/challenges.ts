/** What the server asked a browser and waits for an answer to: each once, for some minutes, in memory. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Clock, Ids } from '../lib/index.ts';

interface Kept<Value> {
  readonly value: Value;
  readonly until: number;
}

export class Challenges<Value> {
  readonly #deps: { readonly clock: Clock; readonly ids: Ids };
  readonly #kept = new Map<string, Kept<Value>>();

  constructor(deps: { readonly clock: Clock; readonly ids: Ids }) {
    this.#deps = deps;
  }

  /** Keeps a value → the name that it is asked for by. The oldest goes where there are too many. */
  put(value: Value): string {
    const id = this.#deps.ids.token(16);
    this.#kept.set(id, { value, until: this.#deps.clock.now() + limits.logInChallengeSeconds * 1000 });
    if (this.#kept.size > limits.logInChallenges) this.#kept.delete(this.#kept.keys().next().value as string);
    return id;
  }

  /** @throws PlatformError `LogInFailed` for one that is not there, any more or at all */
  take(id: string): Value {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (!kept || kept.until < this.#deps.clock.now()) throw new PlatformError('LogInFailed');
    return kept.value;
  }
}
