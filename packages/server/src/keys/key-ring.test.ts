import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { calculateJwkThumbprint, importJWK, jwtVerify } from 'jose';
import type { Event, KeyRow, Sealed } from '../core/index.ts';
import { ManualClock, systemIds } from '../lib/index.ts';
import { makeSigningKey, rowOfKey } from './held-key.ts';
import { type KeyRing, openKeys, platformData, signingPurposes } from './index.ts';

class Rows {
  readonly rows = new Map<string, KeyRow>();
  saves = 0;
  fail: Error | null = null;
  load = async () => [...this.rows.values()];
  /** Events that were written with rows. */
  readonly events: Event[] = [];
  save = async (row: KeyRow, event?: Event) => {
    if (this.fail) throw this.fail;
    this.saves += 1;
    this.rows.set(row.id, row);
    if (event) this.events.push(event);
  };
  remove = async (id: string) => {
    this.rows.delete(id);
  };
}

function rig() {
  const root = randomBytes(32);
  const keyring = new Rows();
  const clock = new ManualClock();
  const open = (with_ = root): Promise<KeyRing> => openKeys({ root: with_, keyring, clock, ids: systemIds });
  return { root, keyring, clock, open };
}

const dayMs = 86_400_000;

const refused = (code: string) => ({ name: 'PlatformError', code });

test('what is sealed opens again, in the same project and context only', async () => {
  const keys = await rig().open();
  await keys.createDataKey('1');
  await keys.createDataKey('2');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.string(), (clear, context, other) => {
      const sealed = keys.seal('1', context, clear);
      assert.match(sealed, /^v1\.[\w-]{16}\.[\w-]+$/);
      assert.equal(keys.open('1', context, sealed), clear);
      assert.throws(() => keys.open('2', context, sealed), refused('SealBroken'));
      assert.throws(() => keys.open(null, context, sealed), refused('SealBroken'));
      if (other !== context) assert.throws(() => keys.open('1', other, sealed), refused('SealBroken'));
    }),
    { numRuns: 200 },
  );
});

test('a sealed value with any character changed, added or missing does not open', async () => {
  const keys = await rig().open();
  const sealed = keys.seal(null, 'context', 'a value that somebody wants to change');
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.string({ minLength: 0, maxLength: 2 }), (at, replacement) => {
      const changed = (sealed.slice(0, at) + replacement + sealed.slice(at + 1)) as Sealed;
      if (changed !== sealed) assert.throws(() => keys.open(null, 'context', changed), refused('SealBroken'));
    }),
    { numRuns: 500 },
  );
  for (const text of ['', 'v1', 'v1..', 'v1.a.b', `${sealed}A`, `${sealed}=`, `v2${sealed.slice(2)}`]) {
    assert.throws(() => keys.open(null, 'context', text as Sealed), refused('SealBroken'), text);
  }
});

test('sealing the same text twice shows nothing in common', async () => {
  const keys = await rig().open();
  const sealed = Array.from({ length: 200 }, () => keys.seal(null, 'context', 'same').split('.')[2]?.slice(0, 16));
  assert.equal(new Set(sealed).size, 200);
});

test('a project without a data key seals nothing', async () => {
  const keys = await rig().open();
  assert.throws(() => keys.seal('404', 'context', 'text'), refused('KeyUnavailable'));
});

test('every key rotated: old values open, old signatures verify, new ones have the new key', async () => {
  const { keyring, clock, open } = rig();
  const keys = await open();
  await keys.createDataKey('1');
  const before = { own: keys.seal('1', 'a', 'of the project'), platform: keys.seal(null, 'b', 'of the platform') };
  const signed = signingPurposes.map((purpose) => ({ purpose, jws: keys.sign(purpose, { purpose }) }));
  clock.advance(limits.addressKeyLeadDays * dayMs + 1);
  for (const purpose of ['project:1', platformData, ...signingPurposes]) {
    const change = await keys.rotate(purpose);
    assert.equal(change.what, 'rotated');
    assert.equal(change.purpose, purpose);
    const old = keys.list().find(({ id }) => id === change.other);
    assert.equal(old?.retiredAt, clock.now());
  }
  for (const ring of [keys, await open()]) {
    assert.equal(ring.open('1', 'a', before.own), 'of the project');
    assert.equal(ring.open(null, 'b', before.platform), 'of the platform');
    const after = ring.seal('1', 'a', 'of the project');
    assert.notEqual(after.split('.')[1], before.own.split('.')[1]);
    assert.notEqual(ring.reseal('1', 'a', before.own).split('.')[1], before.own.split('.')[1]);
    assert.equal(ring.reseal('1', 'a', after), after);
    for (const { purpose, jws } of signed) {
      assert.deepEqual(ring.verify(purpose, jws), { purpose });
      assert.notEqual(ring.sign(purpose, { purpose }).split('.')[0], jws.split('.')[0]);
    }
  }
  // One purpose has a next key too.
  assert.equal(keyring.rows.size, 2 * (signingPurposes.length + 2) + 1);
});

test('what a retired key signed is accepted for the overlap and not a moment longer', async () => {
  const { clock, open } = rig();
  const keys = await open();
  const jws = keys.sign('login', { who: 'operator' });
  await keys.rotate('login');
  clock.advance(limits.signingKeyOverlapSeconds * 1000);
  assert.deepEqual(keys.verify('login', jws), { who: 'operator' });
  clock.advance(1);
  assert.equal(keys.verify('login', jws), null);
});

test('a compromised signing key is refused at once, and after a restart', async () => {
  const { open } = rig();
  const keys = await open();
  const jws = keys.sign('admission', { session: 's' });
  const kid = keys.list().find(({ purpose }) => purpose === 'admission')?.id ?? '';
  const change = await keys.compromise(kid);
  assert.equal(change.what, 'compromised');
  for (const ring of [keys, await open()]) {
    assert.equal(ring.verify('admission', jws), null);
    assert.deepEqual(ring.verify('admission', ring.sign('admission', { session: 's' })), { session: 's' });
    assert.equal(ring.publicKeys('admission')[0]?.kid, change.other);
  }
  await assert.rejects(keys.compromise('unknown'), refused('KeyNotFound'));
  await assert.rejects(keys.rotate('unknown'), refused('KeyNotFound'));
});

test('a key that was retired before can be declared compromised afterwards', async () => {
  const keys = await rig().open();
  const jws = keys.sign('login', {});
  const { other } = await keys.rotate('login');
  assert.ok(keys.verify('login', jws));
  assert.equal((await keys.compromise(other ?? '')).other, null);
  assert.equal(keys.verify('login', jws), null);
});

test('values of a compromised data key open, and are sealed again with its successor', async () => {
  const keys = await rig().open();
  const old = keys.seal(null, 'name', 'clinic');
  const { other } = await keys.compromise(old.split('.')[1] ?? '');
  const fresh = keys.reseal(null, 'name', old);
  assert.equal(fresh.split('.')[1], other);
  assert.equal(keys.open(null, 'name', fresh), 'clinic');
});

test('nothing sealed for a project opens once its data keys are destroyed', async () => {
  const { keyring, open } = rig();
  const keys = await open();
  await keys.createDataKey('1');
  const values = [keys.seal('1', 'a', 'first')];
  await keys.rotate('project:1');
  values.push(keys.seal('1', 'a', 'second'));
  await keys.destroyDataKey('1');
  assert.ok([...keyring.rows.values()].every(({ purpose }) => purpose !== 'project:1'));
  for (const ring of [keys, await open()]) {
    for (const value of values) assert.throws(() => ring.open('1', 'a', value), refused('SealBroken'));
    assert.throws(() => ring.seal('1', 'a', 'third'), refused('KeyUnavailable'));
  }
});

test('a keyring does not open with another root, or with a row that was changed by hand', async () => {
  const { keyring, open } = rig();
  const keys = await open();
  await assert.rejects(open(randomBytes(32)), refused('KeyUnavailable'));
  await assert.rejects(open(randomBytes(16)), refused('KeyUnavailable'));
  const kid = keys.list().find(({ purpose }) => purpose === 'login')?.id ?? '';
  await keys.compromise(kid);
  const row = keyring.rows.get(kid) as KeyRow;
  const lies: Partial<KeyRow>[] = [
    { compromisedAt: null },
    { retiredAt: null },
    { purpose: 'admission' },
    { wrapped: '' },
  ];
  for (const lie of lies) {
    keyring.rows.set(kid, { ...row, ...lie });
    await assert.rejects(open(), refused('KeyUnavailable'));
  }
  keyring.rows.set(kid, row);
  await open();
});

test('signatures are plain EdDSA that others can check, bound to their purpose', async () => {
  const keys = await rig().open();
  const jws = keys.sign('webhook', { hash: 'x', n: 1 });
  const key = await importJWK(keys.publicKeys('webhook')[0] ?? {}, 'EdDSA');
  assert.deepEqual((await jwtVerify(jws, key)).payload, { hash: 'x', n: 1 });
  assert.equal(keys.verify('login', jws), null);
});

test('a public key is named by its thumbprint', async () => {
  const keys = await rig().open();
  for (const purpose of signingPurposes) {
    const [{ kid, ...key } = { kid: '' }] = keys.publicKeys(purpose);
    assert.equal(kid, await calculateJwkThumbprint(key));
  }
});

test('a manifest is checked for years: its retired keys stay published, one that has leaked does not', async () => {
  const { clock, open } = rig();
  const keys = await open();
  const jws = keys.sign('manifest', { archiveId: 'a' });
  const { other: first, keyId: second } = await keys.rotate('manifest');
  clock.advance(10 * 365 * 24 * 3600 * 1000);
  for (const ring of [keys, await open()]) {
    assert.deepEqual(
      ring
        .publicKeys('manifest')
        .map(({ kid }) => kid)
        .sort(),
      [first, second].sort(),
    );
    assert.deepEqual(ring.verify('manifest', jws), { archiveId: 'a' });
  }
  await keys.compromise(first as string);
  assert.deepEqual(
    keys.publicKeys('manifest').map(({ kid }) => kid),
    [second],
  );
  assert.equal(keys.verify('manifest', jws), null);
});

test('no altered signature verifies', async () => {
  const keys = await rig().open();
  const jws = keys.sign('admission', { session: 's', role: 'subscriber' });
  fc.assert(
    fc.property(fc.nat(jws.length - 1), fc.string({ minLength: 0, maxLength: 2 }), (at, replacement) => {
      const changed = jws.slice(0, at) + replacement + jws.slice(at + 1);
      if (changed !== jws) assert.equal(keys.verify('admission', changed), null);
    }),
    { numRuns: 500 },
  );
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const [head = '', payload = '', signature = ''] = jws.split('.');
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
  const heads = [
    { alg: 'none', kid },
    { alg: 'HS256', kid },
    { alg: 'EdDSA' },
    { alg: 'EdDSA', kid, crit: ['b64'] },
    [],
  ];
  for (const forged of heads) assert.equal(keys.verify('admission', `${part(forged)}.${payload}.${signature}`), null);
  for (const forged of ['', '..', `${jws}.`, `${head}.${payload}.`, `${head}.${part([])}.${signature}`]) {
    assert.equal(keys.verify('admission', forged), null);
  }
});

test('a crash in the middle of a rotation leaves one current key after the restart', async () => {
  const { root, keyring, clock, open } = rig();
  await open();
  clock.advance(10);
  const facts = { purpose: 'login', createdAt: clock.now(), retiredAt: null, compromisedAt: null };
  const second = makeSigningKey(facts);
  await keyring.save(rowOfKey(root, second));
  const keys = await open();
  const active = keys.list().filter(({ purpose, retiredAt }) => purpose === 'login' && retiredAt === null);
  assert.deepEqual(
    active.map(({ id }) => id),
    [second.id],
  );
  const recorded = keyring.events.map((event) => 'keyId' in event && [event.type, event.purpose, event.keyId]);
  assert.deepEqual(recorded, [['key.rotated', 'login', second.id]], 'what the crash swallowed is recorded');
});

test('a key that leaked signs and verifies nothing, and is still known as one of ours', async () => {
  const keys = await rig().open();
  const { key } = keys.signBytes('audit', Buffer.from('text'));
  assert.deepEqual(keys.leakedKeys('audit'), []);
  await keys.rotate('audit');
  assert.deepEqual(keys.leakedKeys('audit'), []);
  await keys.compromise(key.kid);
  assert.deepEqual(keys.leakedKeys('audit'), [key]);
  assert.ok(keys.publicKeys('audit').every(({ kid }) => kid !== key.kid));
});

test('the next key of address lists is published addressKeyLeadDays before it signs, also over restarts', async () => {
  const { clock, open } = rig();
  const keys = await open();
  const states = (ring: KeyRing) => ring.keysInLife('address-list').map(({ key, state }) => [key.kid, state]);
  const signer = (ring: KeyRing) => ring.signBytes('address-list', Buffer.from('list')).key.kid;
  const [[first], [second]] = states(keys) as [[string, string], [string, string]];
  assert.deepEqual(states(keys), [
    [first, 'current'],
    [second, 'next'],
  ]);
  assert.deepEqual(states(await open()), states(keys));
  assert.equal(signer(keys), first);
  clock.advance(limits.addressKeyLeadDays * dayMs - 1);
  await assert.rejects(keys.rotate('address-list'), refused('AddressKeyTooNew'));
  // The next one was made a millisecond after the current one, so that it is known which is which.
  clock.advance(2);
  await keys.rotate('address-list');
  for (const ring of [keys, await open()]) {
    assert.equal(signer(ring), second);
    const [current, next, ...rest] = states(ring);
    assert.deepEqual([current, next?.[1], rest], [[second, 'current'], 'next', [[first, 'retired']]]);
  }
});

test('a key of address lists that has leaked is replaced by the next one at once, and a next one by another', async () => {
  const { open } = rig();
  const keys = await open();
  const ids = (ring: KeyRing) => ring.keysInLife('address-list').map(({ key }) => key.kid);
  const [first, second] = ids(keys) as [string, string];
  await keys.compromise(first);
  assert.equal(keys.signBytes('address-list', Buffer.from('list')).key.kid, second);
  const [current, third] = ids(keys) as [string, string];
  assert.deepEqual([current, ids(keys).length], [second, 2], 'what has leaked is not published');
  await keys.compromise(third);
  for (const ring of [keys, await open()]) {
    assert.equal(ids(ring)[0], second);
    assert.equal(ids(ring).length, 2);
    assert.ok(![first, third].includes(ids(ring)[1]!));
  }
});

test('refresh shows the keys that another process has made', async () => {
  const { open } = rig();
  const [here, there] = [await open(), await open()];
  await there.createDataKey('7');
  const sealed = there.seal('7', 'a', 'text');
  assert.throws(() => here.open('7', 'a', sealed), refused('SealBroken'));
  await here.refresh();
  assert.equal(here.open('7', 'a', sealed), 'text');
});
