/** A thousand signals in a row arrive in order, each once, although the network is cut in the middle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { CuttableLine } from '../rig/cut.ts';
import type { Participant } from '../rig/page.ts';
import { within } from '../rig/wait.ts';
import { useStage } from './stage.ts';

const COUNT = 1000;

let line: CuttableLine;
const stage = useStage({
  options: async () => {
    line = await CuttableLine.open();
    return { server: { through: line } };
  },
});

/** Sends signals with the numbers from `from` up to `to`, without waiting for one before the next. */
function send(at: Participant, from: number, to: number): Promise<unknown> {
  const sent = at.page.evaluate(
    async (first, last) => {
      const all = Array.from({ length: last - first }, (_, index) =>
        window.rig.settled((done) => window.rig.session().signal({ type: 'count', data: String(first + index) }, done)),
      );
      await Promise.all(all);
    },
    from,
    to,
  );
  return within(60_000, `the signals ${from} to ${to} to be sent`, sent);
}

async function received(at: Participant): Promise<string[]> {
  const signals = (await at.happenings()).filter((each) => each.type === 'signal');
  return signals.map((each) => String(each.detail.data));
}

test('a thousand signals, in order, none lost and none doubled across a cut', async () => {
  const sessionId = await stage.customer.session();
  const [sender, receiver] = await Promise.all([stage.open(), stage.open()]);
  await sender.join(stage.customer.ticket(sessionId));
  await receiver.join(stage.customer.ticket(sessionId));

  const first = send(sender, 0, COUNT / 2);
  await receiver.event('session', 'signal', { data: '100' });
  line.cut();
  await receiver.event('session', 'sessionReconnecting');
  await sender.event('session', 'sessionReconnecting');
  const second = send(sender, COUNT / 2, COUNT);
  line.mend();
  await receiver.event('session', 'sessionReconnected');
  await sender.event('session', 'sessionReconnected');
  await Promise.all([first, second]);

  await receiver.event('session', 'signal', { data: String(COUNT - 1) });
  const expected = Array.from({ length: COUNT }, (_, index) => String(index));
  assert.deepEqual(await received(receiver), expected);
  // OpenTok hands a signal to everybody back to its sender too.
  await sender.event('session', 'signal', { data: String(COUNT - 1) });
  assert.deepEqual(await received(sender), expected);
  await Promise.all([sender.close(), receiver.close()]);
});

test('a signal to one connection reaches that one alone, and the server may signal too', async () => {
  const sessionId = await stage.customer.session();
  const [one, other] = await Promise.all([stage.open(), stage.open()]);
  await one.join(stage.customer.ticket(sessionId));
  await other.join(stage.customer.ticket(sessionId));
  await one.event('session', 'connectionCreated', { connection: other.connectionId });
  await one.page.evaluate(
    (id) =>
      window.rig.settled((done) =>
        window.rig.session().signal({ type: 'note', data: 'for you', to: window.rig.connection(id) as never }, done),
      ),
    other.connectionId,
  );
  const private_ = await other.event('session', 'signal', { data: 'for you' });
  assert.deepEqual(private_.detail.from, one.connectionId);
  const signal = promisify(stage.customer.sdk.signal.bind(stage.customer.sdk));
  await signal(sessionId, null, { type: 'notice', data: 'for all' });
  const fromServer = await one.event('session', 'signal', { data: 'for all' });
  assert.equal(fromServer.detail.from, null);
  assert.deepEqual(await received(one), ['for all']);
  await Promise.all([one.close(), other.close()]);
});
