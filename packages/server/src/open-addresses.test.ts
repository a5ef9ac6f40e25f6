/** What a node says of itself, and the addresses of its names while it runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from './config.ts';
import { ManualClock } from './lib/index.ts';
import { openNames, ownEndpoints } from './open-addresses.ts';

const config = (env: Record<string, string> = {}) =>
  loadConfig(
    {
      CLOISTER_ROOT_KEY_FILE: '/nonexistent/root.key',
      CLOISTER_PUBLIC_URL: 'https://video.example',
      CLOISTER_ADDRESS_LINE: 'enterprise',
      CLOISTER_MEDIA_PORTS: '40000-40001',
      CLOISTER_MEDIA_WORKERS: '1',
      CLOISTER_MEDIA_ADDRESS: 'media.example',
      ...env,
    },
    [],
  );
const turn = { iceServers: () => [{ urls: ['stun:127.0.0.1:3478', 'turns:turn.example:5349?transport=tcp'] }] };

test('a node names its URL, its ICE servers, and media at every port by UDP and TCP', () => {
  const shown = ownEndpoints(config(), turn).map(
    ({ component, host, port, protocol }) => `${component} ${host} ${protocol} ${port}`,
  );
  assert.deepEqual(shown, [
    'api video.example tcp 443',
    'turn 127.0.0.1 udp 3478',
    'turn turn.example tcp 5349',
    'media media.example udp 40000',
    'media media.example udp 40001',
    'media media.example tcp 40000',
    'media media.example tcp 40001',
  ]);
});

test('names are looked up every minute; one that is not answered for keeps its addresses', async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  let addresses: string[] | null = ['185.1.1.1', '185.1.1.1'];
  const lookup = async (name: string) => {
    asked.push(name);
    if (!addresses) throw new Error('ENOTFOUND');
    return addresses.map((address) => ({ address, family: 4 }));
  };
  const names = await openNames(config(), turn, { clock, lookup });
  assert.deepEqual(asked.splice(0), ['video.example', 'turn.example', 'media.example']);
  assert.deepEqual(names?.addressesOf('turn.example'), ['185.1.1.1']);
  assert.deepEqual(names?.addressesOf('other.example'), []);
  const passes = async () => {
    clock.advance(60_000);
    await new Promise(setImmediate);
  };
  addresses = null;
  await passes();
  assert.deepEqual(names?.addressesOf('turn.example'), ['185.1.1.1']);
  addresses = ['185.1.1.2'];
  await passes();
  assert.deepEqual(names?.addressesOf('turn.example'), ['185.1.1.2']);
  names?.stop();
  asked.length = 0;
  await passes();
  assert.deepEqual(asked, []);
});

test('without a line no name is looked up, and none of its settings is needed', async () => {
  const lookup = () => assert.fail('a name was looked up');
  const without = config({ CLOISTER_ADDRESS_LINE: '', CLOISTER_PUBLIC_URL: '' });
  assert.equal(await openNames(without, turn, { clock: new ManualClock(), lookup }), null);
});

test('a line needs publicUrl, and private addresses in a list the development mode', () => {
  assert.throws(() => config({ CLOISTER_PUBLIC_URL: '' }), /addressLine is set without publicUrl/);
  assert.throws(() => config({ CLOISTER_ADDRESS_LINE: 'gold' }), /expected standard or enterprise/);
  assert.throws(
    () => config({ CLOISTER_ADDRESS_LIST_PRIVATE: 'true', CLOISTER_MODE: 'production' }),
    /addressListPrivate is for the development mode/,
  );
});
