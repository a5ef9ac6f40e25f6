/**
 * Reads the outbox and puts what is owed to the receivers into the queue. The queue and the place in the outbox move in
 * one transaction, so nothing is owed twice or forgotten, whenever the process ends.
 */
import { limits, PlatformError } from '@cloister/protocol';
import {
  type Archive,
  type Core,
  type Delivery,
  type Event,
  type Journal,
  sealedContext,
  type Unreadable,
} from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import { listNoticeOf, type Notice, noticeOf } from './webhook-body.ts';

const reader = 'webhooks';

interface ReaderDeps {
  readonly core: Core;
  readonly journal: Journal;
  readonly clock: Clock;
  baseUrl(): string | null;
}

export class WebhookReader {
  readonly #deps: ReaderDeps;
  readonly #queued: () => void;
  #running = false;
  #again = false;
  #stopped = true;
  #unwatch: () => void = () => {};
  #cancelTimer: Cancel = () => {};

  /** @param queued called when deliveries were put into the queue */
  constructor(deps: ReaderDeps, queued: () => void) {
    this.#deps = deps;
    this.#queued = queued;
  }

  start(): void {
    this.#stopped = false;
    this.#unwatch = this.#deps.core.store.outbox.watch(() => this.#wake());
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#cancelTimer();
  }

  #wake(): void {
    this.#again = true;
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        while ((await this.#readOnce()) === limits.webhookReadEvents && !this.#stopped);
        // What keeps coming is read in batches; what comes after a silence was read at once.
        if (this.#again) await this.#pause(limits.webhookGatherMs);
      }
    } catch (error) {
      if (this.#stopped) return;
      this.#deps.journal.record('error', 'webhooks wait for the outbox', codeOf(error));
      this.#cancelTimer = this.#deps.clock.after(limits.webhookFirstWaitSeconds * 1000, () => this.#wake());
    } finally {
      this.#running = false;
    }
    // An event may have come between the last look and here.
    if (this.#again && !this.#stopped) this.#wake();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#cancelTimer = this.#deps.clock.after(ms, resolve);
    });
  }

  /** One transaction, if there was anything; how many events were read. */
  async #readOnce(): Promise<number> {
    const { store } = this.#deps.core;
    const records = await store.outbox.read(reader, limits.webhookReadEvents);
    const last = records.at(-1);
    if (!last) return 0;
    const deliveries: Delivery[] = [];
    for (const record of records) {
      if (record.event !== null) deliveries.push(...(await this.#owed(record.event)));
      else await this.#passOver(record);
    }
    if (deliveries.length === 0) {
      await store.outbox.advance(reader, last.position);
    } else {
      await store.deliveries.enqueue(deliveries, reader, last.position);
      this.#queued();
    }
    return records.length;
  }

  /** What it owed is lost; waiting for it would owe everybody everything. */
  async #passOver({ position, projectId, why }: Unreadable): Promise<void> {
    // It may have been read just before its project was removed.
    if (projectId !== null && (await isGone(this.#deps.core, projectId))) return;
    const message = 'an event could not be opened: its webhooks are not sent';
    this.#deps.journal.record('error', message, { position, projectId, why });
  }

  async #owed(event: Event): Promise<Delivery[]> {
    const notice = noticeOf(event, (archive) => this.#linkOf(archive));
    if (notice) return this.#owedFor(notice);
    const owed: Delivery[] = [];
    for (const each of await this.#ofList(event)) owed.push(...(await this.#owedFor(each)));
    return owed;
  }

  /** What is told of the address list, to each project that is concerned. */
  async #ofList(event: Event): Promise<Notice[]> {
    const notice = listNoticeOf(event);
    if (!notice) return [];
    const concerned = notice.projectId === null ? await this.#deps.core.addressReminders.readers() : [notice];
    return concerned.map(({ projectId }) => {
      const body = { projectId, ...notice.body };
      return { projectId: projectId!, orderKey: `ipRanges ${projectId}`, group: 'ipRanges', event: notice.event, body };
    });
  }

  async #owedFor(notice: Notice): Promise<Delivery[]> {
    const callbacks = await this.#deps.core.callbacks.list(notice.projectId);
    const wanted = callbacks.filter((each) => each.group === notice.group && each.event === notice.event);
    if (wanted.length === 0) return [];
    const body = JSON.stringify(notice.body);
    const owed: Delivery[] = [];
    for (const callback of wanted) {
      try {
        owed.push(this.#delivery(notice, this.#deps.core.callbacks.urlOf(callback), body));
      } catch (error) {
        // With a project its data key goes, and with it everything that was owed in its name.
        if (await isGone(this.#deps.core, notice.projectId)) return [];
        if (codeOf(error).code !== 'SealBroken') throw error;
        const facts = { projectId: notice.projectId, callbackId: callback.id, why: 'SealBroken' };
        this.#deps.journal.record('error', 'the address of a webhook could not be opened: it is not sent', facts);
      }
    }
    return owed;
  }

  /** A fresh download link of an archive that is available. */
  #linkOf(archive: Archive): string | null {
    const base = this.#deps.baseUrl();
    const path = base === null ? null : this.#deps.core.archiveLinks.pathOf(archive);
    return path === null ? null : `${base}${path}`;
  }

  #delivery({ projectId, orderKey }: Notice, url: string, body: string): Delivery {
    const { core, clock } = this.#deps;
    const id = core.ids.uuid();
    const now = clock.now();
    return {
      id,
      projectId,
      orderKey,
      url: core.keys.seal(projectId, sealedContext.deliveryUrl(id), url),
      body: core.keys.seal(projectId, sealedContext.deliveryBody(id), body),
      attempts: 0,
      dueAt: now,
      createdAt: now,
    };
  }
}

/** Whether a project was removed. */
export async function isGone(core: Core, projectId: string): Promise<boolean> {
  try {
    await core.projects.get(projectId);
    return false;
  } catch (error) {
    return error instanceof PlatformError && error.code === 'IssuerNotFound';
  }
}

/** What a journal line may say of an error. */
export function codeOf(error: unknown): { code: string; error: string | null } {
  if (error instanceof PlatformError) return { code: error.code, error: null };
  return { code: 'Internal', error: error instanceof Error ? error.message : 'unknown' };
}
