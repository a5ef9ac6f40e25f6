import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Call } from './call.ts';
import { strangersOf, tilesOf } from './call-state.ts';
import { FakeOt, fakeConnection, fakeStream } from './fake-ot-fixture.ts';
import { OwnMedia } from './own-media.ts';

const ticket = { apiKey: '1', sessionId: 's', token: 't' };
const ben = fakeConnection('ben', 'Ben');

async function joined(change: (fake: FakeOt) => void = () => {}, secret = '') {
  const fake = new FakeOt();
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  const call = new Call(fake.ot, media);
  change(fake);
  call.secret.set({ value: secret });
  await call.join(ticket, secret ? 'needed' : 'none');
  return { fake, media, call, session: fake.session };
}

test('joining publishes what there is and shows it last', async () => {
  const { call, media, session } = await joined();
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  assert.equal(call.state.get().phase, 'connected');
  assert.equal(call.state.get().publishing, 'on');
  assert.deepEqual(
    tilesOf(call.state.get(), media.state.get()).map((tile) => [tile.key, tile.name, tile.own]),
    [
      ['his', 'Ben', false],
      ['own', 'Ana', true],
    ],
  );
});

test('a refused token brings the join page back, with the reason', async () => {
  const { call } = await joined((fake) => {
    fake.session.connectError = { name: 'OT_AUTHENTICATION_ERROR', message: 'expired' };
  });
  assert.equal(call.state.get().phase, 'idle');
  assert.match(call.state.get().problem?.title ?? '', /token/);
});

test('a role that may not publish sends nothing', async () => {
  const { call } = await joined((fake) => {
    fake.session.capabilities = { publish: 0, forceDisconnect: 0, forceMute: 0 };
  });
  assert.equal(call.state.get().publishing, 'off');
  assert.deepEqual(call.state.get().may, { publish: false, mute: false, disconnect: false, archive: false });
});

test('what a session refuses to carry is said, and the call goes on without it', async () => {
  const { call, media } = await joined((fake) => {
    fake.session.publishError = { name: 'OT_STREAM_CREATE_FAILED', message: 'The limit of 16 is reached' };
  });
  assert.equal(call.state.get().phase, 'connected');
  assert.equal(call.state.get().publishing, 'off');
  assert.match(call.state.get().notice?.text ?? '', /limit of 16/);
  assert.equal(media.state.get().status, 'off');
});

test('who is recorded knows it until the last archive has stopped, and is told of that', async () => {
  const { call, session } = await joined();
  assert.equal(call.state.get().may.archive, true);
  session.emit('archiveStarted', { id: 'first' });
  session.emit('archiveStarted', { id: 'second' });
  assert.deepEqual(call.state.get().archives, ['first', 'second']);
  session.emit('archiveStopped', { id: 'first' });
  assert.deepEqual(call.state.get().archives, ['second']);
  assert.equal(call.state.get().notice, null);
  session.emit('archiveStopped', { id: 'second' });
  assert.deepEqual(call.state.get().archives, []);
  assert.equal(call.state.get().notice?.text, 'The recording has ended.');
});

test('a stream follows its publisher until it ends', async () => {
  const { call, session } = await joined();
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  session.emit('streamPropertyChanged', { stream: fakeStream('his', ben, { hasAudio: false }) });
  assert.equal(call.state.get().remote[0]?.hasAudio, false);
  session.subscribers.get('his')?.emit('videoDisabled', { reason: 'quality' });
  assert.equal(call.state.get().remote[0]?.fallback, true);
  session.emit('streamDestroyed', { stream: fakeStream('his', ben) });
  assert.deepEqual(call.state.get().remote, []);
});

test('a stream whose leg is refused says so in its tile', async () => {
  const { call, session } = await joined();
  session.subscribeError = { name: 'OT_MEDIA_SUITE_REFUSED', message: 'weak' };
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  await Promise.resolve();
  assert.match(call.state.get().remote[0]?.problem?.title ?? '', /too weak/);
});

test('who is loud enough is shown as speaking, until the microphone is off', async () => {
  const { call, media, session } = await joined();
  const speaking = () => tilesOf(call.state.get(), media.state.get()).map((tile) => tile.speaking);
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  const levels = [
    { streamId: 'own-camera', level: -30 },
    { streamId: 'his', level: -60 },
  ];
  session.emit('cloister:speakers', { levels });
  assert.deepEqual(speaking(), [true, true]);
  media.setMicrophone(false);
  assert.deepEqual(speaking(), [true, false]);
  session.emit('cloister:speakers', { levels: [{ streamId: 'his', level: -61 }] });
  assert.deepEqual(speaking(), [false, false]);
});

test('people come and go, each once', async () => {
  const { call, session } = await joined();
  session.emit('connectionCreated', { connection: ben });
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  assert.deepEqual(
    call.state.get().people.map((person) => person.name),
    ['Ana', 'Ben'],
  );
  session.emit('connectionDestroyed', { connection: ben });
  assert.equal(call.state.get().people.length, 1);
  assert.equal(call.seenPeople.get('ben'), 'Ben');
});

test('chat lines are signals of the type chat; others are not shown', async () => {
  const { call, session } = await joined();
  await call.say('hello');
  assert.deepEqual(session.asked, [['signal', { type: 'chat', data: 'hello' }]]);
  session.emit('signal', { type: 'signal:chat', data: 'hello', from: session.connection });
  session.emit('signal', { type: 'signal:chat', data: 'hi', from: ben });
  session.emit('signal', { type: 'signal:other', data: 'x', from: ben });
  assert.deepEqual(
    call.state.get().chat.map((line) => [line.name, line.own, line.text]),
    [
      ['Ana', true, 'hello'],
      ['Ben', false, 'hi'],
    ],
  );
});

test('a line that did not go out is said to have failed', async () => {
  const { call, session } = await joined();
  session.signalError = { name: 'OT_RATE_LIMIT_EXCEEDED', message: 'Too many signals' };
  assert.equal(await call.say('hello'), false);
  assert.equal(call.state.get().notice?.tone, 'problem');
});

test('a moderator mutes one, mutes all but itself, and disconnects', async () => {
  const { call, session } = await joined();
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  await call.mute('his');
  await call.muteOthers();
  await call.disconnectPerson('ben');
  assert.deepEqual(session.asked, [
    ['mute', 'his'],
    ['muteAll', ['own-camera']],
    ['forceDisconnect', 'ben'],
  ]);
});

test('a cut of the network is shown until it is over', async () => {
  const { call, session } = await joined();
  session.emit('sessionReconnecting');
  assert.equal(call.state.get().phase, 'reconnecting');
  session.emit('sessionReconnected');
  assert.equal(call.state.get().phase, 'connected');
});

test('being disconnected ends the call with its reason and lets the camera go', async () => {
  const { fake, call, session } = await joined();
  session.emit('sessionDisconnected', { reason: 'forceDisconnected' });
  assert.equal(call.state.get().phase, 'ended');
  assert.match(call.state.get().problem?.title ?? '', /moderator/);
  assert.equal(fake.publishers[0]?.destroyed, true);
});

test('leaving is at once, and what the old session still tells is not heard', async () => {
  const { call, session } = await joined();
  call.leave();
  assert.equal(call.state.get().phase, 'ended');
  assert.deepEqual(session.asked, [['disconnect']]);
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  session.emit('sessionDisconnected', { reason: 'networkDisconnected' });
  assert.deepEqual(call.state.get().remote, []);
  assert.match(call.state.get().problem?.title ?? '', /left/);
  call.reset();
  assert.equal(call.state.get().phase, 'idle');
});

test('a screen is shared beside the camera until its window is closed', async () => {
  const { fake, call, media, session } = await joined();
  await call.shareScreen();
  assert.equal(call.state.get().screen, 'on');
  assert.equal(call.seenStreams.get('own-screen')?.kind, 'screen');
  assert.equal(tilesOf(call.state.get(), media.state.get()).length, 2);
  fake.publishers[1]?.emit('mediaStopped', { track: undefined });
  assert.equal(call.state.get().screen, 'off');
  assert.deepEqual(session.asked, [['unpublish', 'own-screen']]);
});

test('closing the picker of screens is no failure', async () => {
  const { fake, call } = await joined();
  fake.captureError = { name: 'OT_USER_MEDIA_ACCESS_DENIED', message: 'cancelled' };
  await call.shareScreen();
  assert.equal(call.state.get().screen, 'off');
  assert.equal(call.state.get().notice, null);
});

test('a session is joined with the secret that there is, and otherwise with none', async () => {
  const [sealed, open] = [await joined(undefined, 'what both know'), await joined()];
  assert.deepEqual(sealed.fake.sessionOptions, { encryptionSecret: 'what both know' });
  assert.equal(sealed.call.state.get().secretUse, 'needed');
  assert.deepEqual(open.fake.sessionOptions, {});
});

test('who has another secret is named once, however much they send, until the secrets are the same', async () => {
  const { call, media, session } = await joined(undefined, 'what both know');
  session.emit('streamCreated', { stream: fakeStream('his', ben) });
  session.emit('streamCreated', { stream: fakeStream('his-screen', ben, { videoType: 'screen' }) });
  const heard = (name: string) => {
    for (const stream of ['his', 'his-screen']) session.subscribers.get(stream)?.emit(name);
    const understood = tilesOf(call.state.get(), media.state.get()).map((tile) => tile.understood);
    return { strangers: strangersOf(call.state.get()), understood };
  };
  assert.deepEqual(heard('encryptionSecretMismatch'), { strangers: ['Ben'], understood: [false, false, true] });
  assert.deepEqual(heard('encryptionSecretMatch'), { strangers: [], understood: [true, true, true] });
});

test('another secret is taken by the session first, and kept for joining again; one that is refused changes nothing', async () => {
  const { call, session } = await joined(undefined, 'what both know');
  assert.equal(await call.changeSecret('what is new'), true);
  assert.deepEqual(session.asked, [['secret', 'what is new']]);
  session.secretError = { name: 'OT_NOT_CONNECTED', message: 'not now' };
  assert.equal(await call.changeSecret('never taken'), false);
  call.leave();
  assert.equal(call.secret.get().value, 'what is new');
  assert.ok(!JSON.stringify(call.state.get()).includes('what is new'));
});

test('without a secret, keys that differ are put down to that first, and no other failure is', async () => {
  const problem = async (error: { message: string; detail?: 'keysDiffer' }) => {
    const { call, session } = await joined();
    call.state.set({ secretUse: 'possible' });
    session.subscribeError = { name: 'OT_CREATE_PEER_CONNECTION_FAILED', ...error };
    session.emit('streamCreated', { stream: fakeStream('his', ben) });
    await Promise.resolve();
    return call.state.get().remote[0]?.problem?.text ?? '';
  };
  assert.match(await problem({ message: 'The keys differ', detail: 'keysDiffer' }), /join again with it/);
  assert.equal(await problem({ message: 'The handshake failed' }), 'The handshake failed.');
});
