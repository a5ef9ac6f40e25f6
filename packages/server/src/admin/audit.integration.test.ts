/** What our own routes let through to the audit log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fastify from 'fastify';
import { type AuditDoor, auditRoutes, operatorAudit } from './audit.ts';
import { answerErrors } from './errors.ts';

/** The routes over a log that writes down what is asked of it. */
function routes() {
  const asked: unknown[] = [];
  const door = {
    status: () => ({ state: 'ok' }),
    async search(_search: unknown, limit: number) {
      asked.push(limit);
      return [];
    },
    repair: async (actor: unknown, reason: string) => void asked.push([actor, reason]),
  } as unknown as AuditDoor;
  const app = fastify();
  answerErrors(app, { record() {} });
  auditRoutes(app, {
    audit: door,
    auth: {
      project: async () => {},
      account: async () => 'a',
      anyProject: async () => {
        throw new Error('not asked');
      },
    },
  });
  app.register(async (socket) => operatorAudit(socket, { actor: { kind: 'operator', via: 'cli' }, audit: door }), {
    prefix: '/operator',
  });
  return { app, asked };
}

test('an answer has auditSearchEntries entries at most', async () => {
  const { app, asked } = routes();
  const status = async (limit: number) =>
    (await app.inject({ url: '/audit/entries', query: `limit=${limit}` })).statusCode;
  assert.equal(await status(limits.auditSearchEntries), 200);
  assert.equal(await status(limits.auditSearchEntries + 1), 400);
  assert.deepEqual(asked, [limits.auditSearchEntries]);
});

test('a repair has the reason of an operator, up to auditReasonChars', async () => {
  const { app, asked } = routes();
  const status = async (reason?: string) =>
    (await app.inject({ method: 'POST', url: '/operator/audit/repair', payload: { reason } })).statusCode;
  const longest = 'x'.repeat(limits.auditReasonChars);
  assert.equal(await status(longest), 200);
  for (const wrong of [`${longest}x`, ' ', undefined]) assert.equal(await status(wrong), 400);
  assert.deepEqual(asked, [[{ kind: 'operator', via: 'cli' }, longest]]);
});
