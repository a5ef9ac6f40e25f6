/** Muting, forced muting, sending away: by the participant, by a moderator's page, and by the customer's server. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import type { Participant } from '../rig/page.ts';
import { useStage } from './stage.ts';

const stage = useStage();

/** The moderator only watches; the speaker publishes. */
let sessionId: string;
let moderator: Participant;
let speaker: Participant;
let streamId: string;

beforeEach(async () => {
  sessionId = await stage.customer.session();
  [moderator, speaker] = await Promise.all([stage.open(), stage.open()]);
  await moderator.join(stage.customer.ticket(sessionId, 'moderator'));
  await speaker.join(stage.customer.ticket(sessionId, 'publisher', 'speaker'));
  // Without fall-back: a picture that goes on a busy machine is no business of these tests.
  streamId = await speaker.publish({ audioFallback: { subscriber: false } });
  await moderator.subscribed(streamId);
});

afterEach(async () => {
  await Promise.all([moderator.close(), speaker.close()]);
});

/** No sound of the stream arrives any more: the browser counts no further packet. */
async function assertSilent(at: Participant): Promise<void> {
  await at.page.evaluate(async (id) => {
    const packets = async () => Number((await window.rig.inbound(id, 'audio')).packetsReceived ?? 0);
    for (let before = await packets(), quiet = 0; quiet < 5; ) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const now = await packets();
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  }, streamId);
}

test('a participant mutes and unmutes: others are told, and hear nothing in between', async () => {
  await moderator.hear(streamId, 1);
  await speaker.page.evaluate(() => window.rig.publisher().publishAudio(false));
  await moderator.event('session', 'streamPropertyChanged', { changedProperty: 'hasAudio', newValue: false });
  await assertSilent(moderator);
  await speaker.page.evaluate(() => window.rig.publisher().publishAudio(true));
  await moderator.event('session', 'streamPropertyChanged', { changedProperty: 'hasAudio', newValue: true });
  await moderator.hear(streamId, 1);
});

test('a participant turns the picture off and on', async () => {
  await moderator.look(streamId);
  await speaker.page.evaluate(() => window.rig.publisher().publishVideo(false));
  await moderator.event('session', 'streamPropertyChanged', { changedProperty: 'hasVideo', newValue: false });
  await moderator.event(streamId, 'videoDisabled', { reason: 'publishVideo' });
  await speaker.page.evaluate(() => window.rig.publisher().publishVideo(true));
  await moderator.event(streamId, 'videoEnabled', { reason: 'publishVideo' });
  assert.ok((await moderator.look(streamId)).moved > 0);
});

test('a moderator mutes a stream: its owner is told and everybody hears nothing', async () => {
  await moderator.page.evaluate((id) => window.rig.session().forceMuteStream(window.rig.stream(id) as never), streamId);
  await speaker.event('publisher', 'muteForced');
  await moderator.event('session', 'streamPropertyChanged', { changedProperty: 'hasAudio', newValue: false });
  await assertSilent(moderator);
});

test('the server mutes all: who is there goes quiet, who comes starts quiet, until it is lifted', async () => {
  const muteAll = promisify(stage.customer.sdk.forceMuteAll.bind(stage.customer.sdk));
  const lift = promisify(stage.customer.sdk.disableForceMute.bind(stage.customer.sdk));
  await muteAll(sessionId, {});
  await speaker.event('session', 'muteForced', { active: true });
  await speaker.event('publisher', 'muteForced');
  await assertSilent(moderator);
  const late = await stage.open();
  await late.join(stage.customer.ticket(sessionId));
  const lateStream = await late.publish();
  const created = await moderator.event('session', 'streamCreated', { stream: lateStream });
  assert.ok(created);
  assert.equal(await moderator.page.evaluate((id) => window.rig.stream(id)?.hasAudio, lateStream), false);
  const since = await speaker.mark();
  await lift(sessionId);
  await speaker.event('session', 'muteForced', { since, active: false });
  await late.close();
});

test('a moderator ends a stream: it is unpublished, its owner stays', async () => {
  await moderator.page.evaluate(
    (id) => window.rig.settled((done) => window.rig.session().forceUnpublish(window.rig.stream(id) as never, done)),
    streamId,
  );
  await speaker.event('publisher', 'streamDestroyed', { reason: 'forceUnpublished' });
  await moderator.event('session', 'streamDestroyed', { stream: streamId, reason: 'forceUnpublished' });
  assert.equal(await speaker.page.evaluate(() => window.rig.session().connection?.connectionId), speaker.connectionId);
});

test('the server sends a participant away', async () => {
  const disconnect = promisify(stage.customer.sdk.forceDisconnect.bind(stage.customer.sdk));
  await disconnect(sessionId, speaker.connectionId);
  await speaker.event('session', 'sessionDisconnected', { reason: 'forceDisconnected' });
  await moderator.event('session', 'streamDestroyed', { stream: streamId, reason: 'forceDisconnected' });
  await moderator.event('session', 'connectionDestroyed', {
    connection: speaker.connectionId,
    reason: 'forceDisconnected',
  });
});

test('who is no moderator may not moderate', async () => {
  const refused = speaker.page.evaluate(
    (id) =>
      window.rig.settled((done) => window.rig.session().forceDisconnect(window.rig.connection(id) as never, done)),
    moderator.connectionId,
  );
  await assert.rejects(refused, /OT_PERMISSION_DENIED/);
});
