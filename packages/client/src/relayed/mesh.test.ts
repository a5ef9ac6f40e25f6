import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventData, EventName, MediaKind, PeerMessage, RequestName } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from '../clock.fixture.ts';
import type { FrameLayer } from '../frames/frame-layer.ts';
import { FakeConnection } from './connection.fixture.ts';
import { Mesh, type Sink, type Source } from './mesh.ts';
import type { Peer } from './peer.ts';

Object.assign(globalThis, { RTCRtpReceiver: { getCapabilities: () => ({ codecs: [] }) } });

const wanted = { audio: true, video: true, preferred: null };

/** All that was begun is done. */
const passed = async () => {
  for (let turns = 0; turns < 12; turns += 1) await new Promise(setImmediate);
};

/** The server, as far as it passes things on; while it is slow they wait. */
class Room {
  readonly clients = new Map<string, Client>();
  /** What is told instead; null: nothing. */
  meddle: (message: PeerMessage, from: string) => PeerMessage | null = (message) => message;
  #held: (() => void)[] | null = null;

  set slow(slow: boolean) {
    const held = this.#held ?? [];
    this.#held = slow ? held : null;
    if (!slow) for (const pass of held) pass();
  }

  pass(from: string, to: string, message: PeerMessage): void {
    const told = this.meddle(message, from);
    if (!told) return;
    const pass = () => this.clients.get(to)?.hears('peerMessage', { connectionId: from, message: told });
    if (this.#held) this.#held.push(pass);
    else pass();
  }
}

/** A frame layer without its worker. */
const layer = () => {
  const nothing = () => undefined;
  const orders = { hold: nothing, clear: nothing, seal: nothing, open: nothing, forget: nothing };
  return { ...orders, sealWith: nothing, openWith: nothing } as unknown as FrameLayer;
};

class Client {
  readonly id: string;
  readonly clock = new TestClock();
  readonly connections: FakeConnection[] = [];
  readonly said: { to: string; message: PeerMessage }[] = [];
  readonly reported: string[] = [];
  /** What it said of frames there. */
  readonly words: unknown[] = [];
  readonly told: string[] = [];
  readonly mesh: Mesh;

  /** What its application's secret was stretched to. */
  secret: Uint8Array<ArrayBuffer> | null = null;

  /** @param sealed whether it can encrypt frames, as its session asks for */
  constructor(room: Room, id: string, sealed = false) {
    this.id = id;
    room.clients.set(id, this);
    const request = async (name: RequestName, data: object) => {
      const { connectionId, message, build } = data as { connectionId: string; message: PeerMessage; build: number };
      if (name === 'reportPeerSuite') {
        this.reported.push(`${connectionId} ${build}`);
        const { suite, frameLayer, frames } = data as Record<string, unknown>;
        this.words.push({ suite, frameLayer, frames });
      } else {
        this.said.push({ to: connectionId, message });
        room.pass(id, connectionId, message);
      }
      return {};
    };
    this.mesh = new Mesh({
      wire: { request: request as never },
      clock: this.clock,
      ownId: id,
      iceServers: [],
      transportPolicy: 'all',
      frames: sealed
        ? {
            sessionId: 's',
            ownId: id,
            layer: layer(),
            required: false,
            clock: this.clock,
            secret: async () => this.secret,
          }
        : null,
      stalled: () => void this.told.push('stalled'),
      connect: () => {
        const connection = new FakeConnection();
        this.connections.push(connection);
        return connection as unknown as RTCPeerConnection;
      },
    });
  }

  get newest(): FakeConnection {
    return this.connections.at(-1) as FakeConnection;
  }

  hears<Name extends EventName>(name: Name, data: EventData<Name>): void {
    this.mesh.event(name, data);
  }

  source(streamId: string): Source {
    return {
      streamId,
      sendTo: (connectionId: string, peer: Peer) => {
        this.told.push(`send ${streamId} to ${connectionId} ${peer.build}`);
        peer.send({ kind: 'audio' } as MediaStreamTrack, { streamId, encoding: {}, mimeTypes: [] });
      },
      dropped: () => {},
      failed: (connectionId, { name }) => void this.told.push(`${streamId} does not reach ${connectionId}: ${name}`),
    };
  }

  sink(streamId: string, connectionId: string): Sink {
    return {
      streamId,
      connectionId,
      received: (kind: MediaKind) => void this.told.push(`received ${streamId} ${kind}`),
      lost: () => void this.told.push(`lost ${streamId}`),
      failed: ({ name }) => void this.told.push(`failed ${streamId} ${name}`),
      understood: (understood) => void this.told.push(`${understood ? 'no' : 'another'} secret keeps ${streamId} away`),
    };
  }
}

/** Ana publishes `a` to Ben, who publishes `b` to nobody yet. */
async function pair(meddle: Room['meddle'] | null = null) {
  const room = new Room();
  const sealed = meddle !== null;
  if (meddle) room.meddle = meddle;
  const [ana, ben] = [new Client(room, 'ana', sealed), new Client(room, 'ben', sealed)];
  ana.mesh.publish(ana.source('a'));
  ben.mesh.publish(ben.source('b'));
  const sink = ben.sink('a', 'ana');
  ben.mesh.expect(sink);
  ana.hears('peerSubscribed', { streamId: 'a', connectionId: 'ben', wanted });
  await passed();
  return { room, ana, ben, sink };
}

test('a pair has one connection for both directions, and it is closed when nobody needs it', async () => {
  const { ana, ben, sink } = await pair();
  ana.mesh.expect(ana.sink('b', 'ben'));
  ben.hears('peerSubscribed', { streamId: 'b', connectionId: 'ana', wanted });
  await passed();
  assert.deepEqual([ana.connections.length, ben.connections.length], [1, 1]);
  assert.deepEqual(ana.told, ['send a to ben 1', 'received b audio']);
  assert.deepEqual(ben.told, ['received a audio', 'send b to ana 1']);
  ben.mesh.forget(sink);
  ana.hears('peerUnsubscribed', { streamId: 'a', connectionId: 'ben' });
  assert.equal(ben.newest.signalingState, 'stable');
  ben.hears('peerUnsubscribed', { streamId: 'b', connectionId: 'ana' });
  assert.equal(ben.newest.signalingState, 'closed');
});

test('two who begin at the same time meet, and each gets what the other sends', async () => {
  const room = new Room();
  const [ana, ben] = [new Client(room, 'ana'), new Client(room, 'ben')];
  for (const [one, other, own, wish] of [
    [ana, ben, 'a', 'b'],
    [ben, ana, 'b', 'a'],
  ] as const) {
    one.mesh.publish(one.source(own));
    one.mesh.expect(one.sink(wish, other.id));
  }
  room.slow = true;
  ana.hears('peerSubscribed', { streamId: 'a', connectionId: 'ben', wanted });
  ben.hears('peerSubscribed', { streamId: 'b', connectionId: 'ana', wanted });
  await passed();
  room.slow = false;
  await passed();
  assert.ok(ana.told.includes('received b audio') && ben.told.includes('received a audio'));
  // Ana, whose id is the lower, began again with Ben's offer.
  assert.deepEqual([ana.connections.length, ben.connections.length], [2, 1]);
  assert.deepEqual([ana.newest.rollbacks, ben.newest.rollbacks], [0, 0]);
});

test('who subscribed before the stream was taken in gets it as soon as it is', async () => {
  const room = new Room();
  const [ana, ben] = [new Client(room, 'ana'), new Client(room, 'ben')];
  ben.mesh.expect(ben.sink('a', 'ana'));
  ana.hears('peerSubscribed', { streamId: 'a', connectionId: 'ben', wanted });
  ana.mesh.publish(ana.source('a'));
  await passed();
  assert.deepEqual(ben.told, ['received a audio']);
});

test('each end reports the suite of the connection that it has', async () => {
  const { ana, ben } = await pair();
  ana.newest.become('connected');
  ben.newest.become('connected');
  await passed();
  assert.deepEqual([ana.reported, ben.reported], [['ben 1'], ['ana 1']]);
  assert.equal(ana.mesh.suiteWith('ben'), 'AEAD_AES_128_GCM');
  assert.equal(ana.mesh.suiteWith('nobody'), null);
});

test('a connection that stays broken is built anew at both ends, and what went over it goes over the next', async () => {
  const { ana, ben } = await pair();
  ana.newest.become('failed');
  ana.newest.become('failed');
  await passed();
  assert.deepEqual(ana.told, ['send a to ben 1', 'send a to ben 2']);
  assert.deepEqual(ben.told, ['received a audio', 'lost a', 'received a audio']);
  assert.deepEqual([ana.connections.length, ben.connections.length], [2, 2]);
  assert.equal(ana.connections[0]?.signalingState, 'closed');
});

test('both ends may find a connection broken at the same time, and the receiver alone too', async () => {
  const { ana, ben } = await pair();
  for (const { newest } of [ana, ben]) {
    newest.become('failed');
    newest.become('failed');
  }
  await passed();
  assert.equal(ben.told.at(-1), 'received a audio');
  assert.equal(ana.mesh.peer('ben')?.build, ben.mesh.peer('ana')?.build);
  ben.newest.become('failed');
  ben.newest.become('failed');
  await passed();
  assert.equal(ben.told.at(-1), 'received a audio');
  assert.equal(ana.mesh.peer('ben')?.build, ben.mesh.peer('ana')?.build);
});

test('a word of a connection that is gone is not heard, before and after there is another', async () => {
  const { ana, ben, sink } = await pair();
  const old = ana.said.map(({ message }) => message);
  ben.mesh.forget(sink);
  for (const message of old) ben.hears('peerMessage', { connectionId: 'ana', message });
  ana.hears('peerUnsubscribed', { streamId: 'a', connectionId: 'ben' });
  ben.mesh.expect(ben.sink('a', 'ana'));
  for (const message of old) ben.hears('peerMessage', { connectionId: 'ana', message });
  assert.equal(ben.connections.length, 1);
  ana.hears('peerSubscribed', { streamId: 'a', connectionId: 'ben', wanted });
  await passed();
  for (const message of old) ben.hears('peerMessage', { connectionId: 'ana', message });
  await passed();
  assert.equal(ben.told.at(-1), 'received a audio');
  assert.equal(ben.mesh.peer('ana')?.build, 2);
});

test('messages of those with whom there is no pair are left out', async () => {
  const { room, ben } = await pair();
  const message: PeerMessage = { kind: 'description', build: 9, type: 'offer', sdp: '[]', tracks: [] };
  room.pass('stranger', 'ben', message);
  await passed();
  assert.equal(ben.connections.length, 1);
});

test('a stream that a third client claims is not taken from it', async () => {
  const { room, ben } = await pair();
  ben.mesh.expect(ben.sink('c', 'cem'));
  const cem = new Client(room, 'cem');
  // Names its own track as Ana's stream.
  cem.mesh.publish(cem.source('a'));
  cem.hears('peerSubscribed', { streamId: 'a', connectionId: 'ben', wanted });
  await passed();
  assert.deepEqual(ben.told, ['received a audio']);
});

test('a description that is not understood ends that pair alone', async () => {
  const { room, ben } = await pair();
  ben.mesh.expect(ben.sink('c', 'cem'));
  const message: PeerMessage = { kind: 'description', build: 1, type: 'offer', sdp: 'rubbish', tracks: [] };
  room.pass('cem', 'ben', message);
  await passed();
  assert.deepEqual(ben.told.slice(1), ['failed c OT_CREATE_PEER_CONNECTION_FAILED']);
  assert.equal(ben.mesh.peer('cem'), null);
  assert.equal(ben.connections[0]?.signalingState, 'stable');
});

test('who leaves takes the pair along, and nothing is sent to it any more', async () => {
  const { ana } = await pair();
  ana.hears('connectionDestroyed', { connectionId: 'ben', reason: 'clientDisconnected' });
  assert.equal(ana.newest.signalingState, 'closed');
  assert.equal(ana.mesh.peer('ben'), null);
});

test('a pair whose packets stopped is told of, and built anew when the wire comes back', async () => {
  const { ana, ben } = await pair();
  const { newest } = ben;
  newest.become('connected');
  for (let looks = 0; looks < 8; looks += 1) {
    newest.received += looks < 6 ? 100 : 0;
    ben.clock.advance(300);
    await passed();
  }
  assert.deepEqual(ben.told, ['received a audio', 'stalled']);
  ben.mesh.repair();
  await passed();
  assert.deepEqual(ben.told.slice(2), ['lost a', 'received a audio']);
  assert.equal(ana.mesh.peer('ben')?.build, 2);
});

test('on another network every pair looks for a way, after a cut of the wire those that have none', async () => {
  const { ana, ben } = await pair();
  ana.newest.become('connected');
  ben.newest.become('connecting');
  ana.mesh.repair();
  ben.mesh.repair();
  assert.deepEqual([ana.newest.restarts, ben.newest.restarts], [0, 1]);
  ana.mesh.restartIce();
  assert.equal(ana.newest.restarts, 1);
});

test('who publishes only is told as well that a pair cannot be used', async () => {
  const { room, ana } = await pair();
  room.pass('ben', 'ana', { kind: 'description', build: 1, type: 'offer', sdp: 'rubbish', tracks: [] });
  await passed();
  assert.equal(ana.told.at(-1), 'a does not reach ben: OT_CREATE_PEER_CONNECTION_FAILED');
});

/** Resolves once all that is computed of keys is done, too. */
const agreed = async (done: () => boolean) => {
  while (!done()) await passed();
};

/** Ana, who publishes to Ben, is told that he cannot encrypt frames; he is not told that of her. */
function deceived(more: (message: PeerMessage) => PeerMessage | null = (message) => message) {
  return pair((message, from) =>
    message.kind === 'frameKey' && from === 'ben' ? { ...message, publicKey: null } : more(message),
  );
}

const proofMs = limits.peerProofSeconds * 1000;
const anaSaid = { frameLayer: null, frames: { own: true, other: false } };
const benSaid = { frameLayer: null, frames: { own: true, other: true } };
const said = (client: Client, kind: PeerMessage['kind']) => client.said.some(({ message }) => message.kind === kind);

test('a downgrade of one end is reported by both and ends the pair at both, publisher and subscriber', async () => {
  const { ana, ben } = await deceived();
  await agreed(() => said(ben, 'frameProof'));
  for (const { newest } of [ana, ben]) newest.become('connected');
  await passed();
  ben.clock.advance(proofMs);
  await passed();
  assert.deepEqual(ana.words, [{ suite: 'AEAD_AES_128_GCM', ...anaSaid }]);
  assert.deepEqual(ben.words, [{ suite: 'AEAD_AES_128_GCM', ...benSaid }]);
  assert.equal(ana.told.at(-1), 'a does not reach ben: OT_CREATE_PEER_CONNECTION_FAILED');
  assert.equal(ben.told.at(-1), 'failed a OT_CREATE_PEER_CONNECTION_FAILED');
  for (const { newest } of [ana, ben]) assert.equal(newest.signalingState, 'closed');
});

test('a made-up proof does not keep the word of its reader out of the record', async () => {
  const { room, ana, ben } = await deceived();
  await agreed(() => said(ben, 'frameProof'));
  room.pass('ana', 'ben', { kind: 'frameProof', build: 1, proof: 'A'.repeat(43) });
  await passed();
  assert.deepEqual([ana.words, ben.words], [[{ suite: 'unknown', ...anaSaid }], [{ suite: 'unknown', ...benSaid }]]);
  for (const { newest } of [ana, ben]) assert.equal(newest.signalingState, 'closed');
});

test('where the connection has not come up, over which nothing can go, a proof is waited for', async () => {
  const { ana, ben } = await deceived();
  await agreed(() => said(ben, 'frameProof'));
  ben.clock.advance(proofMs);
  await passed();
  assert.deepEqual([ana.words, ben.words], [[], []]);
  for (const { newest } of [ana, ben]) newest.become('connected');
  await passed();
  ben.clock.advance(proofMs);
  await passed();
  assert.deepEqual(ben.words, [{ suite: 'AEAD_AES_128_GCM', ...benSaid }]);
});

test('an end that is not told that the pair was ended gets no other connection, until somebody subscribes anew', async () => {
  const { room, ana, ben } = await deceived((message) => (message.kind === 'frameRefused' ? null : message));
  await agreed(() => said(ben, 'frameProof'));
  for (const { newest } of [ana, ben]) newest.become('connected');
  await passed();
  ben.clock.advance(proofMs);
  ana.newest.become('failed');
  ana.newest.become('failed');
  await passed();
  assert.deepEqual([ana.mesh.peer('ben')?.build, ben.connections.length], [2, 1]);
  room.meddle = (message) => message;
  ben.hears('peerSubscribed', { streamId: 'b', connectionId: 'ana', wanted });
  await passed();
  assert.equal(ben.mesh.peer('ana')?.build, 2);
});

test('who has a secret learns that the other has another, whether keys were compared here first or there', async () => {
  for (const comparing of [true, false]) {
    const { room, ana, ben } = await pair((message, from) =>
      message.kind === 'frameRefused' || (from === 'ana' && message.kind === 'frameProof') ? null : message,
    );
    ben.secret = new Uint8Array(32);
    await agreed(() => said(ana, 'frameProof') && said(ben, 'frameProof'));
    room.meddle = (message) => message;
    if (comparing) room.pass('ana', 'ben', { kind: 'frameProof', build: 1, proof: 'A'.repeat(43) });
    await passed();
    room.pass('ana', 'ben', { kind: 'frameRefused', build: 1 });
    await passed();
    assert.deepEqual(ben.told.slice(-2), ['another secret keeps a away', 'failed a OT_CREATE_PEER_CONNECTION_FAILED']);
  }
});
