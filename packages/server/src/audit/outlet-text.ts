/** What receivers are told of an entry, whatever the way: how bad it is, and one line of JSON. */
import type { Sent } from './outlet.ts';

/** `alert`: the log itself is in question. `warning`: something was refused or failed. */
export type Gravity = 'alert' | 'warning' | 'notice';

const alarming = ['audit.gap', 'audit.unreadable', 'audit.repaired', 'audit.resigned'];

export function actionOf({ content, broken }: Sent): string {
  if (broken !== undefined) return 'audit.broken';
  return content?.action ?? 'audit.destroyed';
}

export function gravityOf(sent: Sent): Gravity {
  if (sent.broken !== undefined || alarming.includes(sent.content?.action ?? '')) return 'alert';
  return sent.content && sent.content.outcome !== 'done' ? 'warning' : 'notice';
}

/** Milliseconds since 1970; null where that is not known. */
export function timeOf({ content }: Sent): number | null {
  return content?.at ?? null;
}

/** In ASCII, so that no receiver has to know in which encoding. @param whole without it `detail` is left out, and said to be */
export function lineOf({ log, index, content, broken }: Sent, whole = true): string {
  const { detail, ...rest } = content ?? {};
  const said = whole ? { ...rest, ...(detail && { detail }) } : { ...rest, cut: true };
  const text = JSON.stringify({
    log,
    index,
    ...said,
    ...(broken === undefined ? {} : { action: 'audit.broken', why: broken }),
  });
  return text.replace(/[\u007f-\uffff]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
