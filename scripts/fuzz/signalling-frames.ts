/**
 * Signalling frames: rubbish, valid frames with one thing changed, and requests with any data, through the reader and
 * a real channel over the real rules. Whatever comes in, the answer is a named refusal, never `Internal`, and never an
 * exception that escapes.
 */
import { events, limits, requests } from '@cloister/protocol';
import fc from 'fast-check';
import type { Core, Session } from '../../packages/server/src/core/index.ts';
import { Channel, readFrame } from '../../packages/server/src/signalling/index.ts';
import { camera, rtpParameters, type TestClient, type TestPlatform, testPlatform } from '../../tests/core/platform.ts';
import { liveRoom, oddValue, Tally } from './opentok.ts';

export const name = 'signalling frames';

/** Fields with which every request can do something; odd ones are laid over them. */
const right = (room: Room) => ({
  direction: 'send',
  transportId: 't1',
  suite: 'AEAD_AES_256_GCM',
  dtlsVersion: 'DTLS 1.2',
  dtlsParameters: { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: '00' }] },
  videoType: 'camera',
  hasAudio: true,
  hasVideo: true,
  kind: 'audio',
  rtpParameters,
  rtpCapabilities: {},
  streamId: room.streamId,
  connectionId: room.connectionId,
  active: true,
  type: 'x',
  to: { kind: 'session' },
  message: {
    kind: 'description',
    build: 1,
    type: 'offer',
    sdp: 'v=0',
    tracks: [{ mid: '0', streamId: 's', kind: 'audio' }],
  },
  build: 1,
});
const fieldNames = [
  ...Object.keys(right({ streamId: '', connectionId: '' } as Room)),
  'preferred',
  'excludedStreamIds',
];

/** Requests come under their next number, as a client sends them, or under another. */
const request = (room: Room) =>
  fc
    .tuple(
      fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...Object.keys(requests)) },
        { weight: 1, arbitrary: fc.oneof(fc.constantFrom('constructor', '__proto__', ''), fc.string()) },
      ),
      fc.oneof({ weight: 19, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.integer() }),
      fc.oneof(
        { weight: 9, arbitrary: fc.dictionary(fc.constantFrom(...fieldNames), oddValue, { maxKeys: 3 }) },
        { weight: 1, arbitrary: fc.anything() },
      ),
      fc.boolean(),
    )
    .map(([method, id, data, whole]) => ({
      type: 'request',
      id: id ?? room.nextId,
      method,
      data: whole ? { ...right(room), ...(data as object) } : data,
    }));

const otherFrame = fc.oneof(
  fc.record({ type: fc.constant('hello'), version: fc.integer(), ticket: fc.string() }),
  fc.record({
    type: fc.constant('resume'),
    version: fc.integer(),
    connectionId: fc.string(),
    resumeKey: fc.string(),
    lastSeq: fc.integer(),
  }),
  fc.record({ type: fc.constant('ack'), seq: fc.integer(), answered: fc.option(fc.integer(), { nil: undefined }) }),
  fc.record({ type: fc.constant('ping') }),
);

/** Text as it may come off a socket. A request is made when its turn is, since it needs its number. */
const texts = (room: Room) => {
  const frame = fc.oneof({ weight: 4, arbitrary: request(room) }, { weight: 1, arbitrary: otherFrame });
  return fc.oneof(
    { weight: 1, arbitrary: fc.string({ maxLength: 2000 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 500 }) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 5, arbitrary: frame.map((each) => JSON.stringify(each) ?? '') },
    {
      weight: 1,
      arbitrary: fc.tuple(frame, fc.nat(), fc.string({ minLength: 1, maxLength: 1 })).map(([each, at, letter]) => {
        const whole = JSON.stringify(each) ?? ' ';
        const index = at % whole.length;
        return whole.slice(0, index) + letter + whole.slice(index + 1);
      }),
    },
  );
};

type LiveRoom = Pick<TestPlatform, 'core' | 'projectId' | 'close'> & {
  readonly sessionId: string;
  readonly streamId: string;
  readonly client: TestClient;
};

interface Said {
  readonly type: string;
  readonly id?: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A channel whose client sends what the generator makes; it comes back whenever it has left. */
class Room {
  streamId = '';
  connectionId = '';
  nextId = 1;
  #channel: Channel | null = null;
  #said: Said[] = [];
  readonly #core: Core;
  readonly #session: Session;
  readonly #secretId: string;
  readonly #otherId: string | undefined;

  constructor(core: Core, session: Session, secretId: string, otherId?: string) {
    this.#otherId = otherId;
    this.#core = core;
    this.#session = session;
    this.#secretId = secretId;
  }

  async channel(): Promise<Channel> {
    if (this.#channel) return this.#channel;
    const { clock, journal, calls } = this.#core;
    const channel = new Channel('key', {
      clock,
      journal,
      limiter: { take: () => ({ ok: true }) },
      onEnd: () => {
        this.#channel = null;
      },
    });
    const claims = { role: 'publisher' as const, connectionData: '', layoutClasses: [], secretId: this.#secretId };
    const { id: sessionId, projectId } = this.#session;
    const { ticket } = await calls.join({ ...claims, projectId, sessionId }, 'ws://fuzz');
    const client = await calls.admit(ticket, channel);
    this.connectionId = this.#otherId ?? client.connectionId;
    this.nextId = 1;
    channel.open(client, {
      bufferedAmount: 0,
      send: (frame) => this.#said.push(JSON.parse(frame)),
      close() {},
      terminate() {},
    });
    this.#channel = channel;
    return channel;
  }

  /** The answer to the request that was just taken. */
  async answer(): Promise<Said> {
    const id = this.nextId++;
    for (;;) {
      const found = this.#said.find((each) => each.type === 'answer' && each.id === id);
      this.#said = [];
      if (found) return found;
      await new Promise(setImmediate);
    }
  }
}

/** How a frame ended: the word under which it is counted. @throws when it ended unclearly */
async function send(room: Room, text: string, binary: boolean): Promise<string> {
  const channel = await room.channel();
  const frame = readFrame(text, binary);
  try {
    channel.take(frame);
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message: string };
    if (code !== 'FrameInvalid' || message.length > limits.frameBytes) throw thrown;
    return code;
  }
  if (frame instanceof Error || frame.type !== 'request') return 'read';
  if (frame.id !== room.nextId) return 'repeated';
  const { error } = await room.answer();
  if (error && (error.code === 'Internal' || error.message.includes('[object'))) {
    throw new Error(`unclear: ${error.code}: ${error.message}`);
  }
  return error?.code ?? 'done';
}

/** A relayed session in which somebody publishes; who subscribes to it is a pair with it. */
async function relayedRoom() {
  const platform = await testPlatform();
  const session = await platform.session({ mediaMode: 'relayed' });
  const client = await platform.enter(session);
  const { stream } = await client.client.actions.publish(camera);
  return { ...platform, sessionId: session.id, streamId: stream.streamId, client };
}

/**
 * Half of the frames come in a routed session, half in a relayed one.
 * @param seed of the generator
 * @param cases how many
 * @returns how many frames ended in which way
 * @throws when a frame escapes as anything but a named refusal, or when somebody else in the session is harmed
 */
export async function run(seed: number, cases: number): Promise<Record<string, number>> {
  const tally = new Tally();
  await runIn(await liveRoom(), seed, Math.ceil(cases / 2), tally);
  const relayed = await relayedRoom();
  await runIn(relayed, seed, Math.floor(cases / 2), tally, relayed.client.client.connectionId);
  return tally.counts;
}

/** @param otherId the connection that requests name; left out: their own */
async function runIn(live: LiveRoom, seed: number, cases: number, tally: Tally, otherId?: string): Promise<void> {
  const session = await live.core.sessions.get(live.projectId, live.sessionId);
  const [secret] = await live.core.projects.secretsOf(live.projectId);
  const room = new Room(live.core, session, secret!.id, otherId);
  room.streamId = live.streamId;
  try {
    await fc.assert(
      fc.asyncProperty(texts(room), fc.integer({ min: 0, max: 19 }), async (text, odd) => {
        tally.add(await send(room, text, odd === 0));
        if (live.client.events().includes('close')) throw new Error('the other client was sent away');
        for (const data of live.client.data('peerMessage')) events.peerMessage.parse(data);
        live.client.told.length = 0;
      }),
      { seed, numRuns: cases },
    );
  } finally {
    await live.close();
  }
}
