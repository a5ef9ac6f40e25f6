import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerMessage } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from '../clock.fixture.ts';
import { FakeConnection } from './connection.fixture.ts';
import { Peer } from './peer.ts';

const track = (kind: 'audio' | 'video') => ({ kind }) as MediaStreamTrack;
/** All that was begun is done. */
const passed = async () => {
  for (let turns = 0; turns < 3; turns += 1) await new Promise(setImmediate);
};

// The browser's own list of codecs, which Node has not.
Object.assign(globalThis, { RTCRtpReceiver: { getCapabilities: () => ({ codecs: [] }) } });

/** One end, whose messages wait until they are carried. */
class End {
  readonly clock = new TestClock();
  readonly connection = new FakeConnection();
  readonly said: PeerMessage[] = [];
  readonly told: string[] = [];
  readonly peer: Peer;

  constructor(polite: boolean) {
    this.peer = new Peer({
      polite,
      build: 1,
      configuration: {},
      patienceMs: 10_000,
      clock: this.clock,
      connect: () => this.connection as unknown as RTCPeerConnection,
      observer: {
        say: (message) => void this.said.push(message),
        received: (streamId, kind) => void this.told.push(`received ${streamId} ${kind}`),
        secured: ({ suite, dtlsVersion }) => void this.told.push(`${suite} ${dtlsVersion}`),
        gaveWay: () => void this.told.push('gave way'),
        stalled: () => void this.told.push('stalled'),
        lost: () => void this.told.push('lost'),
        broken: ({ name, message }) => void this.told.push(`${name}: ${message}`),
      },
    });
  }

  send(streamId: string, kind: 'audio' | 'video') {
    return this.peer.send(track(kind), { streamId, encoding: {}, mimeTypes: [] });
  }
}

/** Carries everything both ways until nobody says anything any more. */
async function settle(one: End, other: End): Promise<void> {
  await passed();
  while (one.said.length + other.said.length > 0) {
    const [fromOne, fromOther] = [one.said.splice(0), other.said.splice(0)];
    for (const message of fromOne) other.peer.take(message);
    for (const message of fromOther) one.peer.take(message);
    await passed();
  }
}

test('tracks of both directions go over one connection, and those that come later too', async () => {
  const [one, other] = [new End(true), new End(false)];
  one.send('a', 'audio');
  one.send('a', 'video');
  await settle(one, other);
  assert.deepEqual(other.told, ['received a audio', 'received a video']);
  other.send('b', 'video');
  await settle(one, other);
  assert.deepEqual(one.told, ['received b video']);
  assert.deepEqual([one.connection.signalingState, other.connection.signalingState], ['stable', 'stable']);
});

test('of two offers that meet the impolite end’s counts, and what the polite end has to say follows', async () => {
  const [polite, impolite] = [new End(true), new End(false)];
  polite.send('first', 'audio');
  await settle(polite, impolite);
  polite.send('p', 'audio');
  impolite.send('i', 'video');
  await settle(polite, impolite);
  assert.deepEqual(polite.told, ['received i video']);
  assert.deepEqual(impolite.told, ['received first audio', 'received p audio']);
  assert.deepEqual([polite.connection.rollbacks, impolite.connection.rollbacks], [1, 0]);
});

test('where the first two offers meet, the polite end gives its connection up', async () => {
  const [polite, impolite] = [new End(true), new End(false)];
  polite.send('p', 'audio');
  impolite.send('i', 'video');
  await settle(polite, impolite);
  assert.deepEqual([polite.told, impolite.told], [['gave way'], []]);
  assert.equal(polite.connection.signalingState, 'closed');
});

test('what is not sent any more is not named any more', async () => {
  const [one, other] = [new End(true), new End(false)];
  const sender = one.send('a', 'audio');
  one.send('a', 'video');
  await settle(one, other);
  sender.close();
  sender.close();
  await passed();
  const [offer] = one.said.filter((each) => each.kind === 'description');
  assert.deepEqual(
    offer?.tracks.map(({ kind }) => kind),
    ['video'],
  );
});

test('candidates without a description and answers to nothing are left out, and the pair goes on', async () => {
  const [one, other] = [new End(true), new End(false)];
  const candidate = {
    kind: 'candidate',
    build: 1,
    candidate: 'x',
    sdpMid: '0',
    sdpMLineIndex: 0,
    usernameFragment: null,
  };
  one.peer.take(candidate as PeerMessage);
  one.peer.take({ kind: 'description', build: 1, type: 'answer', sdp: '[]', tracks: [] });
  one.send('a', 'audio');
  await settle(one, other);
  assert.deepEqual(other.told, ['received a audio']);
  // The same answer once more.
  const { remoteDescription } = one.connection;
  one.peer.take({ kind: 'description', build: 1, type: 'answer', sdp: remoteDescription?.sdp ?? '', tracks: [] });
  await settle(one, other);
  assert.deepEqual(one.told, []);
  assert.equal(one.connection.signalingState, 'stable');
});

test('tracks that a description names and does not have, or has of another kind, are not received', async () => {
  const [one, other] = [new End(true), new End(false)];
  one.send('a', 'audio');
  await passed();
  const [offer] = one.said.splice(0).filter((each) => each.kind === 'description');
  const mid = offer?.tracks[0]?.mid as string;
  const tracks = [
    { mid: 'none', streamId: 'a', kind: 'audio' },
    { mid, streamId: 'a', kind: 'video' },
  ];
  other.peer.take({ ...offer, tracks } as PeerMessage);
  await settle(one, other);
  assert.deepEqual(other.told, []);
});

test('a description that is not understood ends the pair with an error that says so', async () => {
  const end = new End(true);
  end.peer.take({ kind: 'description', build: 1, type: 'offer', sdp: 'rubbish', tracks: [] });
  end.peer.take({ kind: 'description', build: 1, type: 'offer', sdp: '[]', tracks: [] });
  await passed();
  assert.equal(end.told.length, 1);
  assert.match(end.told[0] ?? '', /^OT_CREATE_PEER_CONNECTION_FAILED: The other client described .*rubbish/);
  assert.equal(end.connection.signalingState, 'closed');
});

test('a description that would be too long is not said, at peerTracks and one past it', async () => {
  const end = new End(true);
  for (let each = 0; each < limits.peerTracks; each += 1) end.send('s', 'audio');
  await passed();
  assert.equal(end.said[0]?.kind, 'description');
  const more = new End(true);
  for (let each = 0; each <= limits.peerTracks; each += 1) more.send('s', 'audio');
  await passed();
  assert.deepEqual(more.said, []);
  assert.match(more.told[0] ?? '', /publish fewer streams/);
});

test('a connection says its suite when it is up, and again when it carries something else', async () => {
  const [one, other] = [new End(true), new End(false)];
  one.send('a', 'audio');
  await settle(one, other);
  one.connection.become('connected');
  await passed();
  assert.deepEqual(one.told, ['AEAD_AES_128_GCM DTLS 1.2']);
  other.send('b', 'audio');
  await settle(one, other);
  assert.deepEqual(one.told.slice(1), ['received b audio', 'AEAD_AES_128_GCM DTLS 1.2']);
});

test('a way that is gone is looked for again, and a pair that stays broken is lost', async () => {
  const end = new End(true);
  end.send('a', 'audio');
  end.connection.become('connected');
  end.connection.become('disconnected');
  end.clock.advance(999);
  assert.equal(end.connection.restarts, 0);
  end.clock.advance(1);
  assert.equal(end.connection.restarts, 1);
  end.connection.become('connected');
  end.connection.become('failed');
  assert.equal(end.connection.restarts, 2);
  end.connection.become('failed');
  assert.ok(end.told.includes('lost'));
  assert.equal(end.connection.signalingState, 'closed');
});

test('a handshake that fails ends the pair at once; while another way is looked for, its state is of the way that is gone', async () => {
  const end = new End(true);
  end.send('a', 'audio');
  end.connection.become('connected');
  end.connection.failHandshake();
  await passed();
  assert.match(end.told[0] ?? '', /^OT_CREATE_PEER_CONNECTION_FAILED: The handshake .* another certificate/);
  assert.deepEqual([end.told.length, end.connection.restarts, end.connection.signalingState], [1, 0, 'closed']);
  const restarting = new End(true);
  restarting.send('a', 'audio');
  restarting.connection.become('connected');
  restarting.peer.restart();
  restarting.connection.failHandshake();
  assert.deepEqual(restarting.told, ['lost']);
});

test('a restart that keeps the way it had is over after its time, so that another may come', async () => {
  const end = new End(true);
  end.connection.become('connected');
  end.peer.restart();
  end.peer.restart();
  assert.equal(end.connection.restarts, 1);
  end.clock.advance(5000);
  end.peer.restart();
  assert.equal(end.connection.restarts, 2);
  assert.ok(!end.told.includes('lost'));
});

test('a connection that does not come up in time is lost, and one that was closed says nothing any more', async () => {
  const end = new End(true);
  end.clock.advance(9999);
  assert.deepEqual(end.told, []);
  end.clock.advance(1);
  assert.deepEqual(end.told, ['lost']);
  const closed = new End(true);
  closed.send('a', 'audio');
  closed.peer.close();
  await passed();
  closed.clock.advance(20_000);
  assert.deepEqual([closed.told, closed.said], [[], []]);
});
