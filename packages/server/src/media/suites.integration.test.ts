/**
 * Many transports of one worker that connect and close at once, some from a client with AES-256 and some from one
 * without: no leg may be given a suite that is not its own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Suite } from '@cloister/protocol';
import type { MediaRoom } from '../core/index.ts';
import { FarClient, FarWorker, Notes, startPlane, until } from './media-fixtures.ts';
import { WeakClients } from './weak-fixtures.ts';

interface Connected {
  readonly suite: Suite;
  close(): void;
}

async function connectWeak(room: MediaRoom, clients: WeakClients): Promise<Connected> {
  const notes = new Notes();
  const peer = await room.join('weak', notes);
  const offer = await peer.openTransport('send');
  await clients.open(offer, (dtlsParameters) => peer.connectTransport(offer.transportId, dtlsParameters));
  const suite = await until(() => notes.of('transportConnected')[0]?.[2], 'the weak transport is reported', 30);
  return {
    suite,
    close() {
      clients.close(offer.transportId);
      peer.close();
    },
  };
}

async function connectStrong(room: MediaRoom, far: FarWorker): Promise<Connected> {
  const client = await FarClient.join(room, far, 'strong');
  const suite = await client.connect('send');
  return { suite, close: () => client.close() };
}

test('fifty transports of one worker, half of them weak, connecting and closing at once: no wrong suite', async (t) => {
  const [plane, far] = await Promise.all([startPlane(), FarWorker.start()]);
  const room = await plane.openRoom('mixed');
  const clients = await WeakClients.start(room.rtpCapabilities);
  t.after(async () => {
    clients.end();
    far.close();
    await plane.close();
  });
  const connections = Array.from({ length: 50 }, async (_, index) => {
    const weak = index % 2 === 1;
    const { suite, close } = await (weak ? connectWeak(room, clients) : connectStrong(room, far));
    // The next ones are still shaking hands while this one goes.
    close();
    return { weak, suite };
  });
  for (const { weak, suite } of await Promise.all(connections)) {
    assert.equal(suite, weak ? 'AES_CM_128_HMAC_SHA1_80' : 'AEAD_AES_256_GCM');
  }
  assert.equal(plane.capacity().used, 0);
});
