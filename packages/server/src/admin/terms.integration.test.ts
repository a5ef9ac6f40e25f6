/** An account reads its terms, previews a change and buys and drops add-ons, with its own credential. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Served, serve } from './admin-fixture.ts';

const operator = { kind: 'operator', via: 'cli' } as const;

describe('the terms of an account over HTTP', () => {
  let served: Served;
  let accountId: string;
  before(async () => {
    served = await serve('production');
  });
  after(() => served.close());
  beforeEach(async () => {
    const { core } = served.platform;
    accountId = (await core.accounts.create(operator, { name: 'Own', plan: 'standard' })).account.id;
  });

  async function ask(method: 'GET' | 'POST', url: string, body?: object, headers: Record<string, string> = {}) {
    const whole = { 'x-account': accountId, ...headers };
    const answer = await served.app.inject({
      method,
      url: `/cloister/v1/account/${url}`,
      headers: whole,
      ...(body && { payload: body }),
    });
    return { status: answer.statusCode, etag: answer.headers.etag, body: answer.json() };
  }

  it('say what each feature is and whether it is there, with their version', async () => {
    const { status, etag, body } = await ask('GET', 'terms');
    assert.deepEqual([status, etag, body.version, body.plan, body.planVersion], [200, '"1"', 1, 'standard', 'first']);
    assert.deepEqual(body.features.at(-1), { feature: 'ip.ranges', offer: 'not available', entitled: false });
  });

  it('change by what was previewed, and not by what somebody else has changed meanwhile', async () => {
    const seen = await ask('POST', 'terms/preview', { buy: ['zone.de'] });
    assert.deepEqual([seen.status, seen.body.won[0].feature, seen.body.version], [200, 'zone.de', 1]);
    const bought = await ask('POST', 'terms', { buy: ['zone.de'] }, { 'if-match': String(seen.etag) });
    assert.deepEqual([bought.status, bought.etag, bought.body.addOns], [200, '"2"', ['zone.de']]);
    const late = await ask('POST', 'terms', { buy: ['zone.us'] }, { 'if-match': String(seen.etag) });
    assert.deepEqual([late.status, late.body.code], [412, 'TermsChanged']);
    const any = await ask('POST', 'terms', { drop: ['zone.de'], from: '2099-01-01' });
    assert.deepEqual([any.status, any.body.code], [400, 'BadRequest']);
    const dated = await ask(
      'POST',
      'terms',
      { drop: ['zone.de'], from: '2035-01-01T00:00:00+01:00' },
      { 'if-match': '*' },
    );
    assert.deepEqual([dated.status, dated.body.effectiveAt], [200, '2034-12-31T23:00:00.000Z']);
    assert.equal((await ask('GET', 'terms')).body.changes.at(-1).by, 'account');
  });

  it('are not for an account to change otherwise', async () => {
    const wrong = [
      { plan: 'growth' },
      { addOns: [] },
      { buy: ['zone.us'], force: true },
      { buy: ['zone.fr'] },
      { from: '1' },
    ];
    for (const body of wrong) {
      const { status, body: answer } = await ask('POST', 'terms', body);
      assert.deepEqual([status, answer.code], [400, 'BadRequest'], JSON.stringify(body));
    }
    const unsold = await ask('POST', 'terms', { buy: ['ip.ranges'] });
    assert.match(unsold.body.message, /standard does not sell the add-on ip\.ranges/);
    for (const tag of ['1', 'W/"1"', '"1", "2"']) {
      const { status, body } = await ask('POST', 'terms', { buy: ['zone.us'] }, { 'if-match': tag });
      assert.deepEqual([status, body.code], [400, 'BadRequest'], tag);
    }
    assert.equal((await ask('GET', 'terms')).body.version, 1);
  });

  it('keep what a project uses, and say which', async () => {
    const { core } = served.platform;
    await ask('POST', 'terms', { buy: ['zone.eu'] });
    const { project } = await core.projects.create(operator, accountId, { zone: 'eu' });
    const { status, body } = await ask('POST', 'terms', { drop: ['zone.eu'] });
    assert.deepEqual([status, body.code], [409, 'FeatureInUse']);
    assert.match(body.message, new RegExp(`zone\\.eu: project ${project.id} is in the zone eu`));
  });
});
