/** What a recorder has to answer, and what becomes of one that does not, or answers what cannot be. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { ManualClock } from '../../lib/index.ts';
import { toPlatform } from '../seal/recipients.ts';
import type { FailureCause } from './failures.ts';
import { listening, Programs } from './lying-fixtures.ts';
import type { RecorderOptions } from './messages.ts';
import { Recorder } from './recorder.ts';
import { options, RecorderRig } from './recorder-rig.ts';

const programs = new Programs();
after(() => programs.remove());

const key = { contentKey: randomBytes(32).toString('base64'), header: await toPlatform(() => '{}')(randomBytes(32)) };
const ordered: RecorderOptions = options({ format: 'cloister', ...key });

/** Runs a program in the place of a recorder. */
function run(on: string) {
  const clock = new ManualClock();
  const opened = Promise.withResolvers<void>();
  const over = Promise.withResolvers<{ cause: FailureCause | null; why: string }>();
  const seen = { dropping: 0, keyFrames: new Set<string>(), onKeyFrame: () => {} };
  const told = {
    opened: () => opened.resolve(),
    cipherText: () => {},
    sealed: () => {},
    keyFrame(streamId: string) {
      seen.keyFrames.add(streamId);
      seen.onKeyFrame();
    },
    tooLarge: () => {},
    dropping() {
      seen.dropping += 1;
    },
    ended: () => over.resolve({ cause: null, why: '' }),
    failed: (cause: FailureCause, why: string) => over.resolve({ cause, why }),
  };
  const recorder = new Recorder(ordered, told, clock, 'none', programs.write(on));
  return { recorder, clock, seen, opened: opened.promise, over: over.promise };
}

const seconds = (count: number) => count * 1000;

/** A process and all that it has begun. */
function treeOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))];
}

test('a recorder that is stopped in its tracks is killed after archiveSilentSeconds, and that is what is told', async () => {
  const rig = new RecorderRig(ordered);
  await rig.opened();
  for (const pid of treeOf(rig.recorder.pid as number)) process.kill(pid, 'SIGSTOP');
  rig.recorder.advance(60_000);
  rig.clock.advance(seconds(limits.archiveSilentSeconds) - 1);
  assert.equal(rig.recorder.over, false);
  rig.clock.advance(1);
  const { cause, failure } = await rig.end();
  assert.equal(cause, 'silent');
  assert.match(failure ?? '', /did not answer/);
});

test('one that never opens is silent too; one that answers, or was asked nothing, is not', async () => {
  const silent = run('{}');
  silent.clock.advance(seconds(limits.archiveSilentSeconds));
  assert.equal((await silent.over).cause, 'silent');

  const awake = run(listening('0'));
  await awake.opened;
  awake.clock.advance(seconds(10 * limits.archiveSilentSeconds));
  assert.equal(awake.recorder.over, false);
  awake.recorder.stop();
  assert.equal((await awake.over).cause, 'recorder');
});

test('time is told to archiveAdvancesWaiting, then waits for an answer; what is ordered comes after its time', async () => {
  const { recorder, opened, over } = run(`{
    open: () => say({ type: 'opened', password: '' }),
    stop: () => say({ type: 'failed', cause: 'recorder', why: JSON.stringify(told.map(({ type, at }) => at ?? type)) }),
  }`);
  await opened;
  for (let at = 1; at <= 100; at += 1) recorder.advance(at);
  recorder.order({ type: 'streamRemoved', streamId: 'camera' });
  for (let at = 101; at <= 200; at += 1) recorder.advance(at);
  recorder.stop();
  const first = Array.from({ length: limits.archiveAdvancesWaiting }, (_, index) => index + 1);
  assert.deepEqual(JSON.parse((await over).why), ['open', ...first, 100, 'streamRemoved', 200, 'stop']);
});

test('what one is to catch up it is told in steps, so that it answers between them; time that is left out is none', async () => {
  const { recorder, opened, over, seen } = run(`{
    open: () => say({ type: 'opened', password: '' }),
    advance({ at }) {
      say({ type: 'advanced' });
      if (at === 12_500) say({ type: 'keyFrame', streamId: 'camera' });
    },
    stop: () => say({ type: 'failed', cause: 'recorder', why: JSON.stringify(told.flatMap(({ at }) => at ?? [])) }),
  }`);
  await opened;
  recorder.advance(1000);
  const { promise: there, resolve } = Promise.withResolvers<void>();
  seen.onKeyFrame = resolve;
  recorder.advance(12_500);
  await there;
  recorder.order({ type: 'skip', ms: 50_000 });
  recorder.advance(70_000);
  recorder.stop();
  const steps = Array.from({ length: 12 }, (_, index) => (index + 1) * 1000);
  assert.deepEqual(JSON.parse((await over).why), [...steps, 12_500, 70_000]);
});

test('packets that are dropped are told with the first one; orders past archiveOrderBytes end it', async () => {
  const { recorder, over, seen } = run('{ open: () => new Promise(() => {}) }');
  recorder.order({ type: 'stream', streamId: 'camera', name: '', hasAudio: true, hasVideo: true });
  const track = { mimeType: 'video/VP8', clockRate: 90_000, payloadType: 96 };
  recorder.order({ type: 'track', streamId: 'camera', kind: 'video', lane: 1, track });
  const packet = Buffer.alloc(1200, 0x80);
  for (let count = 0; recorder.dropped < 10; count += 1) {
    packet.writeUInt32BE(count * 3000, 4);
    recorder.packet(1, count, packet);
  }
  assert.deepEqual([seen.dropping, recorder.dropped], [1, 10]);
  // Nobody misses a sender's report: there will be another one.
  const before = recorder.waiting;
  while (recorder.waiting <= limits.archivePipeBytes) recorder.order({ type: 'streamRemoved', streamId: 'nobody' });
  const full = recorder.waiting;
  recorder.order({ type: 'senderReport', lane: 1, ntpMs: 1, rtpTimestamp: 1 });
  assert.ok(full > before);
  assert.equal(recorder.waiting, full);
  const order = { type: 'streamRemoved', streamId: 'x'.repeat(10_000) } as const;
  while (!recorder.over) {
    assert.ok(recorder.waiting <= limits.archivePipeBytes + limits.archiveOrderBytes + 20_000);
    recorder.order(order);
  }
  assert.equal((await over).cause, 'silent');
});

const lies: Record<string, string> = {
  'a duration that is no number': `say({ type: 'ended', durationMs: null, clear: digest(), stored: digest() })`,
  'a size below nothing': `say({ type: 'ended', durationMs: 1, clear: digest(-1), stored: digest() })`,
  'a report of its own making': `say({ type: 'opened', password: '', more: true })`,
  'an answer to nothing': `say({ type: 'advanced' })`,
  'no report at all': `writeSync(4, Buffer.alloc(5, 255))`,
};

test('what no recorder says ends it: nothing of it is believed', async () => {
  for (const [lie, source] of Object.entries(lies)) {
    const { over, opened, recorder } = run(
      `{ open: () => say({ type: 'opened', password: '' }), senderReport: () => ${source} }`,
    );
    await opened;
    recorder.order({ type: 'senderReport', lane: 1, ntpMs: 1, rtpTimestamp: 1 });
    assert.equal((await over).cause, 'report', lie);
  }
});

test('each end has its cause', async () => {
  const causes: [string, FailureCause][] = [
    ['{}; this is no program', 'start'],
    [`{ open: () => process.kill(process.pid, 'SIGKILL') }`, 'recorder'],
    [`{ open: () => say({ type: 'failed', cause: 'memory', why: 'much' }) }`, 'memory'],
    [`{ open: () => { console.error('FATAL ERROR: JavaScript heap out of memory'); process.abort(); } }`, 'memory'],
    [`{ open: () => say({ type: 'failed', cause: 'media', why: 'the encoder' }) }`, 'media'],
  ];
  for (const [program, cause] of causes) assert.equal((await run(program).over).cause, cause, program);
  const refused = new RecorderRig(options({ format: 'opentok', certificate: 'no certificate' }));
  assert.equal((await refused.end()).cause, 'seal');
});
