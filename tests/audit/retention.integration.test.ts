/** What entries say is destroyed when it is old enough, and not before; the log still verifies. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Retention } from '../../packages/server/src/audit/index.ts';
import type { Event } from '../../packages/server/src/core/index.ts';
import { systemIds } from '../../packages/server/src/lib/index.ts';
import { type AuditRig, auditRig } from './audit-rig.ts';

const day = 86_400_000;
let rig: AuditRig;
before(async () => {
  rig = await auditRig();
});
after(() => rig?.close());

async function act(projectId: string): Promise<void> {
  const stamp = { id: systemIds.uuid(), at: rig.clock.now(), actor: { kind: 'system' } as const };
  const event: Event = { ...stamp, type: 'project.statusChanged', projectId, status: 'SUSPENDED' };
  await rig.store.outbox.append([event]);
  await rig.log.follow();
}

/** Indexes of entries that say nothing any more. */
async function destroyed(): Promise<number[]> {
  const found = await rig.query.search({}, 100);
  return found.filter(({ content }) => content === null).map(({ index }) => index);
}

test('content goes at its age, not a moment earlier; projects on hold keep theirs until they are released', async () => {
  const { log, query, clock, store } = rig;
  const retention = (held: readonly string[]) =>
    new Retention({ log, query, store: store.audit, clock, journal: { record() {} }, keptMs: 10 * day, held });
  await act('1');
  await act('2');
  const { size } = log.signed();
  clock.advance(10 * day);
  await retention(['2']).run();
  assert.deepEqual(await destroyed(), []);
  assert.equal(log.signed().size, size, 'nothing was destroyed, so nothing is said');
  clock.advance(1);
  await act('3');
  await retention(['2']).run();
  assert.deepEqual(await destroyed(), [0, 1]);
  const verified = await rig.verify(await rig.lines());
  assert.deepEqual([verified.entries, verified.destroyed], [size + 2, 2]);
  const { checkpoint } = log;
  await retention(['2']).run();
  assert.equal(log.checkpoint, checkpoint, 'it is said once');
  await retention([]).run();
  assert.deepEqual(await destroyed(), [0, 1, 2]);
  assert.equal((await rig.verify(await rig.lines())).destroyed, 3);
});
