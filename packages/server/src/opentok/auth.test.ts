import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { FastifyRequest } from 'fastify';
import type { Core } from '../core/index.ts';
import { createRestAuth } from './auth.ts';
import { makeJwt } from './jwt.ts';

const secret = 'a secret of everybody';
const now = 1_800_000_000;

/** The check over projects that all have one secret, at an address that may have failed too often. */
function desk() {
  const state = { exhausted: false };
  const projects = { secretsOf: async () => [{ id: '1', secret }], active: async () => {} };
  const auth = createRestAuth({
    core: { projects, clock: { now: () => now * 1000 } } as unknown as Core,
    limiter: {
      take: (scope) => (scope === 'failure' && state.exhausted ? { ok: false, retryAfterSeconds: 1 } : { ok: true }),
    },
    clientAddress: () => '192.0.2.1',
  });
  const ask = (issuer: number) => {
    const credential = makeJwt({ iss: String(issuer), iat: now, exp: now + 60 }, secret);
    return auth.anyProject({ headers: { 'x-opentok-auth': credential } } as unknown as FastifyRequest);
  };
  return { state, ask };
}

test('AUTH10 provenIssuers issuers are remembered; one past it makes the oldest prove itself again', async () => {
  const { state, ask } = desk();
  for (let issuer = 1; issuer <= limits.provenIssuers; issuer += 1) await ask(issuer);
  state.exhausted = true;
  assert.equal(await ask(1), '1');
  await assert.rejects(ask(limits.provenIssuers + 1), { code: 'RateLimited' });
  state.exhausted = false;
  await ask(limits.provenIssuers + 1);
  state.exhausted = true;
  await assert.rejects(ask(1), { code: 'RateLimited' });
  assert.equal(await ask(2), '2');
});
