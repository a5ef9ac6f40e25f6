/** The way to the server is cut: the call goes on, and what happened meanwhile is told afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { CuttableLine } from '../rig/cut.ts';
import { full } from '../sample.ts';
import { startCall } from './calls.ts';
import { useStage } from './stage.ts';

let line: CuttableLine;
const stage = useStage({
  options: async () => {
    line = await CuttableLine.open();
    return { server: { through: line } };
  },
});

test('after a short cut everybody is back in the same session, and media never stopped', async () => {
  const [alice, bob] = await Promise.all([stage.open(), stage.open()]);
  const { streams } = await startCall(stage.customer, alice, bob);
  const fromBob = streams[1] as string;
  await alice.look(fromBob);
  line.cut();
  await alice.event('session', 'sessionReconnecting');
  await bob.event('session', 'sessionReconnecting');
  assert.ok((await alice.look(fromBob)).moved > 0, 'the picture stood still during the cut');
  // What is asked during the cut is done after it.
  await bob.page.evaluate(() => window.rig.publisher().publishVideo(false));
  line.mend();
  await alice.event('session', 'sessionReconnected');
  await bob.event('session', 'sessionReconnected');
  await alice.event(fromBob, 'videoDisabled', { reason: 'publishVideo' });
  await bob.page.evaluate(() => window.rig.publisher().publishVideo(true));
  await alice.event(fromBob, 'videoEnabled');
  assert.ok((await alice.look(fromBob)).moved > 0);
  const told = [...(await alice.happenings()), ...(await bob.happenings())].map((each) => each.type);
  assert.ok(!told.includes('sessionDisconnected') && !told.includes('streamDestroyed'), told.join(' '));
  await Promise.all([alice.close(), bob.close()]);
});

test('who leaves while another is cut off is gone when that one is back', async () => {
  const sessionId = await stage.customer.session();
  const [stays, leaves] = await Promise.all([stage.open(), stage.open()]);
  await stays.join(stage.customer.ticket(sessionId));
  await leaves.join(stage.customer.ticket(sessionId));
  await stays.event('session', 'connectionCreated', { connection: leaves.connectionId });
  line.cut();
  await stays.event('session', 'sessionReconnecting');
  const disconnect = `/v2/project/${stage.server.credentials.apiKey}/session/${sessionId}/connection/${leaves.connectionId}`;
  line.mend();
  await stage.customer.rest('DELETE', disconnect, 'project');
  await stays.event('session', 'connectionDestroyed', {
    connection: leaves.connectionId,
    reason: 'forceDisconnected',
  });
  await stays.event('session', 'sessionReconnected');
  await Promise.all([stays.close(), leaves.close()]);
});

// Takes longer than the whole window of resuming.
if (full) {
  test('a cut that lasts too long ends the connection for the network, on both sides', async () => {
    const [alice, bob] = await Promise.all([stage.open(), stage.open()]);
    const { sessionId, streams } = await startCall(stage.customer, alice, bob);
    line.cut();
    const ms = (limits.resumeSeconds + 20) * 1000;
    await alice.event('session', 'sessionDisconnected', { reason: 'networkDisconnected', ms });
    await bob.event('session', 'sessionDisconnected', { reason: 'networkDisconnected', ms });
    line.mend();
    const watcher = await stage.open();
    await watcher.join(stage.customer.ticket(sessionId));
    assert.equal(await watcher.page.evaluate((id) => window.rig.stream(id), streams[0] as string), undefined);
    await Promise.all([alice.close(), bob.close(), watcher.close()]);
  });
}
