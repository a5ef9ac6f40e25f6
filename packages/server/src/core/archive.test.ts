import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { archiveStatuses, become, fileNameOf, isRecording, mayBecome } from './archive.ts';
import type { Archive, ArchiveStatus } from './entities.ts';

/** OpenTok's states and the ways between them (compat 2.3), written down once more. */
const ways: readonly `${ArchiveStatus} ${ArchiveStatus}`[] = [
  'started paused',
  'started stopped',
  'started failed',
  'paused started',
  'paused stopped',
  'paused failed',
  'stopped available',
  'stopped uploaded',
  'stopped failed',
  'available expired',
  'available deleted',
  'uploaded deleted',
  'failed expired',
  'failed deleted',
];

const archive = { id: 'a', status: 'started', reason: '', updatedAt: 1 } as Archive;

describe('the states of an archive', () => {
  it('every way that there is may be gone, and no other', () => {
    assert.equal(archiveStatuses.length, 8);
    for (const from of archiveStatuses) {
      for (const to of archiveStatuses)
        assert.equal(mayBecome(from, to), ways.includes(`${from} ${to}`), `${from} ${to}`);
    }
  });

  it('the next state takes what is known with it, and the time', () => {
    const stopped = become(archive, 'stopped', 7, { reason: 'user initiated' });
    assert.deepEqual(stopped, { ...archive, status: 'stopped', reason: 'user initiated', updatedAt: 7 });
    assert.equal(archive.status, 'started');
  });

  it('a way that is not there is refused with the state it is in', () => {
    assert.throws(() => become(archive, 'available', 7), { code: 'WrongState', message: /archive is started/ });
  });

  it('it is recorded while it is started or paused', () => {
    const recorded = archiveStatuses.filter((status) => isRecording({ status }));
    assert.deepEqual(recorded, ['started', 'paused']);
  });

  it('the file is named by what is in it', () => {
    assert.equal(fileNameOf({ outputMode: 'composed', certificate: null, recipients: [] }), 'archive.mp4');
    assert.equal(fileNameOf({ outputMode: 'composed', certificate: 'pem', recipients: [] }), 'archive.ts');
    assert.equal(fileNameOf({ outputMode: 'individual', certificate: null, recipients: [] }), 'archive.zip');
    assert.equal(fileNameOf({ outputMode: 'composed', certificate: null, recipients: ['pem'] }), 'archive.cloister');
    assert.equal(fileNameOf({ outputMode: 'individual', certificate: null, recipients: ['pem'] }), 'archive.zip');
  });
});
