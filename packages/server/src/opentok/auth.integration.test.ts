import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { makeJwt } from './jwt.ts';
import { type RestFixture, restFixture } from './rest-fixture.ts';

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with any header and payload, signed with any digest. */
function forge(header: unknown, payload: unknown, secret: string, digest = 'sha256'): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`;
}

describe('the credential of REST calls', () => {
  let rest: RestFixture;
  before(async () => {
    rest = await restFixture();
  });
  after(() => rest.close());

  let callers = 0;
  /** Each refusal comes from an address of its own, so that none runs out of failures. */
  async function refused(credential: string | null, message: RegExp): Promise<void> {
    callers += 1;
    const answer = await rest.call('GET', '/v2/project/{k}/callback', { as: credential, from: `192.0.2.${callers}` });
    assert.equal(answer.statusCode, 403, answer.body);
    assert.equal(answer.json().code, -1);
    assert.match(answer.json().message, message);
  }
  async function accepted(credential: string): Promise<void> {
    const answer = await rest.call('GET', '/v2/project/{k}/callback', { as: credential });
    assert.equal(answer.statusCode, 200, answer.body);
  }
  const claims = (more: Readonly<Record<string, unknown>> = {}) => ({
    iss: rest.projectId,
    ist: 'project',
    iat: rest.now(),
    exp: rest.now() + 300,
    ...more,
  });

  it('AUTH1 AUTH2 is HS256 in X-OPENTOK-AUTH, and everything else is 403', async () => {
    await accepted(rest.credential());
    await refused(null, /No credential/);
    const others: Record<string, string>[] = [
      { authorization: `Bearer ${rest.credential()}` },
      { 'x-tb-partner-auth': `${rest.projectId}:${rest.secret}` },
    ];
    for (const headers of others) {
      const answer = await rest.call('GET', '/v2/project/{k}/callback', {
        as: null,
        headers,
        from: '192.0.2.250',
      });
      assert.equal(answer.statusCode, 403);
    }
    for (const word of ['', 'a', 'a.b', 'a.b.c', 'a.b.c.d', 'T1==YWJj', '....', `${rest.credential()}.`, ' ']) {
      if (word.trim() !== '') await refused(word, /not a JSON Web Token|not a JSON object/);
    }
    await refused(forge({ alg: 'none', typ: 'JWT' }, claims(), rest.secret), /not HS256/);
    await refused(`${part({ alg: 'none' })}.${part(claims())}.`, /not a JSON Web Token/);
    await refused(forge({ alg: 'HS512' }, claims(), rest.secret, 'sha512'), /not HS256/);
    await refused(forge({ alg: 'hs256' }, claims(), rest.secret), /not HS256/);
    await refused(forge({ alg: 'HS256', crit: ['b64'], b64: false }, claims(), rest.secret), /critical/);
    await refused(forge({ alg: 'HS256' }, [claims()], rest.secret), /payload is not a JSON object/);
    await refused(forge('HS256', claims(), rest.secret), /header is not a JSON object/);
  });

  it('AUTH1 has at most credentialBytes', async () => {
    const bare = rest.credential({ pad: '' }).length;
    const room = Math.floor(((limits.credentialBytes - bare) * 3) / 4);
    const atBound = rest.credential({ pad: 'x'.repeat(room) });
    assert.ok(limits.credentialBytes - atBound.length < 3, `${atBound.length}`);
    await accepted(atBound);
    await refused(rest.credential({ pad: 'x'.repeat(room + 4) }), /longer than 8192 bytes/);
  });

  it('AUTH3 is checked in the order that OpenTok checks it in', async () => {
    const other = await rest.core.projects.create({ kind: 'operator', via: 'start' }, rest.accountId, {});
    const foreign = { iss: other.project.id };
    await refused(rest.credential({ iss: '99999999' }, 'wrong'), /^Issuer not found$/);
    await refused(rest.credential({ iss: 'no-number' }), /^Issuer not found$/);
    await refused(rest.credential({ iss: undefined }), /^Issuer not found$/);
    await refused(rest.credential({ iss: ['1'] }), /^Issuer not found$/);
    await refused(rest.credential({ ...foreign, exp: 1 }, 'wrong'), /signature/);
    await refused(rest.credential({ ...foreign, exp: 1, session_id: 's' }, other.secret), /expired/);
    await refused(rest.credential({ ...foreign, session_id: 's' }, other.secret), /client token/);
    await refused(rest.credential(foreign, other.secret), /^Id in the token does not match the one in the url$/);
  });

  it('AUTH4 AUTH12 takes ist from the header or the payload, and iss as a number', async () => {
    const { ist: _, ...bare } = claims();
    await accepted(forge({ ist: 'project', alg: 'HS256' }, bare, rest.secret));
    await accepted(forge({ alg: 'HS256' }, bare, rest.secret));
    await accepted(rest.credential({ iss: Number(rest.projectId) }));
    await refused(forge({ ist: 'account', alg: 'HS256' }, claims(), rest.secret), /different issuer types/);
    await refused(rest.credential({ ist: 'user' }), /neither/);
    await refused(rest.credential({ ist: 7 }), /neither/);
  });

  it('AUTH5 lives five minutes at most and may be ahead by the skew of clocks', async () => {
    const now = rest.now();
    const life = limits.restTokenLifetimeSeconds;
    const skew = limits.clockSkewSeconds;
    await accepted(rest.credential({ iat: now, exp: now + life }));
    await refused(rest.credential({ iat: now, exp: now + life + 1 }), /longer than 300 seconds/);
    await accepted(rest.credential({ iat: now - life + 1, exp: now + 1 }));
    await refused(rest.credential({ iat: now - life, exp: now }), /expired/);
    await accepted(rest.credential({ iat: now + skew, exp: now + skew + life }));
    await refused(rest.credential({ iat: now + skew + 1, exp: now + skew + life }), /future/);
    await refused(rest.credential({ nbf: now + skew + 1 }), /future/);
    for (const wrong of [{ iat: undefined }, { exp: undefined }, { iat: `${now}` }, { exp: null }, { exp: '9e99' }]) {
      await refused(rest.credential(wrong), /no iat or no exp/);
    }
  });

  it('AUTH6 keeps projects and accounts apart', async () => {
    await refused(rest.credential({ iss: rest.accountId, ist: 'account' }, rest.accountSecret), /ist "project"/);
    const answer = await rest.call('GET', '/v2/project');
    assert.equal(answer.statusCode, 403);
    assert.match(answer.json().message, /ist "account"/);
    assert.equal((await rest.call('GET', '/v2/project', { as: 'account' })).statusCode, 200);
    await refused(rest.credential({ iss: rest.accountId }, rest.accountSecret), /^Issuer not found$/);
  });

  it('AUTH7 is never a client token', async () => {
    for (const claim of [{ session_id: 's' }, { scope: 'session.connect' }, { scope: 'other' }, { sub: 'video' }]) {
      await refused(rest.credential(claim), /client token/);
    }
  });

  it('AUTH8 may be used again, and counts against the secrets that are valid now', async () => {
    const own = await rest.core.projects.create({ kind: 'operator', via: 'start' }, rest.accountId, {});
    const { id } = own.project;
    const ask = (secret: string) =>
      rest.call('GET', `/v2/project/${id}/callback`, {
        as: rest.credential({ iss: id }, secret),
        from: '198.51.100.8',
      });
    const credential = rest.credential({ iss: id }, own.secret);
    for (let use = 0; use < 3; use += 1) {
      const answer = await rest.call('GET', `/v2/project/${id}/callback`, { as: credential });
      assert.equal(answer.statusCode, 200);
    }
    const actor = { kind: 'operator', via: 'cli' } as const;
    const second = await rest.core.projects.rotateSecret(actor, id, { how: 'grace', seconds: 10 });
    assert.equal((await ask(own.secret)).statusCode, 200);
    assert.equal((await ask(second)).statusCode, 200);
    rest.clock.advance(10_000);
    assert.equal((await ask(own.secret)).statusCode, 403);
    assert.equal((await ask(second)).statusCode, 200);
    const third = await rest.core.projects.rotateSecret(actor, id, { how: 'at once' });
    assert.equal((await ask(second)).statusCode, 403);
    assert.equal((await ask(third)).statusCode, 200);
  });

  it('AUTH9 is refused after any change of a byte, in any spelling', async () => {
    const good = rest.credential();
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = 0; at < good.length; at += 1) {
      if (good[at] === '.') continue;
      const next = letters[(letters.indexOf(good[at]!) + 1) % 64]!;
      const altered = good.slice(0, at) + next + good.slice(at + 1);
      const answer = await rest.call('GET', '/v2/project/{k}/callback', { as: altered, from: `203.0.113.${at % 200}` });
      assert.equal(answer.statusCode, 403, `changed at ${at}`);
    }
    await refused(`${good}=`, /not a JSON Web Token/);
    await refused(rest.credential({}, `${rest.secret} `), /signature/);
    await refused(makeJwt(claims(), ''), /signature/);
  });

  it('AUTH10 counts failures by address, and a proven issuer behind it goes on', async () => {
    const from = '198.51.100.77';
    const unproven = await rest.core.projects.create({ kind: 'operator', via: 'start' }, rest.accountId, {});
    const wrong = () => rest.call('GET', '/v2/project/{k}/callback', { as: rest.credential({}, 'wrong'), from });
    for (let each = 0; each < limits.failuresPerAddressBurst; each += 1) assert.equal((await wrong()).statusCode, 403);
    const limited = await wrong();
    assert.equal(limited.statusCode, 429);
    assert.equal(limited.json().code, 429);
    assert.ok(Number(limited.headers['retry-after']) >= 1);
    assert.equal((await rest.call('GET', '/v2/project/{k}/callback', { from })).statusCode, 200);
    const { id } = unproven.project;
    const first = () =>
      rest.call('GET', `/v2/project/${id}/callback`, { as: rest.credential({ iss: id }, unproven.secret), from });
    assert.equal((await first()).statusCode, 429);
    rest.clock.advance(1000);
    assert.equal((await first()).statusCode, 200);
  });

  it('AUTH11 does not help a suspended project, and its account brings it back', async () => {
    const { project, secret } = await rest.core.projects.create({ kind: 'operator', via: 'start' }, rest.accountId, {});
    const status = (body: unknown) => rest.call('PUT', `/v2/project/${project.id}`, { as: 'account', body });
    const ask = () =>
      rest.call('POST', '/session/create', { as: rest.credential({ iss: project.id }, secret), body: '' });
    assert.equal((await ask()).statusCode, 200);
    assert.equal((await status({ status: 'SUSPENDED' })).statusCode, 200);
    const answer = await ask();
    assert.equal(answer.statusCode, 403);
    assert.match(answer.json().message, /suspended/);
    assert.equal((await rest.call('GET', `/v2/project/${project.id}`, { as: 'account' })).json().status, 'SUSPENDED');
    assert.equal((await status({ status: 'ACTIVE' })).statusCode, 200);
    assert.equal((await ask()).statusCode, 200);
  });
});
