/** Callbacks: the addresses to which a project wants its webhooks. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Callback } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { Egress } from './ports.ts';
import { sealedContext } from './sealed-context.ts';

/** Groups and the events that each has. */
const events: Readonly<Record<Callback['group'], readonly Callback['event'][]>> = {
  archive: ['status'],
  connection: ['created', 'destroyed'],
  stream: ['created', 'destroyed'],
  ipRanges: ['changed', 'reminder'],
};

export class Callbacks {
  readonly #deps: Foundation;
  readonly #egress: Egress;
  readonly #known = new Map<string, Promise<Callback[]>>();

  constructor(deps: Foundation, egress: Egress) {
    this.#deps = deps;
    this.#egress = egress;
  }

  /** @throws PlatformError `BadRequest`, `LimitReached`, `DestinationRefused` */
  async register(
    actor: Actor,
    projectId: string,
    wish: { group: string; event: string; url: string },
  ): Promise<Callback> {
    const { ids, clock, keys, store, recorder } = this.#deps;
    const group = (Object.keys(events) as Callback['group'][]).find((each) => each === wish.group);
    const event = group && events[group].find((each) => each === wish.event);
    if (!group || !event) {
      const known = Object.entries(events).flatMap(([name, list]) => list.map((each) => `${name}/${each}`));
      throw new PlatformError('BadRequest', { why: `group and event must be one of ${known.join(', ')}` });
    }
    if (wish.url.length > limits.urlChars)
      throw new PlatformError('BadRequest', { why: `url is longer than ${limits.urlChars} characters` });
    await this.#egress.check(wish.url);
    if ((await this.list(projectId)).length >= limits.callbacksPerProject) {
      throw new PlatformError('LimitReached', { limit: 'callbacksPerProject', value: limits.callbacksPerProject });
    }
    const id = ids.uuid();
    const callback: Callback = {
      id,
      projectId,
      group,
      event,
      url: keys.seal(projectId, sealedContext.callbackUrl(id), wish.url),
      createdAt: clock.now(),
    };
    await recorder.change(actor, { type: 'callback.registered', projectId, callbackId: id }, (event) =>
      store.callbacks.create(callback, event),
    );
    this.#known.delete(projectId);
    return callback;
  }

  /** Of one project, in order of registration. */
  list(projectId: string): Promise<Callback[]> {
    let known = this.#known.get(projectId);
    if (!known) {
      known = this.#deps.store.callbacks.list(projectId);
      known.catch(() => this.#known.delete(projectId));
      this.#known.set(projectId, known);
    }
    return known;
  }

  /** The address of a callback in the clear. */
  urlOf(callback: Callback): string {
    return this.#deps.keys.open(callback.projectId, sealedContext.callbackUrl(callback.id), callback.url);
  }

  /** @throws PlatformError `CallbackNotFound` */
  async remove(actor: Actor, projectId: string, id: string): Promise<void> {
    const { recorder, store } = this.#deps;
    await recorder.change(actor, { type: 'callback.removed', projectId, callbackId: id }, async (event) => {
      const removed = await store.callbacks.remove(projectId, id, event);
      this.#known.delete(projectId);
      if (!removed) throw new PlatformError('CallbackNotFound', { id });
    });
  }
}
