/** A subscriber behind a slow line gets audio alone, and the picture again when the line is better. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { full } from '../sample.ts';
import { beeps, pictureTakes, useSlowLine } from './slow-line.ts';

const SLOW = { kbps: 150, queueMs: 300 };
/** Within which each change is told. The promise is 5 s; a sample runs on whatever machine there is, and asks for the order. */
const TOLD_MS = full ? 5000 : 20_000;
/**
 * The shaped line lets bursts through, so trials fail on it, and one may be under way when the line gets better: it fails
 * after 1.5 s, and the next begins within 3.5 s and lasts `audioTrialSeconds`. On a line without bursts none begins before.
 */
const BACK_MS = full ? 7000 : 20_000;
/** The pretended microphone beeps once a second; two beeps are further apart only when some was lost. */
const BEEP_GAP_MS = full ? 2000 : 8000;

const line = useSlowLine('subscriber');

test('at 150 kbit/s the picture goes, comes back on a better line, and the sound never stops', async (t) => {
  const { far, subscriber, streamId } = line;
  await pictureTakes(line, 3 * SLOW.kbps);
  const stopListening = await beeps(line);

  far.shape(SLOW);
  const slowAt = await subscriber.page.evaluate(() => performance.now());
  const disabled = await subscriber.event(streamId, 'videoDisabled', { reason: 'quality' });
  const heardWithout = subscriber.page.evaluate((id) => window.rig.heard(id, 12), streamId);
  await heardWithout;
  const early = (await subscriber.happenings()).filter(({ type }) => type === 'videoEnabled');
  assert.deepEqual(early, [], 'the picture came back on the poor line');

  const mark = await subscriber.mark();
  far.shape(null);
  const wideAt = await subscriber.page.evaluate(() => performance.now());
  const enabled = await subscriber.event(streamId, 'videoEnabled', { reason: 'quality', since: mark });
  assert.ok((await subscriber.look(streamId)).moved > 0);
  const gaps = await stopListening();

  t.diagnostic(
    `told after ${Math.round(disabled.at - slowAt)} ms, and back after ${Math.round(enabled.at - wideAt)} ms`,
  );
  assert.ok(Math.max(...gaps) < BEEP_GAP_MS, `the sound stopped: ${gaps.join(' ')} ms between beeps`);
  assert.ok(disabled.at - slowAt < TOLD_MS, `the picture went only after ${Math.round(disabled.at - slowAt)} ms`);
  assert.ok(enabled.at - wideAt < BACK_MS, `the picture came back only after ${Math.round(enabled.at - wideAt)} ms`);
});

test('a warning came before the picture went', async () => {
  const { subscriber, streamId } = line;
  const told = (await subscriber.happenings()).filter((each) => each.target === streamId).map((each) => each.type);
  assert.ok(told.indexOf('videoDisableWarning') >= 0, told.join(' '));
  assert.ok(told.indexOf('videoDisableWarning') < told.indexOf('videoDisabled'), told.join(' '));
});
