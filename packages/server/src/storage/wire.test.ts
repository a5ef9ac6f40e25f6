import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '@cloister/protocol';
import { requirePrivate, sendOver, type Wire } from './wire.ts';

it('a request has uploadRequestSeconds, and of its answer uploadAnswerBytes are read', async () => {
  const calls: Parameters<Wire['request']>[0][] = [];
  const wire: Wire = {
    request: async (call) => {
      calls.push(call);
      return { status: 200, headers: {}, body: Buffer.alloc(0) };
    },
  };
  const { signal } = new AbortController();
  await sendOver(wire, { url: 'https://x.example', method: 'PUT', headers: {}, body: Buffer.from('x') }, signal);
  assert.deepEqual(
    [calls[0]?.timeoutMs, calls[0]?.answerBytes],
    [limits.uploadRequestSeconds * 1000, limits.uploadAnswerBytes],
  );
  for (const wrong of [{ method: 'PATCH' }, { method: 'PUT', body: { a: 1 } }]) {
    const send = async () => sendOver(wire, { url: 'https://x.example', headers: {}, ...wrong }, signal);
    await assert.rejects(send, { kind: 'refused' });
  }
  assert.equal(calls.length, 1);
});

it('nothing goes out without TLS but to this machine', () => {
  for (const url of ['https://x.example', 'http://127.0.0.1:9000', 'http://[::1]:9000', 'http://localhost']) {
    requirePrivate(url);
  }
  for (const url of ['http://x.example', 'http://10.0.0.1:9000', 'http://localhost.x.example']) {
    assert.throws(() => requirePrivate(url), { kind: 'forbidden' });
  }
});
