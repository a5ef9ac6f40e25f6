import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import { newDataFolder } from '../../../../tests/rig/embedded.ts';
import { callOperator } from '../cli/operator-client.ts';
import type { AuditDoor } from './audit.ts';
import { type KeyAdmin, openOperatorSocket } from './operator.ts';

describe("accounts over the operator's socket", () => {
  let platform: TestPlatform;
  let folder: string;
  let close: () => Promise<void>;
  before(async () => {
    platform = await testPlatform('standard');
    folder = await newDataFolder();
    close = await openOperatorSocket(path.join(folder, 'operator.sock'), {
      core: platform.core,
      journal: { record() {} },
      keys: {} as KeyAdmin,
      audit: {} as AuditDoor,
      makeToken: () => '',
      url: () => 'https://media.example',
    });
  });
  after(async () => {
    await close();
    await platform.close();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (method: 'GET' | 'POST', route: string, body?: unknown) =>
    callOperator(path.join(folder, 'operator.sock'), method, route, body) as Promise<Record<string, unknown>>;

  it('refuses a plan for an account that is there, and makes nothing', async () => {
    const projects = (await platform.core.projects.list(platform.accountId)).length;
    for (const accountKey of [undefined, platform.accountId]) {
      const made = ask('POST', '/projects', { name: 'Ward', plan: 'standard', accountKey });
      await assert.rejects(made, { code: 'BadRequest', message: /cloister account plan/ });
    }
    assert.equal((await platform.core.projects.list(platform.accountId)).length, projects);
    const { accountKey, accountSecret } = await ask('POST', '/projects', { name: 'Ward' });
    assert.deepEqual([accountKey, accountSecret], [platform.accountId, undefined]);
  });

  it('makes a second account, which owns projects and logs in', async () => {
    const name = 'x'.repeat(limits.nameChars);
    const made = await ask('POST', '/accounts', { name, plan: 'growth', addOns: ['media.aes256'] });
    const key = String(made.accountKey);
    assert.deepEqual([made.name, made.plan, made.addOns], [name, 'growth', ['media.aes256']]);
    assert.equal(await platform.core.accounts.secretOf(key), made.accountSecret);
    assert.equal((await ask('POST', '/projects', { accountKey: key })).accountKey, key);
    const longer = ask('POST', '/accounts', { name: `${name}x`, plan: 'growth' });
    await assert.rejects(longer, { code: 'BadRequest', message: /name/ });
    await assert.rejects(ask('POST', '/accounts', { name }), { code: 'BadRequest', message: /plan/ });
    const { acts } = platform;
    const act = acts.find(({ action, subject }) => action === 'account.created' && subject.id === key);
    assert.deepEqual(act?.actor, { kind: 'operator', via: 'cli', network: 'loopback' });
  });

  it('changes what an account has bought, at once', async () => {
    const { core, accountId, projectId } = platform;
    const policy = () => ask('POST', `/projects/${projectId}`, { policy: 'require-aes256' });
    await assert.rejects(policy(), { code: 'NotEntitled' });
    const changed = await ask('POST', `/accounts/${accountId}/plan`, { plan: 'standard', addOns: ['media.aes256'] });
    assert.deepEqual([changed.plan, changed.addOns], ['standard', ['media.aes256']]);
    await policy();
    const unsold = ask('POST', `/accounts/${accountId}/plan`, { plan: 'standard', addOns: ['ip.ranges'] });
    await assert.rejects(unsold, { code: 'BadRequest' });
    assert.deepEqual((await core.accounts.get(accountId)).addOns, ['media.aes256']);
    const growth = ask('POST', `/accounts/${accountId}/plan`, { plan: 'growth' });
    const message = new RegExp(`media\\.aes256: project ${projectId} has the media policy require-aes256`);
    await assert.rejects(growth, { code: 'FeatureInUse', message });
    assert.equal((await core.accounts.get(accountId)).plan, 'standard');
    await ask('POST', `/accounts/${accountId}/plan`, { plan: 'growth', force: true });
    await assert.rejects(policy(), { code: 'NotEntitled' });
    const listed = (await ask('GET', '/accounts')) as unknown as { accountKey: string; plan: string }[];
    assert.equal(listed.find(({ accountKey }) => accountKey === accountId)?.plan, 'growth');
    assert.ok(!JSON.stringify(listed).includes(await core.accounts.secretOf(accountId)));
    await assert.rejects(ask('POST', '/accounts/12345678/plan', { plan: 'growth' }), { code: 'AccountNotFound' });
  });
});
