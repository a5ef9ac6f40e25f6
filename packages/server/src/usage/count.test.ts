import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Archive, Event, OpenUse } from '../core/index.ts';
import { byDay, concerned, count } from './count.ts';

const noon = Date.parse('2027-01-31T12:00:00Z');
const hour = 3_600_000;
const place = { projectId: 'p', sessionId: 's', zone: 'eu' };
let ids = 0;

function event(type: string, at: number, fields: object): Event {
  ids += 1;
  return { id: String(ids), actor: { kind: 'system' }, type, at, ...place, ...fields } as unknown as Event;
}
const came = (id: string, at: number) =>
  event('connection.created', at, { connection: { id, createdAt: at, data: '' } });
const left = (id: string, at: number) =>
  event('connection.destroyed', at, { connection: { id, createdAt: 0, data: '' } });
const archive = (status: Archive['status'], at: number, facts: Partial<Archive> = {}) =>
  event(`archive.${status}`, at, { archive: { id: 'a', status, sizeBytes: 0, kept: false, ...facts } });

/** Days as `day participantHours archiveHours bytes`. */
function days(events: readonly Event[], before: readonly OpenUse[] = []) {
  return count(before, events).days.map(
    ({ day, participantMs, archiveMs, sealedBytes }) =>
      `${day} ${participantMs / hour} ${archiveMs / hour} ${sealedBytes}`,
  );
}

describe('what events come to', () => {
  it('is the time of each participant, on each day that it was in', () => {
    const events = [
      came('one', noon),
      came('two', noon + hour),
      left('one', noon + 2 * hour),
      left('two', noon + 37 * hour),
    ];
    assert.deepEqual(days(events), ['2027-01-31 13 0 0', '2027-02-01 24 0 0', '2027-02-02 1 0 0']);
    assert.deepEqual(
      [...byDay(noon, noon + 12 * hour + 1)],
      [
        ['2027-01-31', 12 * hour],
        ['2027-02-01', 1],
      ],
    );
  });

  it('is the time of archives without their pauses, and their bytes once', () => {
    const bytes = { sizeBytes: 700 };
    const events = [
      archive('started', noon),
      archive('paused', noon + hour),
      archive('started', noon + 3 * hour),
      archive('stopped', noon + 5 * hour),
      archive('available', noon + 13 * hour, bytes),
      archive('deleted', noon + 14 * hour, bytes),
    ];
    assert.deepEqual(days(events), ['2027-01-31 0 3 0', '2027-02-01 0 0 700']);
  });

  it('has what is kept of an archive that failed, and nothing of one that is gone', () => {
    const failed = (kept: boolean) => [
      archive('started', noon),
      archive('failed', noon + hour, { kept, sizeBytes: 9 }),
    ];
    assert.deepEqual([days(failed(true)), days(failed(false))], [['2027-01-31 0 1 9'], ['2027-01-31 0 1 0']]);
  });

  it('ends archives with their project, and leaves its connections to end by themselves', () => {
    const gone = event('project.deleted', noon + hour, {});
    const counted = count([], [archive('started', noon), came('one', noon), gone]);
    assert.deepEqual(
      counted.open.map(({ kind }) => kind),
      ['connection'],
    );
    const open: OpenUse[] = [{ kind: 'archive', id: 'a', projectId: 'p', zone: 'eu', since: noon }];
    assert.deepEqual(concerned([gone]), { ids: [], projectIds: ['p'] });
    assert.deepEqual(count(open, [gone]).ended, [{ kind: 'archive', id: 'a' }]);
  });

  it('is the same however often something is said, and where its beginning was never heard of', () => {
    const twice = [
      came('one', noon),
      came('one', noon + hour),
      left('one', noon + 2 * hour),
      left('one', noon + 3 * hour),
    ];
    assert.deepEqual(days(twice), ['2027-01-31 2 0 0']);
    const halves = [left('two', noon), archive('paused', noon), archive('available', noon, { sizeBytes: 5 })];
    assert.deepEqual(count([], halves), { owners: [], open: [], ended: [], days: [] });
  });

  it('is never negative where the clock went back', () => {
    assert.deepEqual(days([came('one', noon), left('one', noon - hour)]), []);
  });

  it('goes on from what was open before', () => {
    const first = count([], [came('one', noon), archive('started', noon), archive('paused', noon + hour)]);
    assert.deepEqual(
      first.open.map(({ kind, since }) => [kind, since]),
      [
        ['connection', noon],
        ['archive', null],
      ],
    );
    assert.deepEqual(days([left('one', noon + hour), archive('started', noon + hour)], first.open), [
      '2027-01-31 1 0 0',
    ]);
  });

  it('has the zone of the beginning, and any where none was said', () => {
    const old = event('connection.created', noon, { connection: { id: 'o' }, zone: undefined });
    const elsewhere = event('connection.destroyed', noon + 1, { connection: { id: 'o' }, zone: 'us' });
    assert.equal(count([], [old, elsewhere]).days[0]?.zone, 'any');
    assert.equal(count([], [came('n', noon), left('n', noon + 1)]).days[0]?.zone, 'eu');
  });
});
