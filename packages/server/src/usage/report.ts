/** Usage as it is exported: what was counted, and of what still runs the time up to now. */
import { limits, PlatformError } from '@cloister/protocol';
import type { UsageDay, UsageSearch, UsageStore } from '../core/index.ts';
import { addDay, byDay } from './count.ts';

/** A day of a project, with the account that it belongs to or belonged to. */
export type OwnedDay = UsageDay & { readonly accountId: string | null };

/**
 * By day, project and zone. A day that is over has its last figures here: who is still connected then was there all day.
 * @param now milliseconds since 1970: up to then what is open has run
 * @throws PlatformError `BadRequest` for more than `usageExportRows`
 */
export async function reportUsage(store: UsageStore, search: UsageSearch, now: number): Promise<OwnedDay[]> {
  const { days, open } = await store.search(search, limits.usageExportRows + 1);
  if (days.length + open.length > limits.usageExportRows) {
    const why = `it is more than ${limits.usageExportRows} days of projects; ask for fewer days or one project at a time`;
    throw new PlatformError('BadRequest', { why });
  }
  const { from = '', until = '9999' } = search;
  /** Under the names that `addDay` gives them, which begin with the day. */
  const all = new Map<string, OwnedDay>();
  for (const day of days) addDay(all, day);
  for (const { kind, since, projectId, accountId, zone } of open) {
    const of = kind === 'connection' ? 'participantMs' : 'archiveMs';
    const nothing = { participantMs: 0, archiveMs: 0, sealedBytes: 0 };
    for (const [day, ms] of since === null ? [] : byDay(since, now)) {
      if (day >= from && day <= until) addDay(all, { projectId, accountId, zone, day, ...nothing, [of]: ms });
    }
  }
  return [...all].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, day]) => day);
}

/** What a line of an export says, in this order of columns. */
function lineOf({ day, accountId, projectId, zone, participantMs, archiveMs, sealedBytes }: OwnedDay) {
  return {
    day,
    accountKey: accountId,
    apiKey: projectId,
    zone,
    participantMinutes: minutes(participantMs),
    archiveMinutes: minutes(archiveMs),
    sealedBytes,
    participantMs,
    archiveMs,
  };
}

const columns = [
  'day',
  'accountKey',
  'apiKey',
  'zone',
  'participantMinutes',
  'archiveMinutes',
  'sealedBytes',
  'participantMs',
  'archiveMs',
] as const;

/** To a thousandth. */
function minutes(ms: number): number {
  return Math.round(ms / 60) / 1000;
}

/** RFC 4180, with a line of names. */
export function toCsv(days: readonly OwnedDay[]): string {
  const lines = days.map((day) => {
    const line = lineOf(day);
    return columns.map((column) => quoted(line[column])).join(',');
  });
  return `${[columns.join(','), ...lines].join('\r\n')}\r\n`;
}

function quoted(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A JSON array with one object a line. */
export function toJson(days: readonly OwnedDay[]): string {
  return `[${days.map((day) => `\n${JSON.stringify(lineOf(day))}`).join(',')}\n]\n`;
}
