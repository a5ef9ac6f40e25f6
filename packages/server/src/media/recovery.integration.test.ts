import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { MediaRoom } from '../core/index.ts';
import { FarClient, FarWorker, startPlane, until } from './media-fixtures.ts';
import type { Plane } from './plane.ts';
import { askEveryMs } from './watchdog.ts';

let far: FarWorker;
before(async () => {
  far = await FarWorker.start();
});
after(() => far.close());

const detectMsMax = limits.workerAnswerSeconds * 1000 + askEveryMs + 500;

/** Two clients that see each other. */
async function call(room: MediaRoom): Promise<[FarClient, FarClient]> {
  const clients = await Promise.all([FarClient.join(room, far, 'a'), FarClient.join(room, far, 'b')]);
  await build(clients);
  return clients;
}

/** Builds the media of a client pair from nothing, as a client does at first and after a loss. */
async function build(clients: readonly [FarClient, FarClient]): Promise<void> {
  const [one, other] = clients;
  await Promise.all(clients.flatMap((client) => [client.connect('send'), client.connect('receive')]));
  for (const [from, to] of [clients, [other, one]] as const) {
    const streamId = from === one ? 'one' : 'other';
    const source = await far.source('video');
    await from.publish(streamId, source);
    await from.peer.allowStream(streamId);
    await to.subscribe(streamId);
    await to.peer.allowSubscription(streamId);
    source.run(20);
    await until(async () => (await to.got(streamId, 'video')).packets > 3, `${streamId} arrives`);
  }
}

async function lose(plane: Plane, signal: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
  const [worker] = plane.pool.running;
  assert.ok(worker);
  const at = Date.now();
  process.kill(worker.worker.pid, signal);
  await once(worker.worker, 'subprocessclose');
  return Date.now() - at;
}

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`a worker that gets ${signal} is replaced on its port, and its clients build their media again`, async (t) => {
    const plane = await startPlane();
    t.after(() => plane.close());
    const room = await plane.openRoom('room');
    const clients = await call(room);
    const port = plane.pool.running[0]?.port;

    const tookMs = await lose(plane, signal);
    assert.ok(tookMs < detectMsMax, `found and ended after ${tookMs} ms`);
    for (const { notes } of clients) {
      const [[why] = []] = notes.of('mediaLost');
      assert.match(String(why), signal === 'SIGKILL' ? /died/ : /did not answer/);
      assert.equal(notes.of('mediaLost').length, 1);
    }
    await build(clients);
    assert.equal(plane.pool.running.length, 1);
    assert.equal(plane.pool.running[0]?.port, port);
    for (const client of clients) client.close();
    room.close();
    assert.deepEqual(plane.capacity().used, 0);
  });
}

test('a client on another worker notices nothing but that a stream stops, and gets it again when it is back', async (t) => {
  const plane = await startPlane({ workers: 2 });
  t.after(() => plane.close());
  const rooms = await Promise.all([plane.openRoom('one'), plane.openRoom('two')]);
  const [hit, spared] = await Promise.all(rooms.map((room) => FarClient.join(room, far, 'x')));
  assert.ok(hit && spared);
  const [first, second] = plane.pool.running;
  assert.ok(first && second);
  // Rooms go to the least loaded worker: each has one.
  assert.deepEqual([first.load.peers, second.load.peers], [1, 1]);
  process.kill(first.worker.pid, 'SIGKILL');
  await once(first.worker, 'subprocessclose');
  assert.equal(hit.notes.of('mediaLost').length + spared.notes.of('mediaLost').length, 1);
  await until(() => plane.pool.running.length === 2, 'both workers run');
  assert.equal(await hit.connect('send'), 'AEAD_AES_256_GCM');
  assert.equal(await spared.connect('send'), 'AEAD_AES_256_GCM');
});

test('workers that are lost again and again come back each time', async (t) => {
  const plane = await startPlane();
  t.after(() => plane.close());
  const room = await plane.openRoom('room');
  const client = await FarClient.join(room, far, 'a');
  for (let round = 1; round <= 4; round += 1) {
    await lose(plane, 'SIGKILL');
    assert.equal(await client.connect('send'), 'AEAD_AES_256_GCM');
    assert.equal(client.notes.of('mediaLost').length, round);
  }
});

test('closing the plane ends every process, the spare one included', async (t) => {
  const plane = await startPlane({ workers: 2 });
  t.after(() => plane.close());
  const workers = plane.pool.running.map(({ worker }) => worker);
  process.kill(workers[0]?.pid ?? 0, 'SIGSTOP');
  await plane.close();
  for (const worker of workers) assert.equal(worker.subprocessClosed, true);
  await assert.rejects(plane.openRoom('late'), /stopping/);
});
