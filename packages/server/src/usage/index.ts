/** The door of usage: a meter that follows the outbox, and its figures. */
import type { UsageSearch } from '../core/index.ts';
import { Meter, type MeterDeps } from './meter.ts';
import { reportUsage, toCsv, toJson } from './report.ts';

export interface Usage {
  start(): void;
  /** Counts what has happened so far, and stops. */
  stop(): Promise<void>;
  /** All that was used up to now. @throws PlatformError `BadRequest` for too much at once, `StoreUnavailable` */
  export(search: UsageSearch, form: 'csv' | 'json'): Promise<string>;
}

export function openUsage(deps: MeterDeps): Usage {
  const meter = new Meter(deps);
  return {
    start: () => meter.start(),
    stop: () => meter.stop(),
    async export(search, form) {
      await meter.follow();
      const days = await reportUsage(deps.store.usage, search, deps.clock.now());
      return form === 'csv' ? toCsv(days) : toJson(days);
    },
  };
}
