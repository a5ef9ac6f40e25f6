/** What a link holds of the browser. The browser is a double here; end-to-end tests have a real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JoinAnswer } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from './clock.fixture.ts';
import { Link } from './link.ts';

/** Runs until it is ended. */
class FakeWorker {
  static readonly running = new Set<FakeWorker>();
  onmessage: ((message: { data: unknown }) => void) | null = null;

  constructor() {
    FakeWorker.running.add(this);
    queueMicrotask(() => this.onmessage?.({ data: { type: 'ready' } }));
  }

  postMessage(): void {}

  terminate(): void {
    FakeWorker.running.delete(this);
  }
}

let opened = Promise.withResolvers<void>();
/** A socket on which nobody answers. */
class SilentSocket {
  readyState = 0;
  constructor() {
    opened.resolve();
  }
  close(): void {}
}

const addresses = new Set<string>();
const { createObjectURL, revokeObjectURL } = URL;
// Each test file is a process of its own: nothing is put back.
Object.assign(URL, {
  createObjectURL(blob: Blob) {
    const url = createObjectURL(blob as never);
    addresses.add(url);
    return url;
  },
  revokeObjectURL(url: string) {
    addresses.delete(url);
    revokeObjectURL(url);
  },
});
Object.assign(globalThis, {
  Worker: FakeWorker,
  WebSocket: SilentSocket,
  RTCRtpScriptTransform: class {},
  __CLOISTER_FRAME_WORKER__: '',
  addEventListener() {},
  removeEventListener() {},
});

const none = () => undefined;

for (const { name, session } of [
  { name: 'a relayed session', session: { mediaMode: 'relayed', frames: true } },
  { name: 'an end-to-end encrypted session', session: { mediaMode: 'routed', e2ee: true, frames: true } },
])
  test(`a connect to ${name} that fails leaves no worker behind, and no address of one`, async () => {
    opened = Promise.withResolvers();
    const clock = new TestClock();
    const joined = { connectionId: 'c', signallingUrl: 'ws://node.test/', ticket: 't', iceServers: [], ...session };
    const link = new Link({
      joined: joined as unknown as JoinAnswer,
      observer: { event: none, legChanged: none, down: none, up: none, closed: none },
      iceServers: [],
      transportPolicy: 'all',
      sessionId: 's',
      encryptionSecret: 'what all of us know',
      clock,
    });
    const opening = link.open();
    await opened.promise;
    assert.ok(FakeWorker.running.size > 0 && addresses.size > 0);
    clock.advance(limits.helloSeconds * 1000);
    await assert.rejects(opening, { name: 'OT_CONNECT_FAILED' });
    assert.deepEqual([FakeWorker.running.size, addresses.size], [0, 0]);
  });
