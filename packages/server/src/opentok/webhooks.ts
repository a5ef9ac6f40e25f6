/** Webhooks: what happens in sessions, told to the addresses that projects have registered (SPEC: HOOK1 and on). */
import type { Core, Egress, Journal } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { WebhookReader } from './webhook-reader.ts';
import { WebhookSender } from './webhook-sender.ts';

export interface WebhookDeps {
  readonly core: Core;
  readonly egress: Egress;
  readonly journal: Journal;
  readonly clock: Clock;
  /** The address of this server, without a slash at the end; null until it is known. */
  baseUrl(): string | null;
}

export interface Webhooks {
  start(): void;
  /** Ends within `webhookStopSeconds`; what was not delivered is delivered after the next start. */
  stop(): Promise<void>;
}

/** Nothing happens before `start`. */
export function createWebhooks(deps: WebhookDeps): Webhooks {
  const sender = new WebhookSender(deps);
  const reader = new WebhookReader(deps, () => sender.wake());
  return {
    start() {
      sender.start();
      reader.start();
    },
    async stop() {
      reader.stop();
      await sender.stop();
    },
  };
}
