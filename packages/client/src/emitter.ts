/**
 * OpenTok's way of listening: `on`, `once` and `off` with a name, several names separated by spaces, or a map of
 * handlers, and an optional context that becomes `this`.
 */
import type { Event } from './events.ts';
import { log } from './log.ts';

/** A handler of any event; `never` lets every more exact handler in. */
type Handler = (event: never) => void;
type AnyHandler = (event: Event<string, never>) => void;

interface Listener {
  readonly handler: Handler;
  readonly context: object | undefined;
  readonly once: boolean;
}

export class Emitter<EventMap> {
  readonly #listeners = new Map<string, Listener[]>();

  /** Adds a handler: by name (or names, separated by spaces), or a map of names to handlers. */
  on<Name extends keyof EventMap>(name: Name, handler: (event: EventMap[Name]) => void, context?: object): void;
  on(name: string, handler: AnyHandler, context?: object): void;
  on(handlers: object, context?: object): void;
  on(names: PropertyKey | object, handler?: Handler | object, context?: object): void {
    this.#add(names, handler, context, false);
  }

  /** As `on`, for the first event only. */
  once<Name extends keyof EventMap>(name: Name, handler: (event: EventMap[Name]) => void, context?: object): void;
  once(name: string, handler: AnyHandler, context?: object): void;
  once(handlers: object, context?: object): void;
  once(names: PropertyKey | object, handler?: Handler | object, context?: object): void {
    this.#add(names, handler, context, true);
  }

  /** Removes one handler, all of a name, or all. */
  off<Name extends keyof EventMap>(name?: Name, handler?: (event: EventMap[Name]) => void, context?: object): void;
  off(name?: string, handler?: AnyHandler, context?: object): void;
  off(handlers: object, context?: object): void;
  off(names?: PropertyKey | object, handler?: Handler | object, context?: object): void {
    if (names === undefined) {
      this.#listeners.clear();
      return;
    }
    if (typeof names === 'object') {
      for (const [name, each] of Object.entries(names)) this.#remove(name, each, handler as object | undefined);
      return;
    }
    for (const name of split(names)) this.#remove(name, handler as Handler | undefined, context);
  }

  /** Whether anybody listens to `name`: costly measurements run only then. */
  listens(name: keyof EventMap & string): boolean {
    return this.#listeners.has(name);
  }

  /**
   * Calls the handlers of `name` in the order they were added, then `byDefault` unless one of them prevented it.
   * A handler that throws is reported and does not keep the others from running.
   * @internal
   */
  dispatch(event: Event<string, unknown>, byDefault?: () => void, name: string = event.type): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      if (listener.once) this.#drop(name, listener);
      try {
        (listener.handler as (event: unknown) => void).call(listener.context ?? this, event);
      } catch (error) {
        log.error(`A handler of ${event.type} threw`, error);
      }
    }
    if (byDefault && !event.isDefaultPrevented()) byDefault();
  }

  #add(names: PropertyKey | object, handler: Handler | object | undefined, context: object | undefined, once: boolean) {
    if (typeof names === 'object') {
      for (const [name, each] of Object.entries(names)) this.#add(name, each, handler as object | undefined, once);
      return;
    }
    if (typeof handler !== 'function') throw new TypeError(`The handler of ${String(names)} is not a function`);
    for (const name of split(names)) {
      const listeners = this.#listeners.get(name) ?? [];
      this.#listeners.set(name, [...listeners, { handler: handler as Handler, context, once }]);
    }
  }

  #remove(name: string, handler: Handler | undefined, context: object | undefined): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      const same = handler === undefined || listener.handler === handler;
      if (same && (context === undefined || listener.context === context)) this.#drop(name, listener);
    }
  }

  #drop(name: string, listener: Listener): void {
    const left = (this.#listeners.get(name) ?? []).filter((other) => other !== listener);
    if (left.length > 0) this.#listeners.set(name, left);
    else this.#listeners.delete(name);
  }
}

function split(names: PropertyKey): string[] {
  return String(names)
    .split(/\s+/)
    .filter((name) => name !== '');
}
