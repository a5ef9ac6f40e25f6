/**
 * What an application sees where `require-aes256` refuses its client: `publish` and `subscribe` end with a typed error.
 *
 * No browser of ours can be made to offer less than AES-256: neither Chromium's switches and field trials nor Firefox's
 * preferences name SRTP suites, and a ClientHello that is changed on its way ends the handshake (RFC 6347, 4.2.6). So
 * here the browser is strong and the server takes it for weak: see `weak-worker.ts`. All from there on is real: the
 * judgement, the refusal, the client SDK in its page. That a client that is weak is seen as weak and gets no packet is
 * what weak-client.test.ts shows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../rig/wait.ts';
import { type WeakWorker, weakWorker } from '../rig/weak-worker.ts';
import { useStage } from './stage.ts';

const SEEN = 'AEAD_AES_128_GCM';
const REFUSED = /^(Error: )?OT_MEDIA_SUITE_REFUSED: /;

let worker: WeakWorker;
const stage = useStage({
  options: async () => {
    worker = weakWorker();
    return { server: { mediaWorkers: 1, env: { CLOISTER_MEDIA_WORKER_BIN: worker.bin } } };
  },
  ready: () => stage.customer.setPolicy('require-aes256'),
});

test('publish and subscribe of a page are refused by name, and the others hear nothing of it', async () => {
  const sessionId = await stage.customer.session();
  const strong = await stage.open();
  await strong.join(stage.customer.ticket(sessionId));
  const strongStream = await strong.publish();

  worker.weak = true;
  const weak = await stage.open();
  await weak.join(stage.customer.ticket(sessionId), null);
  await weak.event('session', 'streamCreated', { stream: strongStream });
  await assert.rejects(weak.publish(), REFUSED);
  await assert.rejects(weak.subscribe(strongStream), REFUSED);
  // The same page comes again when it is seen as strong: its stream is announced, and there was none before.
  worker.weak = false;
  const again = await stage.open();
  await again.join(stage.customer.ticket(sessionId));
  const stream = await again.publish();
  await again.subscribed(strongStream);
  await strong.subscribed(stream);
  const created = (await strong.happenings()).filter(
    ({ target, type }) => target === 'session' && type === 'streamCreated',
  );
  assert.deepEqual(
    created.map(({ detail }) => detail.stream),
    [stream],
  );

  const { legs } = await eventually(
    'the refused legs in the record',
    () => stage.customer.security(sessionId),
    (record) => record.legs.filter((leg) => leg.state === 'refused').length === 2,
  );
  for (const leg of legs) {
    assert.equal(leg.state, leg.connectionId === weak.connectionId ? 'refused' : 'allowed');
    assert.equal(leg.suiteSeenByServer, leg.connectionId === weak.connectionId ? SEEN : 'AEAD_AES_256_GCM');
  }
});
