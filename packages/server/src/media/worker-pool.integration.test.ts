import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { FarClient, FarWorker, freePorts, startPlane, until } from './media-fixtures.ts';
import { listenInfos } from './worker-pool.ts';

const brief = (address: Parameters<typeof listenInfos>[0]) =>
  listenInfos(address, 4000).map(({ protocol, ip, port, announcedAddress, flags }) =>
    [protocol, ip, port, announcedAddress ?? '-', flags?.ipv6Only ? 'v6 only' : ''].join(' ').trim(),
  );

test('a worker listens for UDP and TCP on each address, under one port', () => {
  assert.deepEqual(brief({ listen: ['192.0.2.1', '2001:db8::1'] }), [
    'udp 192.0.2.1 4000 -',
    'tcp 192.0.2.1 4000 -',
    'udp 2001:db8::1 4000 - v6 only',
    'tcp 2001:db8::1 4000 - v6 only',
  ]);
});

test('an address is announced in place of those of its family; a name in place of IPv4', () => {
  const listen = ['0.0.0.0', '2001:db8::1'];
  const announced = (address: string, on = listen) =>
    listenInfos({ listen: on, announced: [address] }, 4000)
      .filter(({ announcedAddress }) => announcedAddress === address)
      .map(({ ip }) => ip);
  assert.deepEqual(announced('198.51.100.7'), ['0.0.0.0', '0.0.0.0']);
  assert.deepEqual(announced('2001:db8::9'), ['2001:db8::1', '2001:db8::1']);
  assert.deepEqual(announced('media.example.org'), ['0.0.0.0', '0.0.0.0']);
  assert.deepEqual(announced('media.example.org', ['2001:db8::1']), ['2001:db8::1', '2001:db8::1']);
});

test('each family has its own address to announce; one that is listened on announces itself', () => {
  assert.deepEqual(brief({ listen: ['0.0.0.0', '::'], announced: ['2001:db8::9', '198.51.100.7'] }), [
    'udp 0.0.0.0 4000 198.51.100.7',
    'tcp 0.0.0.0 4000 198.51.100.7',
    'udp :: 4000 2001:db8::9 v6 only',
    'tcp :: 4000 2001:db8::9 v6 only',
  ]);
  const listen = ['192.0.2.1', '192.0.2.2'];
  assert.deepEqual(
    brief({ listen, announced: listen }).map((line) => line.split(' ').at(-1)),
    ['-', '-', '-', '-'],
  );
});

test('clients are offered UDP and TCP of both families on the port of the worker alone, and reach it over IPv6', async (t) => {
  const plane = await startPlane({ address: { listen: ['127.0.0.1', '::1'] } });
  const far = await FarWorker.start();
  t.after(async () => {
    far.close();
    await plane.close();
  });
  const room = await plane.openRoom('families');
  const client = await FarClient.join(room, far, 'a');
  const { iceCandidates } = await client.peer.openTransport('send');
  const port = plane.pool.running[0]?.port;
  const offered = iceCandidates.map(({ address, protocol, port: each }) => `${address} ${protocol} ${each}`);
  assert.deepEqual(offered.sort(), [
    `127.0.0.1 tcp ${port}`,
    `127.0.0.1 udp ${port}`,
    `::1 tcp ${port}`,
    `::1 udp ${port}`,
  ]);
  assert.equal(await client.connect('receive', { family: 6 }), 'AEAD_AES_256_GCM');
});

test('a port that is taken ends the start with the reason, and leaves no process', async (t) => {
  const ports = await freePorts(64, 2);
  const taken = createSocket('udp4');
  t.after(() => taken.unref());
  taken.bind(ports.min + 1, '127.0.0.1');
  await once(taken, 'listening');
  const refusal = await startPlane({ workers: 2, ports }).then(
    async (plane) => {
      await plane.close();
      return null;
    },
    (error: unknown) => error,
  );
  assert.ok(refusal instanceof PlatformError && refusal.code === 'ConfigInvalid', String(refusal));
  assert.match(refusal.message, new RegExp(`port:${ports.min + 1}\\b`));
  taken.close();
  await once(taken, 'close');
  const plane = await startPlane({ workers: 2, ports });
  await plane.close();
});

test('what a client leaves behind in the worker is nothing', async (t) => {
  const plane = await startPlane();
  const far = await FarWorker.start();
  t.after(async () => {
    far.close();
    await plane.close();
  });
  const [worker] = plane.pool.running;
  const handlers = async () => (await worker?.worker.dump())?.channelMessageHandlers.channelRequestHandlers.length;
  const before = await handlers();
  for (let round = 0; round < 3; round += 1) {
    const room = await plane.openRoom(`round ${round}`);
    const [publisher, subscriber] = [await FarClient.join(room, far, 'p'), await FarClient.join(room, far, 's')];
    await Promise.all([publisher.connect('send'), subscriber.connect('receive')]);
    await publisher.publish('stream', await far.source('audio'));
    await publisher.publish('stream', await far.source('video'));
    await publisher.peer.allowStream('stream');
    await subscriber.subscribe('stream');
    await subscriber.peer.allowSubscription('stream');
    assert.equal(plane.capacity().used, 2);
    publisher.close();
    subscriber.close();
    assert.deepEqual([room.streams.size, room.peers.size], [0, 0]);
    room.close();
  }
  await until(async () => (await handlers()) === before, 'the worker has forgotten them');
  assert.equal(plane.capacity().used, 0);
});

test('a program that is no media worker ends the start with words', async () => {
  for (const workerBin of ['/nowhere/mediasoup-worker', '/bin/false']) {
    await assert.rejects(
      startPlane({ workerBin }),
      (error: unknown) =>
        error instanceof PlatformError && error.code === 'ConfigInvalid' && /did not start/.test(error.message),
    );
  }
});
