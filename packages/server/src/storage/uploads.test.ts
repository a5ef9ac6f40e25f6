import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { UploadFault } from './fault.ts';
import { keyLeaked, keyOf, UploadRig } from './upload-fixtures.ts';

const part = limits.uploadPartBytes;
const stateOf = (rig: UploadRig) => path.join(rig.folder, 'upload.json');

describe('an archive that is recorded', () => {
  it('goes up in parts of uploadPartBytes, once a whole one cannot change any more, and the rest when it is whole', async () => {
    const rig = new UploadRig();
    rig.spool = randomBytes(part + 1000);
    rig.settled = part - 1;
    await rig.uploads.begin(rig.order());
    // It is asked every uploadLookSeconds; until then nobody has said a word to the storage.
    const looked = rig.clock.now();
    await rig.until(() => rig.looks.next('three looks', () => rig.looks.items.length >= 3));
    assert.ok(rig.clock.now() - looked >= 2 * limits.uploadLookSeconds * 1000);
    assert.deepEqual(rig.bucket.asked.items, []);
    rig.settled = part;
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    rig.settled = rig.spool.length;
    const end = rig.uploads.finish(rig.archiveId, rig.result());
    assert.equal(await rig.until(() => end), 'uploaded');
    assert.deepEqual(rig.bucket.asked.items, ['begin', 'part 1', 'part 2', 'complete']);
    assert.deepEqual(rig.bucket.object, rig.spool);
  });

  it('may be empty', async () => {
    const rig = new UploadRig();
    await rig.uploads.begin(rig.order());
    assert.equal(await rig.uploads.finish(rig.archiveId, rig.result()), 'uploaded');
    assert.deepEqual(rig.bucket.asked.items, ['begin', 'complete']);
  });

  it('has credentials beside it that are sealed, and goes where it began to go', async () => {
    const rig = new UploadRig();
    await rig.uploads.begin(rig.order());
    for (const name of readdirSync(rig.folder)) {
      assert.doesNotMatch(readFileSync(path.join(rig.folder, name), 'utf8'), /marker/);
    }
    rig.fill(randomBytes(10));
    rig.bucket.refuse = () => new UploadFault('unreachable');
    void rig.uploads.finish(rig.archiveId, rig.result());
    await rig.warnings.next('a wait', () => true);
    rig.bucket.refuse = () => null;
    const resumed = await rig.open().resume(rig.archiveId);
    assert.equal(await resumed?.end, 'uploaded');
    assert.deepEqual(rig.targets, [rig.order().target, rig.order().target]);
  });

  it('that turns out to be another than was sent is never made an object', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part));
    await rig.uploads.begin(rig.order());
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    const end = rig.uploads.finish(rig.archiveId, { ...rig.result(), sha256: 'another' });
    await rig.until(() => assert.rejects(end, { code: 'UploadFailed', message: /is not what was recorded/ }));
    assert.equal(rig.bucket.object, null);
  });
});

describe('a storage that fails', () => {
  it('is tried again after uploadFirstWaitSeconds, then twice as long, up to uploadWaitSecondsMax, until uploadSeconds have passed', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(10));
    rig.bucket.refuse = () => new UploadFault('unreachable', 'the connection was refused');
    await rig.uploads.begin(rig.order());
    const beganAt = rig.clock.now();
    const end = rig.uploads.finish(rig.archiveId, rig.result());
    const failed = assert.rejects(end, {
      code: 'UploadFailed',
      message: /could not be reached: the connection was refused/,
    });
    await rig.warnings.next('the first wait', () => true);
    await rig.until(() => failed, limits.uploadWaitSecondsMax * 1000);
    const waits = rig.warnings.items.map(({ delayMs }) => (delayMs ?? 0) / 1000);
    assert.deepEqual(
      waits.slice(0, 3),
      [1, 2, 4].map((times) => times * limits.uploadFirstWaitSeconds),
    );
    assert.equal(Math.max(...waits), limits.uploadWaitSecondsMax);
    const tried = (rig.clock.now() - beganAt) / 1000;
    assert.ok(
      tried >= limits.uploadSeconds && tried < limits.uploadSeconds + limits.uploadWaitSecondsMax,
      `${tried} s`,
    );
  });

  it('is asked uploadRefusals times once the archive is whole, where it refuses for good, and as often as it likes before', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part));
    rig.bucket.refuse = () => new UploadFault('denied');
    await rig.uploads.begin(rig.order());
    const many = limits.uploadRefusals + 2;
    await rig.until(() => rig.warnings.next('many waits', ({ attempt }) => (attempt ?? 0) >= many), 60_000);
    const end = rig.uploads.finish(rig.archiveId, rig.result());
    await rig.until(() => assert.rejects(end, { code: 'UploadFailed', message: /may not write there/ }), 60_000);
    // After the last of them it does not wait.
    const waits = rig.warnings.items.slice(1 - limits.uploadRefusals).map(({ attempt }) => attempt);
    assert.deepEqual(
      waits,
      Array.from({ length: limits.uploadRefusals - 1 }, (_, index) => index + 1),
    );
  });

  it('that has lost what it had gets it anew', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part * 2));
    await rig.uploads.begin(rig.order());
    await rig.until(() => rig.bucket.asked.next('two parts', (call) => call === 'part 2'));
    let lost = true;
    rig.bucket.refuse = (call) => {
      if (call !== 'complete' || !lost) return null;
      lost = false;
      return new UploadFault('lost');
    };
    const end = rig.uploads.finish(rig.archiveId, rig.result());
    assert.equal(await rig.until(() => end), 'uploaded');
    const sent = ['begin', 'part 1', 'part 2'];
    assert.deepEqual(rig.bucket.asked.items, [...sent, 'complete refused', 'look', 'abort', ...sent, 'complete']);
  });

  it('that made the object and did not live to say so is believed when the object is there', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(100));
    await rig.uploads.begin(rig.order());
    const { complete } = rig.bucket;
    rig.bucket.complete = async (...facts) => {
      await complete.apply(rig.bucket, facts);
      throw new UploadFault(rig.bucket.asked.items.length > 3 ? 'lost' : 'unreachable');
    };
    const end = rig.uploads.finish(rig.archiveId, rig.result());
    assert.equal(await rig.until(() => end), 'uploaded');
    assert.deepEqual(rig.bucket.asked.items.slice(-2), ['complete', 'look']);
  });
});

describe('after a restart', () => {
  /** Two parts, of which the first has arrived when the server is killed. */
  async function killed(): Promise<UploadRig> {
    const rig = new UploadRig();
    rig.fill(randomBytes(part + 5));
    await rig.uploads.begin(rig.order({ fallback: 'opentok' }));
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    rig.bucket.refuse = () => new UploadFault('unreachable');
    void rig.uploads.finish(rig.archiveId, rig.result());
    await rig.warnings.next('a wait', () => true);
    rig.bucket.refuse = () => null;
    return rig;
  }

  it('goes on with what is missing', async () => {
    const rig = await killed();
    const resumed = await rig.open().resume(rig.archiveId);
    assert.deepEqual([resumed?.fallback, resumed?.result], ['opentok', rig.result()]);
    assert.equal(await resumed?.end, 'uploaded');
    assert.deepEqual(
      rig.bucket.asked.items.filter((call) => !call.endsWith('refused')),
      ['begin', 'part 1', 'part 2', 'complete'],
    );
    assert.deepEqual(rig.bucket.object, rig.spool);
  });

  it('goes on with an archive that was whole though the run did not live to remember that here', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part + 5));
    await rig.uploads.begin(rig.order({ fallback: 'opentok' }));
    const uploads = rig.open();
    assert.equal(await uploads.resume(rig.archiveId), null);
    const resumed = await uploads.resume(rig.archiveId, rig.result());
    assert.deepEqual([resumed?.fallback, resumed?.result], ['opentok', rig.result()]);
    assert.equal(await rig.until(() => resumed!.end), 'uploaded');
    assert.deepEqual(rig.bucket.object, rig.spool);
  });

  it('fails where its credentials do not open any more, and says so', async () => {
    const rig = await killed();
    const uploads = rig.open();
    const state = JSON.parse(readFileSync(stateOf(rig), 'utf8'));
    writeFileSync(stateOf(rig), JSON.stringify({ ...state, target: 'sealed with a key that is gone' }));
    const resumed = await uploads.resume(rig.archiveId);
    assert.equal(resumed?.fallback, 'opentok');
    await assert.rejects(resumed!.end, { code: 'UploadFailed', message: /do not open any more/ });
  });

  it('begins anew where our file is not what was sent', async () => {
    const rig = await killed();
    rig.fill(randomBytes(part + 5));
    const state = JSON.parse(readFileSync(stateOf(rig), 'utf8'));
    writeFileSync(stateOf(rig), JSON.stringify({ ...state, result: { ...state.result, ...rig.result() } }));
    const resumed = await rig.open().resume(rig.archiveId);
    assert.equal(await resumed?.end, 'uploaded');
    assert.deepEqual(rig.bucket.object, rig.spool);
    assert.equal(rig.bucket.asked.items.filter((call) => call === 'begin').length, 2);
  });

  it('sends an archive in larger parts that would have more than uploadParts', async () => {
    const rig = await killed();
    const state = JSON.parse(readFileSync(stateOf(rig), 'utf8'));
    rig.fill(randomBytes(limits.uploadParts + 1));
    const result = { ...state.result, ...rig.result() };
    const begun = { ...state.begun, partBytes: 1, parts: [] };
    writeFileSync(stateOf(rig), JSON.stringify({ ...state, begun, result }));
    const resumed = await rig.open().resume(rig.archiveId);
    assert.equal(await resumed?.end, 'uploaded');
    assert.deepEqual(rig.bucket.asked.items.slice(-4), ['abort', 'begin', 'part 1', 'complete']);
  });

  it('has nothing to do for an archive that was not whole, or that it does not know', async () => {
    const rig = new UploadRig();
    await rig.uploads.begin(rig.order());
    assert.equal(await rig.open().resume(rig.archiveId), null);
    writeFileSync(stateOf(rig), '{"version":1');
    assert.equal(await rig.open().resume(rig.archiveId), null);
  });

  it('is not needed for what is left when the server stops', async () => {
    const rig = await killed();
    const uploads = rig.open();
    uploads.stop();
    const resumed = await uploads.resume(rig.archiveId);
    assert.equal(await resumed?.end, 'left');
    assert.ok(existsSync(stateOf(rig)));
  });
});

describe('what is not wanted any more', () => {
  it('is taken away from the storage, and nothing is remembered of it', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part));
    await rig.uploads.begin(rig.order());
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    await rig.uploads.abandon(rig.archiveId);
    await rig.bucket.asked.next('the end of it', (call) => call === 'abort');
    assert.equal(existsSync(stateOf(rig)), false);
    assert.equal(await rig.uploads.finish(rig.archiveId, rig.result()), 'left');
    await rig.uploads.abandon(rig.archiveId);
  });

  it('is said where it stays there', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part));
    await rig.uploads.begin(rig.order());
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    rig.bucket.refuse = () => new UploadFault('unreachable');
    await rig.open().abandon(rig.archiveId);
    await rig.warnings.next('the warning', ({ message }) => message.includes('stay with the storage'));
  });

  it('is forgotten too where its credentials do not open any more, and what stays there is said', async () => {
    const rig = new UploadRig();
    rig.fill(randomBytes(part));
    await rig.uploads.begin(rig.order());
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    // It looks again once the part is noted.
    await rig.until(() => rig.looks.next('the next look', () => true, { since: rig.looks.items.length }));
    const uploads = rig.open();
    const state = JSON.parse(readFileSync(stateOf(rig), 'utf8'));
    writeFileSync(stateOf(rig), JSON.stringify({ ...state, target: 'sealed with a key that is gone' }));
    await uploads.abandon(rig.archiveId);
    assert.equal(existsSync(stateOf(rig)), false);
    await rig.warnings.next('the warning', ({ message }) => message.includes('stay with the storage'));
  });
});

it('what waits has uploadWaitingBytes; with that much nothing more is begun', async () => {
  const rig = new UploadRig();
  rig.bucket.refuse = () => new UploadFault('unreachable');
  await rig.uploads.begin(rig.order());
  rig.spool = randomBytes(10);
  const waiting = async (sizeBytes: number) => {
    rig.open();
    await rig.uploads.begin(rig.order());
    void rig.uploads.finish(rig.archiveId, { ...rig.result(), sizeBytes }).catch(() => {});
    await rig.warnings.next('a wait', () => true, { since: rig.warnings.items.length });
  };
  await waiting(limits.uploadWaitingBytes - 1);
  rig.uploads.requireRoom();
  await waiting(limits.uploadWaitingBytes);
  assert.throws(() => rig.uploads.requireRoom(), { code: 'UploadsWaiting' });
});

describe('after a data key has leaked', () => {
  const keyNow = (rig: UploadRig) => keyOf(JSON.parse(readFileSync(stateOf(rig), 'utf8')).target);

  it('the credentials of an upload that runs are sealed anew, and stay so while it goes on', async () => {
    const rig = new UploadRig();
    await rig.uploads.begin(rig.order());
    const before = keyNow(rig);
    keyLeaked();
    assert.deepEqual(await rig.uploads.reseal(rig.archiveId), { storage: 's3', resealed: true });
    assert.equal(keyNow(rig), before + 1);
    rig.fill(randomBytes(part));
    await rig.until(() => rig.bucket.asked.next('a part', (call) => call === 'part 1'));
    rig.bucket.refuse = () => new UploadFault('unreachable');
    void rig.uploads.finish(rig.archiveId, rig.result());
    await rig.warnings.next('a wait', () => true);
    assert.equal(keyNow(rig), before + 1);
    assert.deepEqual(await rig.uploads.reseal(rig.archiveId), { storage: 's3', resealed: false });
    rig.bucket.refuse = () => null;
    assert.equal(await (await rig.open().resume(rig.archiveId))?.end, 'uploaded');
    assert.deepEqual(rig.targets.at(-1), rig.order().target);
  });

  it('so are those of one that nobody goes on with, and where there is none nothing happens', async () => {
    const rig = new UploadRig();
    assert.equal(await rig.uploads.reseal(rig.archiveId), null);
    await rig.uploads.begin(rig.order());
    const uploads = rig.open();
    const before = keyNow(rig);
    keyLeaked();
    assert.deepEqual(await uploads.reseal(rig.archiveId), { storage: 's3', resealed: true });
    assert.equal(keyNow(rig), before + 1);
    assert.deepEqual(await uploads.reseal(rig.archiveId), { storage: 's3', resealed: false });
  });
});
