/** The audit log over a real database: what gets into it, and what is noticed when the database is not what it was. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { AuditLog, openCheckpoint, parseContent } from '../../packages/server/src/audit/index.ts';
import type { Event } from '../../packages/server/src/core/index.ts';
import { systemIds } from '../../packages/server/src/lib/index.ts';
import { type AuditRig, auditRig } from './audit-rig.ts';

let rig: AuditRig;
before(async () => {
  rig = await auditRig();
});
after(() => rig?.close());

const tables = ['audit_log', 'audit_entries', 'audit_tiles'];

/** Copies the log's rows aside, as a backup does. */
async function backup(): Promise<void> {
  for (const table of tables) await rig.sql(`create table kept_${table} as table ${table}`);
}

async function restore(): Promise<void> {
  for (const table of tables) {
    await rig.sql(`delete from ${table}`);
    await rig.sql(`insert into ${table} select * from kept_${table}`);
    await rig.sql(`drop table kept_${table}`);
  }
}

/** What entries from an index on say. */
async function said(first: number) {
  return (await rig.query.search({ first }, 100)).map(({ content }) => content!);
}

test('a log begins with an entry of its own, signed, and the same checkpoint is kept outside', async () => {
  const { log } = rig;
  const signed = openCheckpoint(log.checkpoint, log.keys)!;
  assert.equal(signed.size, 1);
  assert.match(signed.origin, /^cloister\/audit\/\S+$/);
  assert.equal(rig.outside, log.checkpoint);
  assert.deepEqual(
    (await said(0)).map(({ action }) => action),
    ['audit.begun'],
  );
  assert.equal(log.state, 'ok');
});

test('each act gets its place in order, with who did it, what was set, and its sequence; others get none', async () => {
  const { store, clock, log } = rig;
  const { size } = log.signed();
  const stamp = () => ({ id: systemIds.uuid(), at: clock.now(), actor: { kind: 'account', accountId: 'a' } as const });
  const plan = { type: 'account.planChanged', projectId: null, accountId: 'a', plan: 'growth', addOns: [] } as const;
  const failed = {
    type: 'act.failed',
    projectId: null,
    action: 'account.planChanged',
    subject: { kind: 'account', id: 'a' },
    code: 'StoreUnavailable',
  } as const;
  const signal = { type: 'signal.sent', projectId: 'p', sessionId: 's', toConnectionId: null } as const;
  const events: Event[] = [
    { ...stamp(), ...plan },
    { ...stamp(), ...signal },
    { ...stamp(), ...failed },
  ];
  await store.outbox.append(events);
  await log.follow();
  const entries = await said(size);
  assert.deepEqual(
    entries.map(({ action, outcome, code, detail }) => ({ action, outcome, code, detail })),
    [
      {
        action: 'account.planChanged',
        outcome: 'done',
        code: null,
        detail: { accountId: 'a', plan: 'growth', addOns: [] },
      },
      { action: 'account.planChanged', outcome: 'failed', code: 'StoreUnavailable', detail: {} },
    ],
  );
  assert.deepEqual(entries[0]?.actor, { kind: 'account', accountId: 'a' });
  assert.equal(entries[1]!.sequence! - entries[0]!.sequence!, 2);
  assert.equal(log.signed().size, size + 2);
});

/** An act of the platform itself. */
function rotation(at: number): Event {
  const actor = { kind: 'system' } as const;
  return { id: systemIds.uuid(), at, actor, type: 'key.rotated', projectId: null, purpose: 'webhook', keyId: 'k' };
}

test('an act is in the tree within ten seconds of its commit, without anybody asking', async () => {
  const { store, clock, log } = rig;
  const { size } = log.signed();
  const event = rotation(clock.now());
  log.start();
  const written = new Promise<void>((resolve) => {
    const look = setInterval(() => {
      clock.advance(100);
      if (log.signed().size <= size) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  const began = clock.now();
  await store.outbox.append([event]);
  await written;
  assert.ok(clock.now() - began <= 10_000, `${clock.now() - began} ms`);
  await log.stop();
  assert.equal((await said(size))[0]?.action, 'key.rotated');
});

test('a log whose acts wait for more than ten seconds is behind, until they are in', async () => {
  const { store, clock, log } = rig;
  const event = rotation(clock.now());
  await store.outbox.append([event]);
  await rig.sql('alter table audit_entries rename to away');
  await log.follow();
  clock.advance(10_000);
  assert.equal(log.state, 'ok');
  assert.match(rig.alarms.at(-1)!, /acts wait for the audit log/);
  clock.advance(1);
  assert.equal(log.state, 'behind');
  await rig.sql('alter table away rename to audit_entries');
  await log.follow();
  assert.equal(log.state, 'ok');
});

test('the database has no content in the clear, and a seal put into another row does not open', async () => {
  const { size } = rig.log.signed();
  await rig.acts(2, 'account-of-nobody-else');
  const rows = await rig.sql('select sealed from audit_entries where index >= $1 order by index', [size]);
  for (const { sealed } of rows) assert.doesNotMatch(String(sealed), /account-of-nobody-else|planChanged/);
  await rig.sql('update audit_entries set sealed = $1 where index = $2', [rows[1]!.sealed, size]);
  assert.equal((await rig.query.search({ first: size }, 1))[0]?.content, null);
  await rig.sql('update audit_entries set sealed = $1 where index = $2', [rows[0]!.sealed, size]);
});

test('events that were taken away before they were in the tree leave a gap that the log itself tells', async () => {
  const { store, log, alarms } = rig;
  const { size } = log.signed();
  const event = (keyId: string): Event => ({
    id: systemIds.uuid(),
    at: 1,
    actor: { kind: 'system' },
    type: 'key.rotated',
    projectId: null,
    purpose: 'webhook',
    keyId,
  });
  const [first, lost, last] = [event('1'), event('2'), event('3')] as const;
  await store.outbox.append([first, lost, last]);
  await rig.sql('delete from outbox where id = $1', [lost.id]);
  await log.follow();
  const entries = await said(size);
  assert.deepEqual(
    entries.map(({ action }) => action),
    ['key.rotated', 'audit.gap', 'key.rotated'],
  );
  assert.deepEqual(entries[1]?.detail, { after: entries[0]!.sequence, before: entries[2]!.sequence });
  assert.match(alarms.at(-1)!, /gap/);
});

test('a step is auditStepEvents events, and what is past them is in the next one', async () => {
  const { store, log } = rig;
  const steps: number[] = [];
  const audit = store.audit as { append: typeof store.audit.append };
  const { append } = audit;
  audit.append = (step) => {
    steps.push(step.entries.length);
    return append(step);
  };
  await rig.acts(limits.auditStepEvents);
  await rig.acts(limits.auditStepEvents + 1);
  audit.append = append;
  assert.deepEqual(steps, [limits.auditStepEvents, limits.auditStepEvents, 1]);
  assert.equal(log.signed().size, log.size);
});

test('a log opened anew goes on where it was', async () => {
  const { size } = rig.log.signed();
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
  await rig.acts(300);
  assert.equal(rig.log.signed().size, size + 300);
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
});

test('a database that was rolled back is noticed at the start: nothing is signed, and events stay for later', async () => {
  await backup();
  await rig.acts(5);
  const { outside } = rig;
  await restore();
  await rig.reopen();
  assert.equal(rig.log.state, 'broken');
  assert.match(rig.log.why!, /was rolled back/);
  assert.match(rig.alarms.at(-1)!, /not what was signed/);
  rig.log.start();
  await rig.log.follow();
  assert.equal(rig.outside, outside);
  // The operator looked into it, and takes the database as it is: the checkpoint outside is set aside.
  rig.outside = null;
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
  await rig.acts(1);
});

test('entries, tiles, checkpoints and logs that are not what was signed are noticed at the start', async () => {
  const { outside } = rig;
  const edits: [sql: string, why: RegExp][] = [
    ['delete from audit_entries where index = 3', /entries, and \d+ were signed/],
    ['delete from audit_tiles', /is missing/],
    [
      `update audit_tiles set hashes = 'AAAA' || substr(hashes, 5) where index = (select max(index) from audit_tiles)`,
      /root/,
    ],
    ['update audit_log set size = size - 1', /not signed by this platform/],
    [`update audit_log set checkpoint = 'forged'`, /not signed by this platform/],
    ['delete from audit_log', /the database has no log/],
  ];
  for (const [sql, why] of edits) {
    await backup();
    await rig.sql(sql);
    await rig.reopen();
    assert.equal(rig.log.state, 'broken', sql);
    assert.match(rig.log.why!, why);
    await restore();
  }
  rig.outside = outside!.replace(/[A-Z]/, 'x');
  await rig.reopen();
  assert.match(rig.log.why!, /outside the database is not signed/);
  rig.outside = outside;
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
});

test('history that was written anew, tree and all, is noticed by the checkpoint outside', async () => {
  const { outside } = rig;
  await backup();
  for (const table of tables) await rig.sql(`delete from ${table}`);
  rig.outside = null;
  await rig.reopen();
  await rig.acts(600);
  assert.equal(rig.log.state, 'ok');
  rig.outside = outside;
  await rig.reopen();
  assert.match(rig.log.why!, /was signed last/);
  await restore();
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
});

test('a key that is rotated signs on, one that leaked signs nothing that counts, and the checkpoint is signed anew', async () => {
  const { keys, log } = rig;
  const old = log.checkpoint;
  await keys.rotate('audit');
  assert.ok(openCheckpoint(old, log.keys), 'a retired key goes on verifying');
  await log.resign();
  const rotated = log.checkpoint;
  assert.notEqual(rotated, old);
  const keyId = keys.list().find(({ purpose, retiredAt }) => purpose === 'audit' && retiredAt === null)!.id;
  await keys.compromise(keyId);
  assert.equal(openCheckpoint(rotated, log.keys), null);
  await log.resign();
  assert.ok(openCheckpoint(log.checkpoint, log.keys));
  assert.equal(rig.outside, log.checkpoint);
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
});

test('a crash between the word that the key has leaked and the next signature is mended at the next start, and told', async () => {
  const { keys, log } = rig;
  const { kid } = keys.signBytes('audit', Buffer.alloc(1)).key;
  const { size } = log.signed();
  await keys.compromise(kid);
  assert.equal(openCheckpoint(log.checkpoint, log.keys), null);
  const mended = await rig.reopen();
  assert.equal(mended.state, 'ok', mended.why ?? '');
  assert.equal(openCheckpoint(mended.checkpoint, mended.keys)?.size, size + 1);
  assert.equal(rig.outside, mended.checkpoint);
  const [entry] = await said(size);
  assert.deepEqual([entry?.action, entry?.detail], ['audit.resigned', { size }]);
  await rig.acts(1);
  await rig.verify(await rig.lines());
  // Who has the key that leaked may sign another history with it: it is not taken for the one that is kept outside.
  const leaked = rig.keys.signBytes('audit', Buffer.alloc(1)).key;
  const kept = mended.checkpoint;
  await rig.acts(1);
  await keys.compromise(leaked.kid);
  rig.outside = kept;
  await rig.reopen();
  assert.equal(rig.log.state, 'broken');
  assert.match(rig.log.why!, /a key that has leaked/);
  rig.outside = null;
  await rig.reopen();
  assert.match(rig.log.why!, /a key that has leaked/);
  await rig.log.repair({ kind: 'operator', via: 'cli' }, 'the machine lost power while the key was replaced');
  assert.equal(rig.log.state, 'ok');
  await rig.log.stop();
});

test('two servers on one database write one log, and each goes on after the other has written', async () => {
  const open = async () => {
    const outside = { read: async () => rig.outside, write: async () => {} };
    return AuditLog.open({ ...rig, outside, ids: systemIds, journal: { record() {} } });
  };
  const gaps = async () => (await rig.query.search({ action: 'audit.gap' }, 100)).length;
  const before = await gaps();
  const [here, there] = [rig.log, await open()];
  for (let round = 0; round < 6; round += 1) {
    const [one, other] = round % 2 === 0 ? [here, there] : [there, here];
    const { size } = round === 0 ? here : other;
    await rig.store.outbox.append(Array.from({ length: 10 }, (_, at) => rotation(at)));
    // What it knows is old: it is refused, takes up what the other wrote, and goes on from there.
    await one.follow();
    await one.follow();
    assert.equal(one.size, size + 10);
    await Promise.all([here.follow(), there.follow()]);
  }
  assert.deepEqual([here.state, there.state], ['ok', 'ok']);
  await rig.reopen();
  const { entries, whole } = await rig.verify(await rig.lines());
  assert.deepEqual([entries, whole], [there.size, true]);
  const ids = await rig.sql('select count(distinct event_id) as ids, count(*) as entries from audit_entries');
  assert.equal(ids[0]!.ids, ids[0]!.entries);
  assert.equal(await gaps(), before);
});

test('an operator may take a log as the database has it: the log says so, and what was signed before', async () => {
  const actor = { kind: 'operator', via: 'cli' } as const;
  await assert.rejects(rig.log.repair(actor, 'nothing to do'), { code: 'WrongState' });
  await backup();
  await rig.acts(5);
  const lost = rig.log.signed();
  const before = rig.log.checkpoint;
  await restore();
  await rig.reopen();
  assert.equal(rig.log.state, 'broken');
  const { size } = rig.log;
  for (const edit of ['delete from audit_tiles', 'delete from audit_entries where index = 3']) {
    await backup();
    await rig.sql(edit);
    await assert.rejects(rig.log.repair(actor, 'it cannot be'), { code: 'AuditLogBroken', message: /missing|entries/ });
    assert.equal(rig.log.state, 'broken', edit);
    await restore();
  }
  await rig.log.repair(actor, 'the disk is lost, this is the backup of last night');
  assert.equal(rig.log.state, 'ok');
  const [entry] = await said(size);
  assert.deepEqual([entry?.action, entry?.actor], ['audit.repaired', actor]);
  const { why, reason, signed } = entry!.detail;
  assert.match(String(why), /was rolled back/);
  assert.equal(reason, 'the disk is lost, this is the backup of last night');
  assert.deepEqual(signed, { origin: lost.origin, size: lost.size, root: lost.root.toString('base64') });
  await rig.log.stop();
  await rig.acts(10);
  await rig.verify(await rig.lines());
  await rig.reopen();
  assert.equal(rig.log.state, 'ok');
  // Whoever kept the checkpoint that was lost is not told a tale: it is a fork for them.
  await assert.rejects(rig.lines({}, before), { code: 'AuditForked' });
});

test('the store can seal all content anew after its data key leaked, and every proof stays as it was', async () => {
  const { keys, store } = rig;
  const keyId = keys.list().find(({ purpose, retiredAt }) => purpose === 'platform:data' && retiredAt === null)!.id;
  const lines = await rig.lines();
  await keys.compromise(keyId);
  assert.ok((await store.reseal(null)) >= lines.length - 1);
  const [, ...entries] = await rig.lines();
  assert.deepEqual(entries, lines.slice(1));
  assert.ok(entries.every((line) => 'content' in line && parseContent(line.content!)));
});
