/** Every command but `serve`, against a running platform. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { command, commandText } from '../rig/command.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';

let server: Server;
let made: { apiKey: string; apiSecret: string; signatureSecret: string; accountKey: string };

before(async () => {
  server = await startServer({ mediaWorkers: 1 });
});
after(() => server?.stop());

function customer(apiSecret: string): Customer {
  return new Customer({ ...server.credentials, apiKey: made.apiKey, apiSecret });
}

test('project create shows a secret that works, once', async () => {
  made = await command(server, 'project', 'create', '--name', 'Clinic');
  assert.match(made.apiSecret, /^[0-9a-f]{40}$/);
  assert.ok(await customer(made.apiSecret).session());
  const listed = await command<{ apiKey: string; name: string }[]>(server, 'project', 'list');
  assert.ok(listed.some((each) => each.apiKey === made.apiKey && each.name === 'Clinic'));
  assert.ok(!JSON.stringify(listed).includes(made.apiSecret));
});

test('account create makes a second account with its own plan, and account plan changes it', async () => {
  interface Account {
    accountKey: string;
    accountSecret?: string;
    name: string;
    plan: string;
    addOns: string[];
  }
  const words = ['--name', 'Practice', '--plan', 'standard', '--add-on', 'media.aes256', '--add-on', 'zone.de'];
  const { accountSecret, ...account } = await command<Account>(server, 'account', 'create', ...words);
  assert.match(String(accountSecret), /^[0-9a-f]{40}$/);
  assert.deepEqual([account.plan, account.addOns], ['standard', ['media.aes256', 'zone.de']]);
  const listed = await command<Account[]>(server, 'account', 'list');
  assert.deepEqual(
    listed.find(({ accountKey }) => accountKey === account.accountKey),
    account,
  );
  const own = await command<typeof made>(server, 'project', 'create', '--account', account.accountKey);
  assert.equal(own.accountKey, account.accountKey);
  await command(server, 'project', 'policy', own.apiKey, 'require-aes256');
  await command(server, 'project', 'policy', own.apiKey, 'prefer-aes256');
  const changed = await command<Account>(server, 'account', 'plan', account.accountKey, 'growth');
  assert.deepEqual([changed.plan, changed.addOns], ['growth', []]);
  await assert.rejects(command(server, 'project', 'policy', own.apiKey, 'require-aes256'), /plan growth/);
});

test('a change of terms is previewed, waits for its day, and is refused to who saw older terms', async () => {
  interface Terms {
    version: number;
    plan: string;
    addOns: string[];
    changes: { version: number; state: string; from: string; by: string }[];
    ends: { feature: string; apiKey: string; at: string }[];
  }
  interface Preview {
    version: number;
    won: { feature: string }[];
    lost: { feature: string }[];
    uses: { feature: string; apiKey: string }[];
  }
  const table = await command<Record<string, string>[]>(server, 'plans', 'show');
  assert.deepEqual(
    table.filter(({ feature }) => feature === 'zone.de').map(({ standard, enterprise }) => [standard, enterprise]),
    [['add-on', 'included']],
  );
  const words = ['--plan', 'standard', '--add-on', 'media.aes256'];
  const { accountKey } = await command<{ accountKey: string }>(server, 'account', 'create', ...words);
  const { apiKey } = await command<typeof made>(server, 'project', 'create', '--account', accountKey);
  await command(server, 'project', 'policy', apiKey, 'require-aes256');
  const seen = await command<Preview>(
    server,
    'account',
    'preview',
    accountKey,
    '--plan',
    'growth',
    '--drop',
    'media.aes256',
  );
  assert.ok(seen.won.some(({ feature }) => feature === 'zone.eu'));
  assert.deepEqual([seen.lost[0]?.feature, seen.uses[0]?.apiKey], ['media.aes256', apiKey]);
  const drop = ['account', 'add-ons', accountKey, '--drop', 'media.aes256', '--if-version', String(seen.version)];
  await assert.rejects(command(server, ...drop), /media\.aes256: project \d+ has the media policy require-aes256/);
  await command(server, ...drop, '--force', '--from', '2035-01-01');
  await assert.rejects(command(server, ...drop, '--force'), /at version 2 by now, not 1/);
  const terms = await command<Terms>(server, 'account', 'terms', accountKey);
  assert.deepEqual([terms.plan, terms.addOns, terms.version], ['standard', ['media.aes256'], 2]);
  assert.deepEqual(
    terms.changes.map(({ version, state, from }) => [version, state, from.startsWith('2035-01-01T00:00:00')]),
    [
      [1, 'holds', false],
      [2, 'waits', true],
    ],
  );
  assert.deepEqual(
    terms.ends.map(({ feature, apiKey: key }) => [feature, key]),
    [['media.aes256', apiKey]],
  );
  assert.match(await commandText(server, 'plans', 'show'), /archive\.encryption +add-on +included +included/);
});

test('token makes a client token that joins', async () => {
  const sessionId = await customer(made.apiSecret).session();
  const { token } = await command<{ token: string }>(
    server,
    'token',
    made.apiKey,
    sessionId,
    '--role',
    'moderator',
    '--expires',
    '10m',
  );
  const answer = await fetch(`${server.url}/cloister/v1/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ apiKey: made.apiKey, sessionId, token }),
  });
  assert.equal(answer.status, 200);
  const inspected = await command<{ mediaMode: string; policy: string; legs: unknown[] }>(
    server,
    'session',
    'inspect',
    made.apiKey,
    sessionId,
  );
  assert.deepEqual([inspected.mediaMode, inspected.policy, inspected.legs], ['routed', 'prefer-aes256', []]);
});

test('project rotate-secret refuses the old secret at once, and with --grace not yet', async () => {
  const { apiSecret: second } = await command<{ apiSecret: string }>(server, 'project', 'rotate-secret', made.apiKey);
  await assert.rejects(customer(made.apiSecret).session());
  assert.ok(await customer(second).session());
  const { apiSecret: third } = await command<{ apiSecret: string }>(
    server,
    'project',
    'rotate-secret',
    made.apiKey,
    '--grace',
    '1h',
  );
  assert.ok(await customer(second).session());
  assert.ok(await customer(third).session());
  made = { ...made, apiSecret: third };
});

test('project signature-secret shows what signs webhooks, of the first project too, and --rotate replaces it', async () => {
  const shown = (...words: string[]) =>
    command<{ apiKey: string; signatureSecret: string }>(server, 'project', 'signature-secret', ...words);
  const { apiKey, signatureSecret } = made;
  assert.match(signatureSecret, /^[0-9a-f]{40}$/);
  assert.deepEqual(await shown(apiKey), { apiKey, signatureSecret });
  const replaced = await shown(apiKey, '--rotate');
  assert.notEqual(replaced.signatureSecret, signatureSecret);
  assert.deepEqual(await shown(apiKey), replaced);
  const first = await shown(server.credentials.apiKey);
  assert.match(first.signatureSecret, /^[0-9a-f]{40}$/);
  const listed = JSON.stringify(await command(server, 'project', 'list'));
  for (const secret of [signatureSecret, replaced.signatureSecret, first.signatureSecret])
    assert.ok(!listed.includes(secret));
});

test('dev-credentials.json has its five fields and no more', () => {
  const names = Object.keys(JSON.parse(readFileSync(path.join(server.dataDir, 'dev-credentials.json'), 'utf8')));
  assert.deepEqual(names, ['url', 'accountKey', 'accountSecret', 'apiKey', 'apiSecret']);
});

test('project suspend refuses all use, and --lift ends that', async () => {
  await command(server, 'project', 'suspend', made.apiKey);
  await assert.rejects(customer(made.apiSecret).session());
  await command(server, 'project', 'suspend', made.apiKey, '--lift');
  assert.ok(await customer(made.apiSecret).session());
});

test('project policy sets the media policy', async () => {
  const { policy } = await command<{ policy: string }>(server, 'project', 'policy', made.apiKey, 'require-aes256');
  assert.equal(policy, 'require-aes256');
});

test('keys list shows no value, keys rotate makes a new key, keys compromise retires one at once', async () => {
  const before = await command<{ id: string; purpose: string; retiredAt: number | null }[]>(server, 'keys', 'list');
  const { keyId } = await command<{ keyId: string }>(server, 'keys', 'rotate', 'admission');
  await command(server, 'keys', 'compromise', keyId);
  const after = await command<{ id: string; compromisedAt: number | null }[]>(server, 'keys', 'list');
  assert.ok(!before.some((each) => each.id === keyId));
  assert.ok(after.find((each) => each.id === keyId)?.compromisedAt);
  const names = new Set(after.flatMap((each) => Object.keys(each)));
  assert.deepEqual([...names].sort(), ['compromisedAt', 'createdAt', 'id', 'purpose', 'retiredAt']);
  // One key in 64 has an id that looks like an option.
  await assert.rejects(command(server, 'keys', 'compromise', '-nobody'), /There is no key -nobody/);
});

test('keys compromise of a data key seals what is stored anew, and the project goes on', async () => {
  const keys = await command<{ id: string; purpose: string; retiredAt: number | null }[]>(server, 'keys', 'list');
  const own = keys.find((each) => each.purpose === `project:${made.apiKey}` && each.retiredAt === null);
  interface Answer {
    readonly resealed: number;
    readonly replace: readonly { readonly secret: string }[];
    readonly archives: readonly object[];
  }
  const compromise = () => command<Answer>(server, 'keys', 'compromise', String(own?.id));
  const { resealed, replace } = await compromise();
  assert.ok(resealed >= 3, `name, secret and signature secret at least: ${resealed}`);
  assert.equal(replace.length, 2);
  // The folder of an archive that has just begun: it does not show yet what its content key is sealed with.
  const archiveId = randomUUID();
  const folder = path.join(server.dataDir, 'archives', archiveId);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'about.json'), JSON.stringify({ projectId: made.apiKey, format: 'cloister' }));
  const config = { accessKey: 'a', secretKey: 's', bucket: 'visits' };
  const place = `/v2/project/${made.apiKey}/archive/storage`;
  await customer(made.apiSecret).rest('PUT', place, 'project', { type: 's3', config });
  const again = await compromise();
  assert.deepEqual([again.resealed, again.archives], [0, [{ archiveId }]]);
  assert.match(again.replace.map(({ secret }) => secret).join(), /API secret.*webhooks.*its storage \(s3\)$/);
  rmSync(folder, { recursive: true });
  const projects = await command<{ apiKey: string; name: string }[]>(server, 'project', 'list');
  assert.ok(projects.find((each) => each.apiKey === made.apiKey)?.name);
});

test('config --explain names where each value came from', async () => {
  const settings = await command<{ setting: string; value: string; origin: string }[]>(server, 'config', '--explain');
  const dataDir = settings.find((each) => each.setting === 'CLOISTER_DATA_DIR');
  assert.deepEqual([dataDir?.value, dataDir?.origin], [server.dataDir, 'variable CLOISTER_DATA_DIR']);
});

test('wrong words are told what would be right', async () => {
  const wrong: [string[], RegExp][] = [
    [['project', 'crate'], /no command project crate/],
    [['token', made.apiKey], /API_KEY SESSION_ID/],
    [['project', 'rotate-secret', made.apiKey, '--grace', 'soon'], /--grace/],
    [['project', 'create', '--plan', 'standard'], /first account.*cloister account plan/],
    [['project', 'create', '--account', '12345678'], /no account 12345678/],
    [['account', 'create', '--name', 'Practice'], /plan/],
    [['account', 'plan', '12345678', 'growth'], /no account 12345678/],
    [['account', 'plan', made.accountKey, 'golden'], /plan/],
    [['account', 'plan', made.accountKey, 'growth', '--add-on', 'ip.ranges'], /does not sell the add-on ip\.ranges/],
    [['project', 'suspend', '12345678'], /Issuer not found/],
    [['project', 'signature-secret', '12345678'], /Issuer not found/],
    [['keys', 'rotate', 'nothing'], /nothing/],
  ];
  for (const [words, expected] of wrong) {
    await assert.rejects(
      commandText(server, ...words),
      (error: Error & { code: number }) => error.code === 1 && expected.test(error.message),
    );
  }
});

test('help names every command', async () => {
  const help = await commandText(server, 'help');
  for (const name of [
    'serve',
    'account create',
    'account list',
    'account plan',
    'project create',
    'project list',
    'project suspend',
    'project signature-secret',
    'token',
    'session inspect',
    'config',
  ])
    assert.ok(help.includes(name), name);
});

test('the socket is its owner alone, and a command says when no server runs', async () => {
  assert.equal(statSync(path.join(server.dataDir, 'operator.sock')).mode & 0o777, 0o600);
  await assert.rejects(
    commandText({ dataDir: path.join(server.dataDir, 'nowhere') }, 'project', 'list'),
    /no server runs/,
  );
});
