import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { AuditContent } from './entry.ts';
import { otlpAddress, otlpBody, otlpSender } from './otlp.ts';

const content = {
  at: 1_800_000_000_123,
  action: 'key.rotated',
  outcome: 'failed',
  detail: {},
} as unknown as AuditContent;
const sent = { log: 'log', index: 7, content };

test('a body is an export request for logs, with 64-bit numbers as strings', () => {
  const { resourceLogs } = JSON.parse(otlpBody([sent], 'video.example'));
  const [{ resource, scopeLogs }] = resourceLogs;
  assert.deepEqual(resource.attributes, [
    { key: 'service.name', value: { stringValue: 'cloister' } },
    { key: 'host.name', value: { stringValue: 'video.example' } },
  ]);
  const [record] = scopeLogs[0].logRecords;
  assert.equal(record.timeUnixNano, '1800000000123000000');
  assert.deepEqual([record.severityNumber, record.severityText, record.eventName], [13, 'WARNING', 'key.rotated']);
  assert.deepEqual(record.attributes[1], { key: 'cloister.audit.index', value: { intValue: '7' } });
  assert.equal(JSON.parse(record.body.stringValue).action, 'key.rotated');
});

test('an address without a path is that of the specification', () => {
  assert.equal(otlpAddress('https://otel.example:4318'), 'https://otel.example:4318/v1/logs');
  assert.equal(otlpAddress('https://otel.example/in/logs?x=1'), 'https://otel.example/in/logs?x=1');
});

test('only an answer of 200 that rejects nothing has taken it; it is bounded in time and size', async () => {
  const answer = { status: 200, body: Buffer.from('{}') };
  const asked: { timeoutMs: number; answerBytes: number }[] = [];
  const post = async (call: (typeof asked)[number]) => {
    asked.push(call);
    return answer;
  };
  const send = otlpSender(post, { url: 'https://otel.example', host: 'h' });
  await send([sent]);
  assert.deepEqual(
    [asked[0]!.timeoutMs, asked[0]!.answerBytes],
    [limits.auditOutletAnswerSeconds * 1000, limits.auditOtlpAnswerBytes],
  );
  for (const body of ['', 'not JSON', '{"partialSuccess":{"errorMessage":"fine"}}']) {
    answer.body = Buffer.from(body);
    await send([sent]);
  }
  answer.body = Buffer.from('{"partialSuccess":{"rejectedLogRecords":"1"}}');
  await assert.rejects(send([sent]), { code: 'DestinationFailed', message: /rejected 1 of 1/ });
  answer.body = Buffer.from('{}');
  for (const status of [202, 302, 400, 401, 429, 503]) {
    answer.status = status;
    await assert.rejects(send([sent]), { code: 'DestinationFailed', message: new RegExp(`answered ${status}`) });
  }
});
