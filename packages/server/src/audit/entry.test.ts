import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event, Recorded } from '../core/index.ts';
import { contentOf, hmacSha256, macOf, parseContent, salted, unreadableContent } from './entry.ts';

test('the HMAC is that of RFC 4231, cases 1 and 2, and of any key up to a block', () => {
  const hi = hmacSha256(Buffer.alloc(20, 0x0b), Buffer.from('Hi There'));
  assert.equal(hi.toString('hex'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7');
  const jefe = hmacSha256(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'));
  assert.equal(jefe.toString('hex'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  const property = fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 200 }), (key, message) => {
    assert.ok(hmacSha256(key, message).equals(createHmac('sha256', key).update(message).digest()));
  });
  fc.assert(property);
  assert.throws(() => hmacSha256(Buffer.alloc(65), Buffer.alloc(0)), RangeError);
});

const stamp = { id: 'e', at: 1000, actor: { kind: 'operator', via: 'cli' } } as const;
const recorded = (event: Event): Recorded => ({ position: 9, sequence: 7, event });

test('a setting is in the log with what was set; a call is without, and its names never', () => {
  const policy = { ...stamp, type: 'project.policyChanged', projectId: '1', policy: 'require-aes256' } as const;
  assert.deepEqual(contentOf(recorded(policy), 'a'), {
    at: 1000,
    actor: stamp.actor,
    action: 'project.policyChanged',
    subject: { kind: 'project', id: '1' },
    projectId: '1',
    accountId: 'a',
    outcome: 'done',
    code: null,
    detail: { policy: 'require-aes256' },
    eventId: 'e',
    sequence: 7,
  });
  const connection = { id: 'c', createdAt: 1, data: 'Dr. Adams' };
  const session = { ...stamp, projectId: '1', sessionId: 's' } as const;
  const sent = { ...session, type: 'connection.destroyed', connection, reason: 'forceDisconnected' } as const;
  const content = contentOf(recorded(sent), 'a');
  assert.deepEqual(content?.detail, {});
  assert.doesNotMatch(JSON.stringify(content), /Adams/);
  assert.equal(contentOf(recorded({ ...session, type: 'signal.sent', toConnectionId: null }), 'a'), null);
});

test('an event that does not open is in the log with its place and why', () => {
  const lost = { position: 9, sequence: 7, event: null, projectId: '1', why: 'SealBroken' } as const;
  const content = unreadableContent(lost, { at: 5, origin: 'log', eventId: 'x' });
  assert.deepEqual([content.action, content.sequence], ['audit.unreadable', 7]);
  assert.deepEqual(content.detail, { position: 9, projectId: '1', why: 'SealBroken' });
});

test('the same content has another salt each time, of 256 bits, and so another hash', () => {
  const content = contentOf(recorded({ ...stamp, type: 'project.created', projectId: '1' }), null)!;
  const [one, other] = [salted(content), salted(content)];
  assert.equal(one.content, other.content);
  assert.equal(Buffer.from(one.salt, 'base64').length, 32);
  assert.ok(!macOf(one).equals(macOf(other)));
  assert.deepEqual(parseContent(one.content), content);
  for (const wrong of ['', '{', 'null', '7', '{"action":1}', '{"action":"a"}']) assert.equal(parseContent(wrong), null);
});
