import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actions, Client } from '../core/index.ts';
import { ManualClock } from '../lib/index.ts';
import { Channel, type Socket } from './channel.ts';

interface Frame {
  type: string;
  seq?: number;
  id?: number;
  event?: string;
  data?: Record<string, unknown>;
  error?: { code: string };
  reason?: string;
}

/** A socket that remembers what was sent over it. The real one is in the end-to-end tests. */
class RecordingSocket implements Socket {
  readonly frames: Frame[] = [];
  bufferedAmount = 0;
  closed: number | 'terminated' | null = null;
  send(text: string): void {
    this.frames.push(JSON.parse(text) as Frame);
  }
  close(code: number): void {
    this.closed = code;
  }
  terminate(): void {
    this.closed = 'terminated';
  }
  events(): (string | undefined)[] {
    return this.frames.filter((frame) => frame.type === 'event').map((frame) => `${frame.seq}:${frame.event}`);
  }
}

/** Resolves when the channel has worked off its requests: answers come in order, so the last one is enough. */
async function answerTo(socket: RecordingSocket, id: number): Promise<Frame> {
  for (;;) {
    const found = socket.frames.find((frame) => frame.type === 'answer' && frame.id === id);
    if (found) return found;
    await new Promise(setImmediate);
  }
}

describe('a channel', () => {
  let clock: ManualClock;
  let channel: Channel;
  let socket: RecordingSocket;
  let done: string[];
  let left: string[];
  let ended: number;
  let allowed: boolean;

  beforeEach(() => {
    clock = new ManualClock();
    socket = new RecordingSocket();
    done = [];
    left = [];
    ended = 0;
    allowed = true;
    channel = new Channel('key', {
      clock,
      journal: { record() {} },
      limiter: { take: () => (allowed ? { ok: true } : { ok: false, retryAfterSeconds: 1 }) },
      onEnd: () => {
        ended += 1;
      },
    });
    channel.open(client(), socket);
  });

  function client(): Client {
    const actions = {
      async unpublish({ streamId }: { streamId: string }) {
        done.push(streamId);
        if (streamId === 'unknown') throw new PlatformError('StreamNotFound', { streamId });
        if (streamId === 'broken') throw new TypeError('secret detail');
        return {};
      },
      async disconnect() {
        left.push('clientDisconnected');
        return {};
      },
    } as unknown as Actions;
    return {
      connectionId: 'c1',
      projectId: '1',
      epoch: 7,
      welcome: { epoch: 7 } as Client['welcome'],
      actions,
      leave: (reason) => left.push(reason),
    };
  }

  const speak = (seq: number) => channel.send('speakers', { levels: [{ streamId: `s${seq}`, level: -1 }] });

  it('says welcome first, and what happened before it was open after that', () => {
    const early = new Channel('key', {
      clock,
      journal: { record() {} },
      limiter: { take: () => ({ ok: true }) },
      onEnd() {},
    });
    early.send('speakers', { levels: [] });
    const other = new RecordingSocket();
    early.open(client(), other);
    assert.deepEqual(
      other.frames.map((frame) => [frame.type, (frame as { epoch?: number }).epoch]),
      [
        ['welcome', 7],
        ['event', 7],
      ],
    );
  });

  it('numbers events without a gap and puts the epoch into each frame', () => {
    speak(1);
    speak(2);
    assert.deepEqual(socket.events(), ['1:speakers', '2:speakers']);
    assert.ok(socket.frames.every((frame) => (frame as { epoch?: number }).epoch === 7));
  });

  it('sends again after a cut what was not handled, once and in order', () => {
    for (let seq = 1; seq <= 4; seq += 1) speak(seq);
    channel.acknowledge(1);
    channel.detach(socket, false);
    speak(5);
    const next = new RecordingSocket();
    channel.resume(next, 2);
    assert.equal(next.frames[0]?.type, 'resumed');
    assert.deepEqual(next.events(), ['3:speakers', '4:speakers', '5:speakers']);
    assert.deepEqual(left, []);
  });

  it('refuses to resume from an event that was acknowledged before or never sent', () => {
    speak(1);
    speak(2);
    channel.acknowledge(2);
    channel.detach(socket, false);
    for (const seq of [1, 3]) {
      assert.throws(() => channel.resume(new RecordingSocket(), seq), { code: 'ResumeRefused' });
    }
  });

  it('gives up at the bound of the resume window, and not before', () => {
    channel.detach(socket, false);
    clock.advance(limits.resumeSeconds * 1000 - 1);
    assert.deepEqual(left, []);
    clock.advance(1);
    assert.deepEqual(left, ['networkDisconnected']);
    assert.equal(ended, 1);
    assert.throws(() => channel.resume(new RecordingSocket(), 0), { code: 'ResumeRefused' });
  });

  it('ends at once when the page was closed', () => {
    channel.detach(socket, true);
    assert.deepEqual(left, ['clientDisconnected']);
  });

  it('does a repeated request once, and answers it again', async () => {
    channel.request(1, 'unpublish', { streamId: 'a' });
    await answerTo(socket, 1);
    channel.detach(socket, false);
    const next = new RecordingSocket();
    channel.resume(next, 0);
    channel.request(1, 'unpublish', { streamId: 'a' });
    assert.equal((await answerTo(next, 1)).error, undefined);
    assert.deepEqual(done, ['a']);
  });

  it('does requests in the order of their numbers and refuses a gap', async () => {
    channel.request(1, 'unpublish', { streamId: 'a' });
    channel.request(2, 'unpublish', { streamId: 'b' });
    await answerTo(socket, 2);
    assert.deepEqual(done, ['a', 'b']);
    assert.throws(() => channel.request(4, 'unpublish', { streamId: 'c' }), { code: 'FrameInvalid' });
  });

  it('answers unknown requests, wrong fields and refusals with their own errors', async () => {
    channel.request(1, 'constructor', {});
    channel.request(2, 'unpublish', { streamId: 5 });
    channel.request(3, 'unpublish', { streamId: 'unknown' });
    assert.equal((await answerTo(socket, 1)).error?.code, 'BadRequest');
    assert.equal((await answerTo(socket, 2)).error?.code, 'BadRequest');
    assert.equal((await answerTo(socket, 3)).error?.code, 'StreamNotFound');
  });

  it('tells nothing of an unexpected error', async () => {
    channel.request(1, 'unpublish', { streamId: 'broken' });
    const answer = await answerTo(socket, 1);
    assert.equal(answer.error?.code, 'Internal');
    assert.ok(!JSON.stringify(answer).includes('secret detail'));
  });

  it('refuses requests past the rate', async () => {
    allowed = false;
    channel.request(1, 'unpublish', { streamId: 'a' });
    assert.equal((await answerTo(socket, 1)).error?.code, 'RateLimited');
    assert.deepEqual(done, []);
  });

  it('takes as many requests without an answer as the limit says, and not one more', () => {
    for (let id = 1; id <= limits.requestsInFlight; id += 1) channel.request(id, 'unpublish', { streamId: 'a' });
    assert.throws(() => channel.request(limits.requestsInFlight + 1, 'unpublish', { streamId: 'a' }), {
      code: 'FrameInvalid',
    });
  });

  it('keeps as many events as the limit says, and ends a client that acknowledges none', async () => {
    for (let seq = 1; seq <= limits.outboundMessages; seq += 1) speak(seq);
    await Promise.resolve();
    assert.deepEqual(left, []);
    speak(limits.outboundMessages + 1);
    await Promise.resolve();
    assert.deepEqual(left, ['networkDisconnected']);
    assert.equal(socket.frames.at(-1)?.error?.code, 'SlowConsumer');
  });

  it('keeps as many bytes of events as the limit says, and ends a client that acknowledges none', async () => {
    const level = { streamId: 's'.repeat(limits.outboundBytes / 8), level: -1 };
    for (let seq = 1; seq <= 7; seq += 1) channel.send('speakers', { levels: [level] });
    await Promise.resolve();
    assert.deepEqual(left, []);
    channel.send('speakers', { levels: [level] });
    await Promise.resolve();
    assert.deepEqual(left, ['networkDisconnected']);
  });

  it('ends a client that does not read, past what its socket may hold, whether by answers or by signs of life', async () => {
    socket.bufferedAmount = limits.socketBytes;
    channel.pong();
    channel.heard();
    await Promise.resolve();
    assert.deepEqual(left, []);
    socket.bufferedAmount = limits.socketBytes + 1;
    channel.pong();
    channel.heard();
    await Promise.resolve();
    assert.deepEqual(left, ['networkDisconnected']);
    assert.equal(socket.closed, 'terminated');
  });

  it('keeps as many answers as the limit says', async () => {
    const last = limits.answersKept + 1;
    for (let id = 1; id <= last; id += 1) {
      channel.request(id, 'unpublish', { streamId: 'a' });
      await answerTo(socket, id);
    }
    const next = new RecordingSocket();
    channel.resume(next, 0);
    channel.request(1, 'unpublish', { streamId: 'a' });
    channel.request(2, 'unpublish', { streamId: 'a' });
    assert.deepEqual(
      next.frames.filter((frame) => frame.type === 'answer').map((frame) => frame.id),
      [2],
    );
  });

  it('counts every frame', () => {
    allowed = false;
    assert.throws(() => channel.heard(), { code: 'RateLimited' });
  });

  it('is silent after the heartbeat was missed, and not before', () => {
    clock.advance(limits.heartbeatMissedSeconds * 1000);
    assert.equal(channel.silent, false);
    clock.advance(1);
    assert.equal(channel.silent, true);
    channel.heard();
    assert.equal(channel.silent, false);
  });

  it('closes with its reason when the client disconnects, and sends nothing after it', async () => {
    channel.request(1, 'disconnect', {});
    await answerTo(socket, 1);
    assert.equal(socket.frames.at(-1)?.reason, 'clientDisconnected');
    assert.equal(socket.closed, 1000);
    const count = socket.frames.length;
    speak(1);
    assert.equal(socket.frames.length, count);
  });
});
