/** Entries as log records of OpenTelemetry (OTLP 1.x over HTTP, JSON encoding): `POST …/v1/logs`. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Send, Sent } from './outlet.ts';
import { actionOf, type Gravity, gravityOf, lineOf, timeOf } from './outlet-text.ts';

/** One request. @throws PlatformError where no answer came */
export type Post = (call: {
  readonly url: string;
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly answerBytes: number;
}) => Promise<{ readonly status: number; readonly body: Buffer }>;

/** OpenTelemetry, logs data model: SeverityNumber. */
const severities: Readonly<Record<Gravity, number>> = { alert: 21, warning: 13, notice: 9 };
const nanosInMs = 1_000_000n;

type Value = { readonly stringValue: string } | { readonly intValue: string };
const attribute = (key: string, value: Value) => ({ key, value });
const text = (stringValue: string): Value => ({ stringValue });

function recordOf(sent: Sent) {
  const { log, index, content } = sent;
  const at = timeOf(sent);
  const gravity = gravityOf(sent);
  return {
    ...(at === null ? {} : { timeUnixNano: String(BigInt(at) * nanosInMs) }),
    severityNumber: severities[gravity],
    severityText: gravity.toUpperCase(),
    eventName: actionOf(sent),
    body: text(lineOf(sent)),
    attributes: [
      attribute('cloister.audit.log', text(log)),
      ...(index === null ? [] : [attribute('cloister.audit.index', { intValue: String(index) })]),
      ...(content ? [attribute('cloister.audit.outcome', text(content.outcome))] : []),
    ],
  };
}

/** The body of an export request for logs. */
export function otlpBody(some: readonly Sent[], host: string): string {
  const attributes = [attribute('service.name', text('cloister')), attribute('host.name', text(host))];
  const scopeLogs = [{ scope: { name: 'cloister.audit' }, logRecords: some.map(recordOf) }];
  return JSON.stringify({ resourceLogs: [{ resource: { attributes }, scopeLogs }] });
}

/** An address without a path stands for the one that OTLP has for logs. */
export function otlpAddress(address: string): string {
  const url = new URL(address);
  if (url.pathname === '/') url.pathname = '/v1/logs';
  return url.href;
}

export function otlpSender(post: Post, { url, host }: { url: string; host: string }): Send {
  const to = otlpAddress(url);
  return async (some) => {
    const answer = await post({
      url: to,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: otlpBody(some, host),
      timeoutMs: limits.auditOutletAnswerSeconds * 1000,
      answerBytes: limits.auditOtlpAnswerBytes,
    });
    if (answer.status !== 200) throw failed(`it answered ${answer.status}`);
    const rejected = rejectedIn(answer.body);
    if (rejected > 0) throw failed(`it rejected ${rejected} of ${some.length} records`);
  };
}

/** How many records a partial success has rejected. */
function rejectedIn(body: Buffer): number {
  try {
    const said = JSON.parse(body.toString()) as { partialSuccess?: { rejectedLogRecords?: number | string } } | null;
    return Number(said?.partialSuccess?.rejectedLogRecords ?? 0);
  } catch {
    return 0;
  }
}

function failed(why: string): PlatformError {
  return new PlatformError('DestinationFailed', { destination: 'auditOtlp', why });
}
