/** The address list as projects and operators get it by HTTP. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fastify, { type FastifyInstance } from 'fastify';
import type { BlockWish } from '../core/index.ts';
import { type Served, serve } from './admin-fixture.ts';
import { answerErrors } from './errors.ts';
import { operatorIpRanges } from './ip-ranges.ts';

let served: Served;
let operator: FastifyInstance;
const folder = mkdtempSync(path.join(tmpdir(), 'cloister-ip-ranges-'));
const actor = { kind: 'operator', via: 'cli' } as const;
const block: BlockWish = {
  ...{ prefix: '185.1.2.0/24', component: 'media', zone: 'eu', line: 'enterprise', protocols: ['udp', 'tcp'] },
  ...{
    ports: [
      { first: 443, last: 443 },
      { first: 40_000, last: 40_100 },
    ],
    effectiveAt: null,
  },
};
const lists = () => served.platform.core.addressLists;

before(async () => {
  served = await serve('development');
  operator = fastify();
  answerErrors(operator, { record() {} });
  operatorIpRanges(operator, served.platform.core);
  await lists().announce(actor, block, { first: true });
  await lists().announce(actor, { ...block, prefix: '2a00:1450:4001::/48', component: 'turn' });
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await operator.close();
  await served.close();
});

const get = (url: string, headers: Record<string, string> = {}) =>
  served.app.inject({ method: 'GET', url: `/cloister/v1${url}`, headers: { host: '127.0.0.1:8080', ...headers } });

async function operate(method: 'GET' | 'POST', url: string, payload?: object) {
  const answer = await operator.inject({ method, url, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.json() };
}

test('the JSON names version, creation, prefixes with component, zone, ports, protocols and times', async () => {
  const answer = await get('/ip-ranges');
  assert.equal(answer.statusCode, 200);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  const list = answer.json();
  const last = (await lists().last())!;
  assert.deepEqual([list.type, list.version], ['cloister-ip-ranges', last.token]);
  assert.equal(Date.parse(list.createdAt), last.createdAt);
  const [first, second] = list.prefixes;
  assert.deepEqual(
    [first.prefix, first.component, first.zone, first.ports, first.protocols, first.withdrawnAt, first.emergency],
    ['185.1.2.0/24', 'media', 'eu', ['443', '40000-40100'], ['udp', 'tcp'], null, null],
  );
  assert.equal(Date.parse(second.effectiveAt) - Date.parse(second.announcedAt), 90 * 86_400_000);
});

test('openssl verifies the signature over the exact bytes with the published key, and no other bytes', async () => {
  const [list, signature, keys] = await Promise.all(['/ip-ranges', '/ip-ranges.sig', '/keys'].map((url) => get(url)));
  const file = (name: string, bytes: Buffer | string) => {
    writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  };
  const key = file('keys.pem', keys!.body);
  const sig = file('list.sig', Buffer.from(signature!.body, 'base64'));
  const verify = (bytes: Buffer) => {
    const list = file('list.json', bytes);
    const words = ['pkeyutl', '-verify', '-pubin', '-inkey', key, '-rawin', '-in', list, '-sigfile', sig];
    return execFileSync('openssl', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  assert.match(verify(list!.rawPayload), /Verified Successfully/);
  const changed = Buffer.from(list!.rawPayload);
  changed.write('9', list!.body.indexOf('185.'));
  assert.throws(
    () => verify(changed),
    ({ stdout }: { stdout: string }) => /Verification Failure/.test(stdout),
  );
  assert.match(keys!.body, new RegExp(`# address-list ${signature!.headers['cloister-key-id']} current\n-----BEGIN`));
  assert.match(keys!.body, / next\n-----BEGIN PUBLIC KEY-----/);
});

test('an older version is the same bytes for ever', async () => {
  const { token } = (await lists().last())!;
  const was = await get('/ip-ranges');
  await lists().announce(actor, { ...block, prefix: '185.1.3.0/24' });
  const old = await get(`/ip-ranges?version=${token}`);
  assert.equal(old.body, was.body);
  assert.notEqual((await get('/ip-ranges')).body, was.body);
  const unknown = await get('/ip-ranges?version=1-ffff');
  assert.deepEqual([unknown.statusCode, unknown.json().code], [404, 'AddressVersionUnknown']);
});

test('who has it already is told so in a word', async () => {
  for (const url of ['/ip-ranges', '/ip-ranges.sig', '/ip-ranges.txt', '/ip-ranges.nft']) {
    const tag = String((await get(url)).headers.etag);
    const again = await get(url, { 'if-none-match': `"other", ${tag}` });
    assert.deepEqual([again.statusCode, again.body, again.headers.etag], [304, '', tag], url);
    assert.equal((await get(url, { 'if-none-match': '"other"' })).statusCode, 200);
  }
});

test('the plain text has one prefix a line, of all that is not withdrawn', async () => {
  const answer = await get('/ip-ranges.txt');
  assert.match(String(answer.headers['content-type']), /^text\/plain/);
  assert.equal(answer.body, '185.1.2.0/24\n2a00:1450:4001::/48\n185.1.3.0/24\n');
});

test('an emergency is in the firewall forms of those alone who acknowledged it', async () => {
  const change = { kind: 'announce', ...block, prefix: '185.9.9.0/24' } as const;
  const { id } = await lists().propose(actor, { change, reason: 'a provider fails', by: 'Ada' });
  const version = await lists().approve(actor, id, 'Grace');
  for (const url of ['/ip-ranges.txt', '/ip-ranges.nft']) assert.doesNotMatch((await get(url)).body, /185\.9\.9\.0/);
  const body = { version: version.token };
  const { status, body: said } = await served.call('POST', '/cloister/v1/ip-ranges/acknowledge', { body });
  assert.deepEqual([status, said], [200, { acknowledged: version.token }]);
  for (const url of ['/ip-ranges.txt', '/ip-ranges.nft']) assert.match((await get(url)).body, /185\.9\.9\.0/);
});

test('history and differences are there for projects', async () => {
  const { versions } = (await get('/ip-ranges/history')).json();
  assert.equal(versions.length, 4);
  const from = versions.at(-1).version;
  const diff = (await get(`/ip-ranges/diff?from=${from}`)).json();
  assert.deepEqual(
    diff.added.map(({ prefix }: { prefix: string }) => prefix),
    ['2a00:1450:4001::/48', '185.1.3.0/24', '185.9.9.0/24'],
  );
  assert.equal((await get('/ip-ranges/diff')).statusCode, 400);
});

test('a project without the entitlement is told how to get it', async () => {
  const { core, accountId } = served.platform;
  await core.accounts.changePlan(actor, accountId, { plan: 'growth', addOns: [] });
  for (const url of ['/ip-ranges', '/ip-ranges.sig', '/ip-ranges.txt', '/ip-ranges.nft', '/ip-ranges/history']) {
    const { statusCode, body } = await get(url);
    assert.deepEqual([statusCode, JSON.parse(body).code], [403, 'NotEntitled'], url);
  }
  assert.equal((await get('/keys')).statusCode, 200);
  await core.accounts.changePlan(actor, accountId, { plan: 'enterprise', addOns: [] });
});

test('operators announce, propose, approve and withdraw, and see who is behind', async () => {
  const wish = { prefix: '185.1.4.0/24', component: 'api', ports: ['443'], protocols: ['tcp'] };
  const soon = new Date(served.platform.clock.now() + 89 * 86_400_000).toISOString();
  const early = await operate('POST', '/ip-ranges/announce', { ...wish, effectiveAt: soon });
  assert.deepEqual([early.status, early.body.code], [400, 'AddressNoticeTooShort']);
  const done = await operate('POST', '/ip-ranges/announce', wish);
  assert.deepEqual([done.status, done.body.prefix], [200, wish.prefix]);
  const emergency = { reason: 'hijacked', by: 'Ada' };
  const { body: waits } = await operate('POST', '/ip-ranges/withdraw', { blockId: done.body.blockId, emergency });
  const { body: shown } = await operate('GET', '/ip-ranges');
  assert.deepEqual(
    shown.proposals.map(({ id }: { id: string }) => id),
    [waits.proposalId],
  );
  const approve = (by: string) => operate('POST', '/ip-ranges/approve', { proposalId: waits.proposalId, by });
  assert.equal((await approve('ada')).body.code, 'AddressApprovalRefused');
  assert.notEqual((await approve('Grace')).body.withdrawnAt, null);
  const [behind] = (await operate('GET', '/ip-ranges/behind')).body;
  assert.equal(behind.apiKey, served.platform.projectId);
  assert.equal((await operate('GET', '/ip-ranges/history')).body.length, 6);
  for (const wrong of [
    { ...wish, ports: ['x'] },
    { ...wish, component: 'web' },
    { ...wish, prefix: 7 },
  ]) {
    assert.equal((await operate('POST', '/ip-ranges/announce', wrong)).body.code, 'BadRequest');
  }
});
