/** What every store does with accounts and their terms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sealedContext } from '../core/index.ts';
import { event, firstTerms, type Given, newAccount, readAll, readerAtEnd } from './store-fixture.ts';

const refused = (code: string) => ({ name: 'PlatformError', code });

export function accountRules(given: () => Given): void {
  test('an account comes back as it was given, and changes', async () => {
    const { store, keys } = given();
    const account = await newAccount(store, keys, 'Zürich \u0000 👩‍⚕️');
    assert.deepEqual(await store.accounts.get(account.id), account);
    assert.deepEqual((await store.accounts.list()).at(-1), account);
    const planChanged = { projectId: null, accountId: account.id, plan: 'enterprise', addOns: [] };
    const change = firstTerms({
      version: 2,
      effectiveAt: 9e12,
      plan: null,
      addOns: null,
      buy: ['zone.us'],
      forced: true,
    });
    await store.accounts.changeTerms(account.id, change, event('account.planChanged', planChanged));
    const changed = { ...account, changes: [...account.changes, change] };
    assert.deepEqual(await store.accounts.get(account.id), changed);
    assert.deepEqual((await store.accounts.list()).at(-1), changed);
    const reader = await readerAtEnd(store);
    const late = store.accounts.changeTerms(account.id, change, event('account.planChanged', planChanged));
    await assert.rejects(late, { code: 'TermsChanged', details: { version: 2, expected: 1 } });
    assert.deepEqual(await readAll(store, reader), [], 'the event of a change that was refused is not there');
    const secret = keys.seal(null, sealedContext.accountSecret(account.id), 'another');
    await store.accounts.update(account.id, { secret }, event('account.planChanged', planChanged));
    assert.deepEqual(await store.accounts.get(account.id), { ...changed, secret });
    assert.equal(await store.accounts.get('0'), null);
    const unknown = store.accounts.changeTerms('0', change, event('account.planChanged', planChanged));
    await assert.rejects(unknown, refused('IssuerNotFound'));
  });
}
