/** Usage of real clients, over a server that is killed: what it says is what the sockets say. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, commandText } from '../rig/command.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { WeakClient } from '../rig/weak-client.ts';

interface Line {
  readonly day: string;
  readonly accountKey: string;
  readonly apiKey: string;
  readonly zone: string;
  readonly participantMs: number;
  readonly archiveMs: number;
}

let server: Server;
let customer: Customer;
before(async () => {
  server = await startServer({ mediaWorkers: 1 });
  customer = new Customer(server.credentials);
});
after(() => server?.stop());

const usage = (query = '') => customer.rest('GET', `/cloister/v1/usage${query}`, 'account') as Promise<Line[]>;
const total = (lines: readonly Line[]) => lines.reduce((sum, { participantMs }) => sum + participantMs, 0);

test('participants count once and up to the end that the record has, though the server is killed while they are there', async () => {
  const sessionId = await customer.session();
  const bounds = { least: 0, most: 0 };
  for (let round = 0; round < 2; round += 1) {
    const asked: number[] = [];
    const there: number[] = [];
    const clients: WeakClient[] = [];
    for (let count = 0; count < 3; count += 1) {
      asked.push(Date.now());
      clients.push(await WeakClient.join(server.url, customer.ticket(sessionId)));
      there.push(Date.now());
    }
    // While they are there they count already.
    assert.ok(total(await usage()) > bounds.least);
    const killed = Date.now();
    await server.kill();
    for (const client of clients) client.close();
    server = await server.restart();
    const back = Date.now();
    for (const at of there) bounds.least += killed - at;
    for (const at of asked) bounds.most += back - at;
    const found = total(await usage());
    const words = `${found} ms, of ${bounds.least} to ${bounds.most}`;
    assert.ok(found >= bounds.least && found <= bounds.most, words);
    assert.equal(total(await usage()), found, 'what has ended counts no more');
  }
});

test('the account has its own usage, the operator everybody’s, as JSON and as CSV', async () => {
  const { accountKey, apiKey } = server.credentials;
  const own = await usage(`?project=${apiKey}`);
  assert.deepEqual(
    [...new Set(own.map((line) => `${line.accountKey} ${line.apiKey} ${line.zone}`))],
    [`${accountKey} ${apiKey} any`],
  );
  assert.deepEqual(await command(server, 'usage', 'export', '--account', accountKey), own);
  assert.deepEqual(await usage('?until=2020-01-01'), []);
  const csv = await commandText(server, 'usage', 'export', '--format', 'csv', '--project', apiKey);
  const [names, first] = csv.split('\r\n');
  assert.match(String(names), /^day,accountKey,apiKey,zone,participantMinutes,/);
  assert.ok(first?.startsWith(`${own[0]?.day},${accountKey},${apiKey},any,`), first);
  const { accountKey: other } = await command<{ accountKey: string }>(server, 'account', 'create', '--plan', 'growth');
  assert.deepEqual(await command(server, 'usage', 'export', '--account', other), []);
  const wrong = command(server, 'usage', 'export', '--from', '2027-02-01', '--until', '2027-01-01');
  await assert.rejects(wrong, /until: 2027-01-01 is before 2027-02-01/);
  await assert.rejects(command(server, 'usage', 'export', '--from', 'January'), /a day such as 2027-01-31/);
});
