/** A publisher behind a slow line sends its sound alone where it asked for that, and its picture again when the line is better. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '../rig/wait.ts';
import { full, sample } from '../sample.ts';
import { beeps, pictureTakes, useSlowLine } from './slow-line.ts';

/** Room for the sound and little more. */
const SLOW = { kbps: 75, queueMs: 300 };
/** Within which the picture is gone, a second or two past `audioFallbackSeconds`. A sample runs on whatever machine there is. */
const TOLD_MS = full ? 6000 : 30_000;
/** The picture is tried after a second, and after a failed try later each time. */
const BACK_MS = full ? 30_000 : 40_000;
/** The pretended microphone beeps again and again. The queue of the line takes a moment to drain. */
const BEEP_GAP_MS = full ? 3000 : 8000;

const line = useSlowLine('publisher', { audioFallback: { publisher: true, subscriber: false } });

async function fallsBack(t: TestContext): Promise<void> {
  const { far, publisher, subscriber, streamId } = line;
  await pictureTakes(line, 3 * SLOW.kbps);
  const stopListening = await beeps(line);

  far.shapeUp(SLOW);
  const slowAt = await publisher.page.evaluate(() => performance.now());
  const warned = await publisher.event('publisher', 'videoDisableWarning');
  const gone = await publisher.event('publisher', 'videoDisabled', { reason: 'quality', ms: TOLD_MS });
  assert.ok(warned.at <= gone.at);
  await subscriber.event(streamId, 'videoDisabled', { reason: 'quality' });
  await subscriber.event('session', 'streamPropertyChanged', { changedProperty: 'hasVideo', newValue: false });
  await eventually(
    'a picture that is not sent',
    () => publisher.stats('outbound-rtp'),
    (all) => all.every(({ kind, active }) => kind === 'audio' || active === false),
  );
  await subscriber.page.evaluate((id) => window.rig.heard(id, 12), streamId);

  const [since, mark] = await Promise.all([publisher.mark(), subscriber.mark()]);
  far.shapeUp(null);
  const wideAt = await publisher.page.evaluate(() => performance.now());
  const back = await publisher.event('publisher', 'videoEnabled', { reason: 'quality', since, ms: BACK_MS });
  await subscriber.event(streamId, 'videoEnabled', { reason: 'quality', since: mark });
  assert.ok((await subscriber.look(streamId)).moved > 0);

  const gaps = await stopListening();
  t.diagnostic(`gone after ${Math.round(gone.at - slowAt)} ms, and back after ${Math.round(back.at - wideAt)} ms`);
  const told = (await publisher.happenings()).filter(({ target }) => target === 'publisher');
  t.diagnostic(told.map(({ type, at }) => `${type} ${Math.round(at - slowAt)}`).join(', '));
  t.diagnostic(`${gaps.join(' ')} ms between beeps`);
  assert.ok(Math.max(...gaps) < BEEP_GAP_MS, `the sound stopped: ${gaps.join(' ')} ms between beeps`);
  const early = told.filter(({ type, at }) => type === 'videoEnabled' && at < wideAt);
  assert.deepEqual(early, [], 'the picture came back on the poor line');
}

const modes = ['routed', 'relayed'] as const;

for (const mode of sample('publisher fallback', modes, 1))
  test(`on a slow way up the picture goes, the sound stays, and on a better one the picture is back; all are told: ${mode}`, async (t) => {
    if (mode === 'relayed') await line.call(mode);
    await fallsBack(t);
  });
