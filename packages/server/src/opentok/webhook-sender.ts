/**
 * Sends what is in the queue: one delivery of a session at a time, in order, many sessions side by side. Nothing here is
 * waited for by a call. It wakes when something is queued, when something ends, and when the next retry falls due.
 */
import { createHash } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { type Core, type Delivery, type Egress, type Journal, sealedContext } from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import { makeJwt } from './jwt.ts';
import { codeOf, isGone } from './webhook-reader.ts';

interface SenderDeps {
  readonly core: Core;
  readonly egress: Egress;
  readonly journal: Journal;
  readonly clock: Clock;
}

/** How one attempt ended. */
type Outcome =
  | { readonly done: true }
  | { readonly done: false; readonly code: string; readonly status: number | null };

/** Sessions that one look at the queue may pass over because their projects have all their slots taken. */
const passedOverMax = 2000;

export class WebhookSender {
  readonly #deps: SenderDeps;
  /** What is under way, by the id of the delivery. */
  readonly #flying = new Map<string, { readonly projectId: string; readonly done: Promise<void> }>();
  #looking = false;
  #again = false;
  #stopped = true;
  #cancelTimer: Cancel = () => {};

  constructor(deps: SenderDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopped = false;
    this.wake();
  }

  /** Starts nothing more; what is under way may end within `webhookStopSeconds`, and is sent again after a restart if not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#deps.clock.after(limits.webhookStopSeconds * 1000, resolve);
    });
    await Promise.race([Promise.all([...this.#flying.values()].map(({ done }) => done)), late]);
    cancel();
    this.#flying.clear();
  }

  /** Looks at the queue now. */
  wake(): void {
    this.#again = true;
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    this.#cancelTimer();
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        // One time for both: what falls due between the two questions would be asked for by neither.
        const now = this.#deps.clock.now();
        await this.#startDue(now);
        if (!this.#stopped) await this.#sleep(now);
      }
    } catch (error) {
      if (this.#stopped) return;
      this.#deps.journal.record('error', 'webhooks wait for the queue', codeOf(error));
      this.#cancelTimer = this.#deps.clock.after(limits.webhookFirstWaitSeconds * 1000, () => this.wake());
    } finally {
      this.#looking = false;
    }
    // Something may have been queued between the last look and here.
    if (this.#again) this.wake();
  }

  /** Until the next delivery falls due. What is due already and did not start waits for the end of one under way. */
  async #sleep(now: number): Promise<void> {
    const due = await this.#deps.core.store.deliveries.nextDueAt(now);
    this.#cancelTimer();
    if (due === null || this.#stopped) return;
    const wait = due - this.#deps.clock.now();
    if (wait > 0) this.#cancelTimer = this.#deps.clock.after(wait, () => this.wake());
    else this.#again = true;
  }

  async #startDue(now: number): Promise<void> {
    const passedOver: string[] = [];
    for (;;) {
      const free = limits.webhooksInFlight - this.#flying.size;
      if (free <= 0 || passedOver.length > passedOverMax || this.#stopped) return;
      const busy = [...this.#flying.keys(), ...passedOver];
      const due = await this.#deps.core.store.deliveries.due(now, free, busy);
      if (due.length === 0 || this.#stopped) return;
      for (const delivery of due) {
        if (this.#flyingOf(delivery.projectId) >= limits.webhooksInFlightPerProject) passedOver.push(delivery.id);
        else this.#start(delivery);
      }
    }
  }

  #flyingOf(projectId: string): number {
    let count = 0;
    for (const each of this.#flying.values()) if (each.projectId === projectId) count += 1;
    return count;
  }

  #start(delivery: Delivery): void {
    const done = this.#deliver(delivery)
      .catch((error: unknown) => {
        // It stays in the queue as it was, and its session waits with it.
        if (!this.#stopped) this.#deps.journal.record('error', 'the end of a delivery was not written', codeOf(error));
      })
      .finally(() => {
        this.#flying.delete(delivery.id);
        this.wake();
      });
    this.#flying.set(delivery.id, { projectId: delivery.projectId, done });
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { deliveries } = this.#deps.core.store;
    const outcome = await this.#attempt(delivery);
    if (this.#stopped && !this.#flying.has(delivery.id)) return;
    if (outcome.done) return deliveries.done(delivery.id);
    const attempt = delivery.attempts + 1;
    const facts = {
      deliveryId: delivery.id,
      projectId: delivery.projectId,
      sessionId: delivery.orderKey,
      code: outcome.code,
      status: outcome.status,
      attempt,
    };
    if (attempt >= limits.webhookAttempts || (await isGone(this.#deps.core, delivery.projectId))) {
      this.#deps.journal.record('warn', 'a webhook was given up', facts);
      return deliveries.done(delivery.id);
    }
    const delayMs = waitSeconds(attempt) * 1000;
    this.#deps.journal.record('info', 'a webhook failed and will be tried again', { ...facts, delayMs });
    await deliveries.retry(delivery.id, attempt, this.#deps.clock.now() + delayMs);
  }

  async #attempt(delivery: Delivery): Promise<Outcome> {
    const { core, egress } = this.#deps;
    const { id, projectId } = delivery;
    try {
      const body = core.keys.open(projectId, sealedContext.deliveryBody(id), delivery.body);
      const { status } = await egress.request({
        url: core.keys.open(projectId, sealedContext.deliveryUrl(id), delivery.url),
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${await this.#signature(delivery, body)}`,
        },
        body,
        timeoutMs: limits.webhookTimeoutSeconds * 1000,
        answerBytes: limits.webhookAnswerBytes,
      });
      return status >= 200 && status < 300 ? { done: true } : { done: false, code: 'DestinationFailed', status };
    } catch (error) {
      return { done: false, code: error instanceof PlatformError ? error.code : 'Internal', status: null };
    }
  }

  /** Compat 4.7: a JWT with the hash of the body, signed by a secret that signs nothing else. */
  async #signature({ id, projectId }: Delivery, body: string): Promise<string> {
    const claims = {
      iss: 'Vonage',
      iat: Math.floor(this.#deps.clock.now() / 1000),
      jti: id,
      payload_hash: createHash('sha256').update(body).digest('hex'),
      api_key: projectId,
    };
    return makeJwt(claims, await this.#deps.core.projects.signatureSecretOf(projectId));
  }
}

/** Doubling from the first wait up to the longest. */
function waitSeconds(attempt: number): number {
  return Math.min(limits.webhookFirstWaitSeconds * 2 ** (attempt - 1), limits.webhookWaitSecondsMax);
}
