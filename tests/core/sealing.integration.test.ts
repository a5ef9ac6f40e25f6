/** What archives are sealed to: set for a project, and asked again whenever one is started. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor, SealingWish } from '../../packages/server/src/core/index.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const storage = {
  type: 's3',
  config: { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' },
  fallback: 'opentok',
};

let platform: TestPlatform;
let first: string;
let second: string;
before(async () => {
  platform = await testPlatform();
  first = await makeCertificate(limits.certificateRsaBitsMin);
  second = await makeCertificate(3072);
});
after(() => platform.close());
beforeEach(async () => {
  const { store } = platform.core;
  if (await store.sealings.get(platform.projectId)) await platform.core.sealings.remove(actor, platform.projectId);
  if (await store.storages.get(platform.projectId)) await platform.core.storages.remove(actor, platform.projectId);
});

const put = (wish: SealingWish) => platform.core.sealings.put(actor, platform.projectId, wish);

async function start(outputMode: 'composed' | 'individual' = 'composed') {
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  const started = await platform.core.archives.start(actor, platform.projectId, { sessionId: session.id, outputMode });
  return { ...started.archive, order: platform.recordings.last.order };
}

/** An archive that has ended. */
async function recorded() {
  const { id } = await start();
  await platform.core.archives.stop(actor, platform.projectId, id);
  for (;;) {
    const { archive } = await platform.core.archives.get(platform.projectId, id);
    if (archive.status !== 'stopped') return archive;
  }
}

/** Events about sealing since the last look. */
async function news(): Promise<unknown[]> {
  const { outbox } = platform.core.store;
  const records = await outbox.read('sealing-news', limits.outboxReadRows);
  await outbox.advance('sealing-news', records.at(-1)?.position ?? 0);
  return records.flatMap(({ event }) => (event?.type.startsWith('sealing.') ? [event] : []));
}

const code = (expected: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PlatformError, String(error));
  assert.equal(error.code, expected);
  if (message) assert.match(error.message, message);
  return true;
};

describe('in our own format', () => {
  it('an archive is sealed to every certificate, without a storage, and named so', async () => {
    const sealing = await put({ format: 'cloister', certificates: [first, Buffer.from(second).toString('base64')] });
    assert.deepEqual(sealing.certificates, [first, second]);
    assert.deepEqual(await platform.core.sealings.get(platform.projectId), sealing);
    const archive = await recorded();
    assert.deepEqual([archive.status, archive.recipients, archive.password], ['available', [first, second], '']);
    assert.deepEqual(platform.recordings.last.order.recipients, [first, second]);
    assert.equal(platform.recordings.last.order.certificate, null);
    assert.match(platform.core.archiveLinks.pathOf(archive) ?? '', /\/archive\.cloister$/);
  });

  it('the certificate of the storage does not count, and a new one for it is refused', async () => {
    await platform.core.storages.put(actor, platform.projectId, { ...storage, certificate: first });
    assert.equal((await start()).order.certificate, first);
    await put({ format: 'cloister', certificates: [second] });
    const { order } = await start();
    assert.deepEqual([order.certificate, order.recipients], [null, [second]]);
    const again = platform.core.storages.put(actor, platform.projectId, { ...storage, certificate: first });
    await assert.rejects(again, code('WrongState', /archive-sealing/));
    await platform.core.storages.put(actor, platform.projectId, storage);
    await platform.core.sealings.remove(actor, platform.projectId);
    assert.deepEqual((await start()).order.recipients, []);
  });

  it('an individual archive is sealed to them as well, also where the storage has a certificate', async () => {
    await platform.core.storages.put(actor, platform.projectId, { ...storage, certificate: first });
    await assert.rejects(start('individual'), code('CertificateNeedsComposed'));
    await put({ format: 'cloister', certificates: [first, second] });
    const { order, ...archive } = await start('individual');
    assert.deepEqual([order.outputMode, order.certificate, order.recipients], ['individual', null, [first, second]]);
    assert.deepEqual(archive.recipients, [first, second]);
  });
});

describe("in OpenTok's format", () => {
  it('it takes one certificate, and needs no storage either', async () => {
    await put({ format: 'opentok', certificates: [first] });
    const { order } = await start();
    assert.deepEqual([order.certificate, order.recipients], [first, []]);
    await assert.rejects(start('individual'), code('CertificateNeedsComposed'));
    await assert.rejects(put({ format: 'opentok', certificates: [first, second] }), code('CertificateRefused', /one/));
    await assert.rejects(put({ format: 'opentok', certificates: [second] }), code('CertificateRefused', /3072 bits/));
  });
});

describe('what is set', () => {
  it('is one event with the fingerprints and one act, and so is its end', async () => {
    await news();
    const acts = platform.acts.length;
    await put({ format: 'cloister', certificates: [first] });
    await assert.rejects(put({ format: 'cloister', certificates: [] }), code('CertificateRefused', /there is none/));
    await platform.core.sealings.remove(actor, platform.projectId);
    await assert.rejects(platform.core.sealings.remove(actor, platform.projectId), code('SealingNotFound'));
    const [changed, removed, ...more] = (await news()) as { type: string; certificateSha256: string[] }[];
    assert.deepEqual([changed?.type, removed?.type, more.length], ['sealing.changed', 'sealing.removed', 0]);
    assert.match(changed!.certificateSha256[0]!, /^[0-9a-f]{64}$/);
    assert.doesNotMatch(JSON.stringify(changed), /BEGIN/);
    assert.deepEqual(
      platform.acts.slice(acts).map(({ action, outcome }) => `${action} ${outcome}`),
      ['sealing.changed done', 'sealing.removed done', 'sealing.removed failed'],
    );
  });

  it('needs the add-on archive.encryption, when it is set and at each start', async () => {
    const { accounts } = platform.core;
    const plan = (name: 'standard' | 'enterprise', addOns: 'archive.encryption'[] = []) =>
      accounts.changePlan(actor, platform.accountId, { plan: name, addOns, force: true });
    await put({ format: 'cloister', certificates: [first] });
    await plan('standard');
    await assert.rejects(start(), code('NotEntitled'));
    await assert.rejects(put({ format: 'cloister', certificates: [second] }), code('NotEntitled'));
    await plan('standard', ['archive.encryption']);
    assert.deepEqual((await start()).order.recipients, [first]);
    await plan('enterprise');
  });

  it('says which certificate is wrong, and one that has expired since starts nothing', async () => {
    const until = platform.clock.now() + 3600_000;
    const brief = await makeCertificate(2048, { until });
    await put({ format: 'cloister', certificates: [first, brief] });
    await start();
    platform.clock.advance(3601_000);
    await assert.rejects(start(), code('CertificateRefused', /number 2 of 2: it expired at/));
    const late = put({ format: 'cloister', certificates: [brief, first] });
    await assert.rejects(late, code('CertificateRefused', /number 1 of 2: it expired at/));
  });
});
