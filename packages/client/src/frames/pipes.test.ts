import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import type { FrameCodec } from './layout.ts';
import { type EncodedFrame, type Piece, type PipeNews, Pipes } from './pipes.ts';
import type { Bytes } from './sframe.ts';

// The browser's encoded frames cannot be had outside one: these have what Pipes uses of them. tests/e2e/end-to-end.test.ts has real ones.
const frameOf = (bytes: readonly number[], ssrc = 1): EncodedFrame => ({
  data: Uint8Array.from(bytes).buffer,
  getMetadata: () => ({ synchronizationSource: ssrc }),
});
const bytesOf = ({ data }: EncodedFrame) => [...new Uint8Array(data)];
const keyOf = (fill: number): Bytes => new Uint8Array(32).fill(fill);
const opus = [0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** A track that is led through pipes. */
function track(pipes: Pipes, piece: Partial<Piece> = {}, sendKeyFrameRequest?: () => Promise<void>) {
  const before = new TransformStream<EncodedFrame, EncodedFrame>();
  const after = new TransformStream<EncodedFrame, EncodedFrame>();
  const [writer, reader] = [before.writable.getWriter(), after.readable.getReader()];
  const whole: Piece = { id: 1, side: 'seal', who: 'self', codec: 'opus' as FrameCodec, ...piece };
  const ended = pipes.run(whole, {
    readable: before.readable,
    writable: after.writable,
    ...(sendKeyFrameRequest ? { sendKeyFrameRequest } : {}),
  });
  return {
    put: (frame: EncodedFrame) => writer.write(frame),
    next: async () => (await reader.read()).value as EncodedFrame,
    async end() {
      const closed = writer.close();
      const left: EncodedFrame[] = [];
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        left.push(value);
      }
      await Promise.all([closed, ended]);
      return left;
    },
  };
}

function two() {
  const news: PipeNews[] = [];
  return { sender: new Pipes(() => undefined), receiver: new Pipes((told) => news.push(told)), news };
}

async function sealed(pipes: Pipes, count: number, codec: FrameCodec = 'opus', bytes = opus): Promise<EncodedFrame[]> {
  const out = track(pipes, { codec });
  const writes = Array.from({ length: count }, () => out.put(frameOf(bytes)));
  const left = out.end();
  await Promise.all(writes);
  return left;
}

test('frames are sealed and opened again, in their order', async () => {
  const { sender, receiver, news } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(1) });
  const out = track(sender);
  const into = track(receiver, { id: 9, side: 'open', who: 'ana' });
  for (let count = 0; count < 5; count += 1) {
    void out.put(frameOf([...opus, count]));
    const way = await out.next();
    assert.notDeepEqual(bytesOf(way), [...opus, count]);
    void into.put(way);
    assert.deepEqual(bytesOf(await into.next()), [...opus, count]);
  }
  assert.deepEqual(news, [{ type: 'opens', id: 9, opens: true }]);
});

test('nothing goes out before there is a key, and nothing in clear after it', async () => {
  const { sender } = two();
  const out = track(sender);
  await out.put(frameOf(opus));
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  void out.put(frameOf([...opus, 2]));
  const left = await out.end();
  assert.equal(left.length, 1);
  assert.ok(!Buffer.from((left[0] as EncodedFrame).data).includes(Buffer.from(opus)));
});

test('frames that do not open go no further, and after framesFailedInARow of them it is told', async () => {
  const { sender, receiver, news } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(2) });
  const into = track(receiver, { side: 'open', who: 'ana' });
  const frames = await sealed(sender, limits.framesFailedInARow);
  for (const frame of frames.slice(1)) await into.put(frame);
  assert.deepEqual(news, []);
  await into.put(frames[0] as EncodedFrame);
  assert.deepEqual(await into.end(), []);
  assert.deepEqual(news, [{ type: 'opens', id: 1, opens: false }]);
});

test('a picture that can be opened again asks for a key frame', async () => {
  const { sender, receiver, news } = two();
  let asked = 0;
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  const into = track(receiver, { side: 'open', who: 'ana', codec: 'vp8' }, async () => {
    asked += 1;
  });
  const frames = await sealed(sender, limits.framesFailedInARow + 2, 'vp8', [1, 2, 3, 4, 5]);
  for (const frame of frames.slice(2)) await into.put(frame);
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(1) });
  for (const frame of frames.slice(0, 2)) void into.put(frame);
  assert.deepEqual((await into.end()).map(bytesOf), Array(2).fill([1, 2, 3, 4, 5]));
  assert.equal(asked, 1);
  assert.deepEqual(news, [
    { type: 'opens', id: 1, opens: false },
    { type: 'opens', id: 1, opens: true },
  ]);
});

test('a frame that is shown twice opens once, and says nothing of the key', async () => {
  const { sender, receiver, news } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(1) });
  const [frame] = (await sealed(sender, 1)) as [EncodedFrame];
  const into = track(receiver, { side: 'open', who: 'ana' });
  for (let count = 0; count <= limits.framesFailedInARow; count += 1) void into.put(frameOf(bytesOf(frame)));
  assert.equal((await into.end()).length, 1);
  assert.deepEqual(news, [{ type: 'opens', id: 1, opens: true }]);
});

test('a key that is stopped opens nothing until it is given again; what it opened does not open again', async () => {
  const { sender, receiver } = two();
  const open = { type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(1) } as const;
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  await receiver.take(open);
  const [first, second, third] = (await sealed(sender, 3)) as [EncodedFrame, EncodedFrame, EncodedFrame];
  const opened = async (frame: EncodedFrame) => {
    const into = track(receiver, { side: 'open', who: 'ana' });
    void into.put(frameOf(bytesOf(frame)));
    return (await into.end()).length;
  };
  assert.equal(await opened(first), 1);
  await receiver.take({ type: 'stopKeys', who: 'ana', keyIds: [0, 7] });
  assert.equal(await opened(second), 0);
  await receiver.take(open);
  assert.deepEqual([await opened(first), await opened(second)], [0, 1]);
  await receiver.take({ type: 'forget', who: 'ana' });
  assert.equal(await opened(third), 0);
});

test('an order that makes no sense is an error, and those after it are carried out', async () => {
  const { sender } = two();
  const order = { type: 'sealWith', who: 'self', keyId: 5, baseKey: keyOf(1) } as const;
  const [first, again, next] = [order, order, { ...order, keyId: 6 }].map((each) => sender.take(each));
  await first;
  await assert.rejects(again as Promise<void>, RangeError);
  await next;
  assert.equal((await sealed(sender, 1)).length, 1);
});

test('tracks and layers of one sender share its counter: no two frames have one', async () => {
  const { sender } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  const all = (await Promise.all(Array.from({ length: 4 }, () => sealed(sender, 50)))).flat();
  const heads = all.map((frame) => Buffer.from(frame.data).subarray(0, 3).toString('hex'));
  assert.equal(new Set(heads).size, 200);
});

test('after hold nothing of the keys before is left, in either direction', async () => {
  const { sender, receiver } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 1, baseKey: keyOf(1) });
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 1, baseKey: keyOf(1) });
  const [frame] = (await sealed(sender, 1)) as [EncodedFrame];
  await sender.take({ type: 'hold', who: 'self' });
  await receiver.take({ type: 'hold', who: 'ana' });
  assert.deepEqual(await sealed(sender, 1), []);
  const into = track(receiver, { side: 'open', who: 'ana' });
  void into.put(frame);
  assert.deepEqual(await into.end(), []);
});

test('frames go through as they are only for whom it was said, until hold', async () => {
  const { sender, receiver } = two();
  await sender.take({ type: 'clear', who: 'ben' });
  const through = async (pipes: Pipes, piece: Partial<Piece>) => {
    const one = track(pipes, piece);
    void one.put(frameOf(opus));
    return (await one.end()).map(bytesOf);
  };
  assert.deepEqual(await through(sender, { who: 'ben' }), [opus]);
  assert.deepEqual(await through(sender, { who: 'self' }), []);
  await receiver.take({ type: 'clear', who: 'ana' });
  assert.deepEqual(await through(receiver, { side: 'open', who: 'ana' }), [opus]);
  await receiver.take({ type: 'hold', who: 'ana' });
  assert.deepEqual(await through(receiver, { side: 'open', who: 'ana' }), []);
});

test('a new key forgets what failed before it: a later failure is told again', async () => {
  const { sender, receiver, news } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  const into = track(receiver, { side: 'open', who: 'ana' });
  const frames = await sealed(sender, 2 * limits.framesFailedInARow);
  for (const frame of frames.slice(0, limits.framesFailedInARow)) await into.put(frame);
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 5, baseKey: keyOf(9) });
  for (const frame of frames.slice(limits.framesFailedInARow)) await into.put(frame);
  await into.end();
  assert.deepEqual(news, Array(2).fill({ type: 'opens', id: 1, opens: false }));
});

test('of which codec a frame is, where it is not known before, the frame says; one of another goes no further', async () => {
  const { sender, receiver } = two();
  await sender.take({ type: 'sealWith', who: 'self', keyId: 0, baseKey: keyOf(1) });
  await receiver.take({ type: 'openWith', who: 'ana', keyId: 0, baseKey: keyOf(1) });
  const said = (frame: EncodedFrame, mimeType?: string): EncodedFrame => ({
    data: frame.data,
    getMetadata: () => ({ synchronizationSource: 1, ...(mimeType ? { mimeType } : {}) }),
  });
  const out = track(sender, { codec: null });
  for (const mimeType of ['audio/opus', undefined, 'video/AV1', 'video/VP8'])
    void out.put(said(frameOf(opus), mimeType));
  const [sound, picture] = (await out.end()) as [EncodedFrame, EncodedFrame];
  const into = track(receiver, { side: 'open', who: 'ana', codec: null });
  void into.put(said(sound, 'video/VP8'));
  void into.put(said(picture, 'video/VP8'));
  assert.deepEqual((await into.end()).map(bytesOf), [opus]);
});
