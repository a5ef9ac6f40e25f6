/** Parameters that are right but for one place, which holds something else: the client is told, the worker lives. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dtlsParameters, PlatformError, rtpCapabilities, rtpParameters } from '@cloister/protocol';
import fc from 'fast-check';
import type { MediaPeer } from '../core/index.ts';
import { FarClient, FarWorker, startPlane } from './media-fixtures.ts';
import type { Plane } from './plane.ts';

const numRuns = process.env.CLOISTER_TEST_FULL ? 5000 : 400;
const seed = Number(process.env.CLOISTER_SEED ?? 1) | 0;

let plane: Plane;
let far: FarWorker;
before(async () => {
  [plane, far] = await Promise.all([startPlane(), FarWorker.start()]);
});
after(async () => {
  far.close();
  await plane.close();
});

const rubbish = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    '',
    {},
    [],
    -1,
    0,
    1,
    127,
    128,
    255,
    256,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
  ),
  fc.integer(),
  fc.double(),
  fc.string({ maxLength: 300 }),
  fc.constantFrom('L9T9', 'S3T3', 'L1T3_KEY', 'video/rtx', 'audio/opus', 'transport-cc', 'sendrecv', 'sha-1'),
);

/** Every place in a value, as the keys that lead to it. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function replace(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...(value as object) };
  (copy as Record<string, unknown>)[key] = replace((value as Record<string, unknown>)[key], rest, by);
  return copy;
}

/** Tries a value with one or two places replaced, as often as the run says; what the schema refuses never gets here. */
async function tryRubbish<Value>(
  right: Value,
  schema: { safeParse(value: unknown): { success: true; data: Value } | { success: false } },
  attempt: (value: Value) => Promise<void>,
): Promise<void> {
  const place = fc.constantFrom(...placesOf(right));
  const edit = fc.record({ place, by: rubbish });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 2 }), async (edits) => {
      const wrong = edits.reduce<unknown>((value, { place, by }) => {
        // The second place may be inside the first, and gone.
        try {
          return replace(value, place, by);
        } catch {
          return value;
        }
      }, right);
      const parsed = schema.safeParse(wrong);
      if (!parsed.success) return;
      try {
        await attempt(parsed.data);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        assert.ok(
          ['MediaParametersInvalid', 'DtlsRoleRefused'].includes(error.code),
          `${error.code}: ${error.message}`,
        );
        assert.notEqual(error.message, '');
      }
      assert.equal(plane.pool.running[0]?.alive, true);
    }),
    { numRuns, seed },
  );
}

test('RTP parameters of a publisher', async () => {
  const room = await plane.openRoom('publisher');
  const client = await FarClient.join(room, far, 'a');
  await client.connect('send');
  const source = await far.source('video', 3);
  const sender = await client.transport('send').consume({
    producerId: source.producer.id,
    rtpCapabilities: far.router.rtpCapabilities,
    pipe: true,
  });
  await tryRubbish(rtpParameters.parse(sender.rtpParameters), rtpParameters, async (wrong) => {
    const track: Parameters<MediaPeer['produce']>[0] = {
      streamId: 'stream',
      kind: 'video',
      rtpParameters: wrong,
      paused: false,
      audioFallback: true,
      dimensions: { width: 1280, height: 720 },
      frameRate: 30,
    };
    try {
      await client.peer.produce(track);
      await client.peer.allowStream('stream');
    } finally {
      client.peer.closeStream('stream');
    }
  });
  assert.deepEqual(client.notes.of('mediaLost'), []);
  room.close();
});

test('RTP capabilities of a subscriber', async () => {
  const room = await plane.openRoom('subscriber');
  const publisher = await FarClient.join(room, far, 'publisher');
  const subscriber = await FarClient.join(room, far, 'subscriber');
  await Promise.all([publisher.connect('send'), subscriber.connect('receive')]);
  await publisher.publish('stream', await far.source('audio'));
  await publisher.publish('stream', await far.source('video', 3));
  await publisher.peer.allowStream('stream');
  await tryRubbish(rtpCapabilities.parse(far.rtpCapabilities), rtpCapabilities, async (wrong) => {
    try {
      await subscriber.peer.subscribe({ streamId: 'stream', rtpCapabilities: wrong, audio: true, video: true });
      await subscriber.peer.resumeSubscription('stream');
      await subscriber.peer.allowSubscription('stream');
    } finally {
      subscriber.peer.closeSubscription('stream');
    }
  });
  assert.equal(plane.capacity().used, 0);
  assert.deepEqual([...publisher.notes.of('mediaLost'), ...subscriber.notes.of('mediaLost')], []);
  room.close();
});

test('DTLS parameters', async () => {
  const room = await plane.openRoom('dtls');
  const client = await FarClient.join(room, far, 'a');
  const right = dtlsParameters.parse({ ...(await far.transport()).dtlsParameters, role: 'client' });
  await tryRubbish(right, dtlsParameters, async (wrong) => {
    const { transportId } = await client.peer.openTransport('receive');
    await client.peer.connectTransport(transportId, wrong);
  });
  assert.deepEqual(client.notes.of('mediaLost'), []);
  room.close();
});
