import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import { explain, isLocalOnly, loadConfig, usesTls } from './config.ts';
import { configKeys, environmentName, keyNames } from './config-schema.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-config-'));
after(() => rmSync(folder, { recursive: true }));

let made = 0;
function fileWith(content: string, mode = 0o600): string {
  made += 1;
  const file = path.join(folder, `file-${made}`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

const home = { HOME: path.join(folder, 'home') };
const load = (env: NodeJS.ProcessEnv = {}, argv: string[] = []) => loadConfig({ ...home, ...env }, argv);

function refused(env: NodeJS.ProcessEnv, pattern: RegExp, argv: string[] = []): void {
  assert.throws(
    () => load(env, argv),
    (error) => {
      assert.ok(error instanceof PlatformError);
      assert.equal(error.code, 'ConfigInvalid');
      assert.match(error.message, pattern);
      return true;
    },
  );
}

/** What production needs at the least. */
const production = () => ({
  CLOISTER_MODE: 'production',
  CLOISTER_TLS_TERMINATED: 'true',
  CLOISTER_ROOT_KEY_FILE: fileWith('key'),
});

test('without any setting the defaults are those of the reference', () => {
  const config = load();
  assert.equal(config.mode, 'development');
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 8080);
  assert.equal(config.dataDir, path.resolve('./data'));
  assert.deepEqual(config.mediaListen, ['127.0.0.1']);
  assert.deepEqual(config.mediaAddress, ['127.0.0.1']);
  assert.deepEqual(config.mediaPorts, { first: 40_000, last: 40_100 });
  assert.equal(config.mediaWorkers, availableParallelism());
  assert.equal(config.rootKeyFile, path.join(home.HOME, '.config/cloister/root.key'));
  assert.equal(config.showSecrets, false);
  assert.equal(config.stopWithin, 10_000);
  assert.equal(config.archiveKept, 72 * 3_600_000);
  assert.equal(config.lan, false);
  assert.equal(isLocalOnly(config), true);
  assert.equal(usesTls(config), false);
});

test('a variable is stronger than the file, and each value says where it came from', () => {
  const file = fileWith(JSON.stringify({ port: 9000, host: '127.0.0.2', trustedProxies: ['10.0.0.0/8'] }));
  const config = load({ CLOISTER_CONFIG: file, CLOISTER_PORT: '9001' });
  assert.equal(config.port, 9001);
  assert.equal(config.host, '127.0.0.2');
  assert.deepEqual(config.trustedProxies, [{ address: '10.0.0.0', bits: 8 }]);
  const origins = new Map(explain(config).map((line) => [line.key, line.origin]));
  assert.equal(origins.get('port'), 'variable CLOISTER_PORT');
  assert.equal(origins.get('host'), `file ${file}`);
  assert.equal(origins.get('mode'), 'default');
});

test('the option --config is stronger than CLOISTER_CONFIG', () => {
  const weak = fileWith('{"port": 9000}');
  const strong = fileWith('{"port": 9002}');
  assert.equal(load({ CLOISTER_CONFIG: weak }, ['--config', strong]).port, 9002);
});

test('an empty variable counts as not set', () => {
  assert.equal(load({ CLOISTER_PORT: '' }).port, 8080);
});

test('the settings are frozen, lists and ranges included', () => {
  const config = load({ CLOISTER_TRUSTED_PROXIES: '10.0.0.0/8' });
  assert.ok(Object.isFrozen(config));
  assert.ok(Object.isFrozen(config.mediaPorts));
  assert.ok(Object.isFrozen(config.trustedProxies[0]));
});

test('an unknown name is refused and the nearest known one offered', () => {
  refused({ CLOISTER_PROT: '1' }, /the variable CLOISTER_PROT is unknown; did you mean CLOISTER_PORT\?/);
  refused({ CLOISTER_SOMETHING_ELSE: '1' }, /CLOISTER_SOMETHING_ELSE is unknown$/);
  refused({ CLOISTER_CONFIG: fileWith('{"dataFir": "x"}') }, /the setting dataFir is unknown; did you mean dataDir\?/);
  refused({}, /--prot/, ['--prot']);
  assert.equal(
    load({ CLOISTER_SEED: '7', CLOISTER_TEST_FULL: '1', CLOISTER_WORKER_SHA256: '0' }).port,
    8080,
    'variables of npm test are no settings',
  );
});

test('a file that is missing or no JSON object is refused without quoting it', () => {
  refused({ CLOISTER_CONFIG: path.join(folder, 'none') }, /none could not be read: ENOENT/);
  refused({ CLOISTER_CONFIG: fileWith('{"databaseUrl": hunter2}') }, /could not be read: it is not JSON$/);
  refused({ CLOISTER_CONFIG: fileWith('[]') }, /must hold one JSON object/);
});

test('a value of the wrong kind is refused with its name, its origin and what was expected', () => {
  refused({ CLOISTER_MODE: 'staging' }, /mode \(variable CLOISTER_MODE\): expected development or production/);
  refused({ CLOISTER_SHOW_SECRETS: 'yes' }, /showSecrets .*: expected true or false/);
  refused({ CLOISTER_MEDIA_PORTS: '40000' }, /mediaPorts .*: expected a range of ports/);
  refused({ CLOISTER_ARCHIVE_KEPT: '366d' }, /archiveKept .*: expected from 1s to 365d/);
  refused({ CLOISTER_STOP_WITHIN: '30' }, /stopWithin .*: expected a duration such as 10s/);
  refused({ CLOISTER_LOG_LEVEL: 'loud' }, /logLevel/);
  refused({ CLOISTER_HOST: 'not a host' }, /host .*: expected an address or a host name/);
  refused({ CLOISTER_TRUSTED_PROXIES: '10.0.0.0/8,proxy' }, /trustedProxies .*"proxy" is not prefixes/);
  refused({ CLOISTER_DESTINATIONS: '10.0.0.0/8' }, /destinations .*is not prefixes with a port/);
  refused({ CLOISTER_PUBLIC_URL: 'https://a.example/path' }, /publicUrl .*without a path/);
  refused({ CLOISTER_DATABASE_URL: 'mysql://u:hunter2@h/d' }, /^(?!.*hunter2).*databaseUrl/);
});

test('numbers are accepted at their bounds and refused one past them', () => {
  assert.equal(load({ CLOISTER_PORT: '0' }).port, 0);
  assert.equal(load({ CLOISTER_PORT: '65535' }).port, 65_535);
  refused({ CLOISTER_PORT: '65536' }, /from 0 to 65535/);
  refused({ CLOISTER_PORT: '-1' }, /from 0 to 65535/);
  assert.equal(load({ CLOISTER_MEDIA_WORKERS: '1' }).mediaWorkers, 1);
  refused({ CLOISTER_MEDIA_WORKERS: '0' }, /from 1 to 256/);
  refused({ CLOISTER_MEDIA_WORKERS: '257' }, /from 1 to 256/);
  assert.equal(load({ CLOISTER_MEDIA_CAPACITY: '1' }).mediaCapacity, 1);
  assert.equal(load({ CLOISTER_MEDIA_CAPACITY: '1000000' }).mediaCapacity, 1_000_000);
  refused({ CLOISTER_MEDIA_CAPACITY: '0' }, /from 1 to 1000000/);
  refused({ CLOISTER_MEDIA_CAPACITY: '1000001' }, /from 1 to 1000000/);
  assert.equal(load({ CLOISTER_STOP_WITHIN: '600s' }).stopWithin, 600_000);
  refused({ CLOISTER_STOP_WITHIN: '601s' }, /from 1s to 10m/);
});

test('lists come from commas in a variable and from JSON in a file', () => {
  const expected = [
    { prefix: { address: '10.1.0.0', bits: 16 }, port: 443 },
    { prefix: { address: 'fd00::', bits: 8 }, port: 8443 },
  ];
  assert.deepEqual(load({ CLOISTER_DESTINATIONS: '10.1.0.0/16:443, [fd00::/8]:8443' }).destinations, expected);
  const file = fileWith(JSON.stringify({ destinations: ['10.1.0.0/16:443', '[fd00::/8]:8443'] }));
  assert.deepEqual(load({ CLOISTER_CONFIG: file }).destinations, expected);
});

test('development listens on loopback only, unless --lan', () => {
  refused(
    { CLOISTER_HOST: '0.0.0.0', CLOISTER_MEDIA_ADDRESS: '192.0.2.1' },
    /listens on loopback only; start with --lan/,
  );
  assert.deepEqual(load({ CLOISTER_HOST: '::1' }).mediaAddress, ['::1']);
  assert.equal(load({ CLOISTER_HOST: 'localhost' }).mediaListen, undefined, 'it is looked up at the start');
  refused(
    { CLOISTER_MEDIA_LISTEN: '::1,0.0.0.0', CLOISTER_MEDIA_ADDRESS: '127.0.0.1' },
    /mediaListen 0\.0\.0\.0: the dev/,
  );
  const lan = load({}, ['--lan']);
  assert.equal(lan.host, '0.0.0.0');
  assert.equal(usesTls(lan), true);
  assert.equal(explain(lan).find((line) => line.key === 'host')?.origin, 'option --lan');
});

test('production needs TLS of its own or in front, and knows no --lan', () => {
  const { CLOISTER_TLS_TERMINATED: _, ...bare } = production();
  refused(bare, /production needs TLS/);
  assert.equal(load(production()).tlsTerminated, true);
  const tls = { CLOISTER_TLS_CERT: fileWith('cert'), CLOISTER_TLS_KEY: fileWith('key') };
  assert.equal(usesTls(load({ ...bare, ...tls })), true);
  refused(production(), /--lan is for the development mode/, ['--lan']);
  refused({ ...production(), CLOISTER_PUBLIC_URL: 'http://a.example' }, /publicUrl must be an https address/);
});

test('recorders are shut in or not started in production; development prefers it; either may be set', () => {
  assert.equal(load(production()).recorderSandbox, 'require');
  assert.equal(load({}).recorderSandbox, 'prefer');
  assert.equal(load({ ...production(), CLOISTER_RECORDER_SANDBOX: 'prefer' }).recorderSandbox, 'prefer');
  assert.equal(load({ CLOISTER_RECORDER_SANDBOX: 'require' }).recorderSandbox, 'require');
  refused({ CLOISTER_RECORDER_SANDBOX: 'off' }, /recorderSandbox .*: expected require or prefer/);
});

test('a download link is good for archiveLinkSecondsMost at most', () => {
  const most = limits.archiveLinkSecondsMost;
  assert.equal(load({ CLOISTER_ARCHIVE_LINK: `${most}s` }).archiveLink, most * 1000);
  refused({ CLOISTER_ARCHIVE_LINK: `${most + 1}s` }, /archiveLink .*: expected from 1s to 1d/);
});

test('production may listen on every address once it is told where media reaches it', () => {
  refused({ ...production(), CLOISTER_HOST: '0.0.0.0' }, /mediaAddress is needed/);
  const config = load({ ...production(), CLOISTER_HOST: '0.0.0.0', CLOISTER_MEDIA_ADDRESS: 'media.example.org' });
  assert.deepEqual(config.mediaAddress, ['media.example.org']);
  assert.deepEqual(config.mediaListen, ['0.0.0.0']);
});

test('media listens where it is told, in both families, while HTTP stays on loopback', () => {
  const places = (env: NodeJS.ProcessEnv) => {
    const { mediaListen, mediaAddress } = load({ ...production(), ...env });
    return [mediaListen, mediaAddress];
  };
  const both = { CLOISTER_MEDIA_LISTEN: '0.0.0.0, ::', CLOISTER_MEDIA_ADDRESS: '203.0.113.10, 2001:db8::9' };
  assert.deepEqual(places(both), [
    ['0.0.0.0', '::'],
    ['203.0.113.10', '2001:db8::9'],
  ]);
  const literal = ['192.0.2.1', '192.0.2.2', '2001:db8::1'];
  assert.deepEqual(places({ CLOISTER_MEDIA_LISTEN: literal.join() }), [literal, literal]);
  const file = fileWith(JSON.stringify({ mediaListen: [], mediaAddress: ['203.0.113.10'] }));
  assert.deepEqual(places({ CLOISTER_CONFIG: file }), [['127.0.0.1'], ['203.0.113.10']]);
  // HTTP on :: takes both families, so media takes those that clients are told of.
  const any = (told: string) => places({ CLOISTER_HOST: '::', CLOISTER_MEDIA_ADDRESS: told })[0];
  assert.deepEqual(any('203.0.113.10'), ['0.0.0.0']);
  assert.deepEqual(any('2001:db8::9'), ['::']);
  assert.deepEqual(any('2001:db8::9,media.example.org'), ['0.0.0.0', '::']);
});

test('media addresses that no client could use are refused', () => {
  const wrong = (listen: string, told: string, pattern: RegExp) =>
    refused({ ...production(), CLOISTER_MEDIA_LISTEN: listen, CLOISTER_MEDIA_ADDRESS: told }, pattern);
  wrong('localhost', '', /mediaListen .*"localhost" is not a literal IPv4 or IPv6 address/);
  wrong('fe80::1%eth0', '', /is not a literal/);
  wrong('0.0.0.0,::', '', /mediaAddress is needed for 0\.0\.0\.0.*mediaAddress is needed for ::/);
  wrong('0.0.0.0,::', '203.0.113.10', /mediaAddress is needed for ::/);
  wrong('0.0.0.0', '203.0.113.10,2001:db8::9', /2001:db8::9 is of a family that media does not listen on/);
  wrong('0.0.0.0', '203.0.113.10,203.0.113.11', /203\.0\.113\.11 is the second of its family/);
});

test('a certificate and its key come together, can be read, and the key is not for everybody', () => {
  refused({ CLOISTER_TLS_CERT: fileWith('cert') }, /tlsCert is set without tlsKey/);
  refused({ CLOISTER_TLS_KEY: fileWith('key') }, /tlsKey is set without tlsCert/);
  const cert = fileWith('cert', 0o644);
  refused({ CLOISTER_TLS_CERT: cert, CLOISTER_TLS_KEY: path.join(folder, 'none') }, /tlsKey .*cannot be read/);
  refused({ CLOISTER_TLS_CERT: cert, CLOISTER_TLS_KEY: fileWith('key', 0o644) }, /everybody may read/);
  assert.ok(load({ CLOISTER_TLS_CERT: cert, CLOISTER_TLS_KEY: fileWith('key', 0o640) }).tlsKey);
});

test('the root key lies outside the data folder, is private, and in production exists', () => {
  const data = path.join(folder, 'data');
  refused({ CLOISTER_DATA_DIR: data, CLOISTER_ROOT_KEY_FILE: path.join(data, 'root.key') }, /lies in the data folder/);
  refused({ CLOISTER_ROOT_KEY_FILE: fileWith('key', 0o640) }, /others may read .*chmod 600/);
  refused({ ...production(), CLOISTER_ROOT_KEY_FILE: path.join(folder, 'none') }, /does not exist; make it once/);
  assert.ok(load({ CLOISTER_ROOT_KEY_FILE: path.join(folder, 'none') }).rootKeyFile, 'development makes it');
});

test('a systemd credential and XDG_CONFIG_HOME give the root key its default place', () => {
  assert.equal(load({ XDG_CONFIG_HOME: '/x' }).rootKeyFile, '/x/cloister/root.key');
  const credentials = path.join(folder, 'credentials');
  assert.match(load({ CREDENTIALS_DIRECTORY: credentials }).rootKeyFile, /\.config/, 'not there: the default stays');
  mkdirSync(credentials);
  const file = path.join(credentials, 'cloister-root-key');
  writeFileSync(file, 'key', { mode: 0o440 });
  assert.equal(load({ CREDENTIALS_DIRECTORY: credentials }).rootKeyFile, file);
});

test('every media worker has a port, and the HTTP port is none of them', () => {
  assert.ok(load({ CLOISTER_MEDIA_PORTS: '40000-40001', CLOISTER_MEDIA_WORKERS: '2' }));
  refused({ CLOISTER_MEDIA_PORTS: '40000-40001', CLOISTER_MEDIA_WORKERS: '3' }, /2 ports for 3 media workers/);
  refused({ CLOISTER_PORT: '40000' }, /port 40000 lies in mediaPorts/);
  assert.equal(load({ CLOISTER_PORT: '39999' }).port, 39_999);
});

test('the media worker is the one that the environment names, else the one in the cache', () => {
  assert.equal(load({ MEDIASOUP_WORKER_BIN: '/opt/worker' }).mediaWorkerBin, '/opt/worker');
  assert.equal(
    load({ CLOISTER_MEDIA_WORKER_BIN: '/opt/ours', MEDIASOUP_WORKER_BIN: '/x' }).mediaWorkerBin,
    '/opt/ours',
  );
  const cached = load({ XDG_CACHE_HOME: '/cache' }).mediaWorkerBin;
  assert.match(cached, /^\/cache\/cloister\/mediasoup-worker\/3\.\d+\.\d+-[0-9a-f]{12}\/mediasoup-worker$/);
});

test('the database secret may come from a private file, and is never explained', () => {
  const secret = 'postgres://cloister:hunter2@db.example/cloister';
  const config = load({ CLOISTER_DATABASE_URL_FILE: fileWith(`${secret}\n`) });
  assert.equal(config.databaseUrl, secret);
  assert.doesNotMatch(JSON.stringify(explain(config)), /hunter2/);
  assert.equal(explain(load()).find((line) => line.key === 'databaseUrl')?.value, '(not set)');
  refused({ CLOISTER_DATABASE_URL_FILE: fileWith(secret, 0o644) }, /others may read/);
  refused({ CLOISTER_DATABASE_URL_FILE: path.join(folder, 'none') }, /could not be read: ENOENT/);
  refused({ CLOISTER_DATABASE_URL_FILE: fileWith('hunter2') }, /^(?!.*hunter2).*expected an address such as/);
  refused({ CLOISTER_DATABASE_URL: secret, CLOISTER_DATABASE_URL_FILE: fileWith(secret) }, /both set/);
});

test('a settings file with a secret in it is private', () => {
  const content = JSON.stringify({ databaseUrl: 'postgres://cloister:hunter2@db.example/cloister' });
  refused({ CLOISTER_CONFIG: fileWith(content, 0o644) }, /holds a secret and others may read it/);
  assert.ok(load({ CLOISTER_CONFIG: fileWith(content) }).databaseUrl);
  assert.ok(load({ CLOISTER_CONFIG: fileWith('{}', 0o644) }));
});

test('every setting is described and explained under its variable', () => {
  const lines = explain(load());
  assert.deepEqual(
    lines.map((line) => line.key),
    keyNames,
  );
  for (const line of lines) {
    assert.equal(line.environment, environmentName(line.key));
    assert.ok(configKeys[line.key].description.length > 10, line.key);
    assert.ok(line.value.length > 0, line.key);
  }
  assert.equal(environmentName('tlsCert'), 'CLOISTER_TLS_CERT');
});

test('TURN takes what is left open from the other settings', () => {
  const config = load();
  assert.equal(config.turn, 'auto');
  assert.equal(config.turnServerBin, undefined);
  assert.deepEqual(config.turnAddress, ['127.0.0.1']);
  assert.equal(config.turnCredentialLife, limits.turnCredentialSeconds * 1000);
  const cert = fileWith('cert');
  const key = fileWith('key');
  const named = load({
    ...production(),
    CLOISTER_TLS_CERT: cert,
    CLOISTER_TLS_KEY: key,
    CLOISTER_PUBLIC_URL: 'https://video.example.org',
    CLOISTER_MEDIA_ADDRESS: 'media.example.org,2001:db8::5',
    CLOISTER_MEDIA_LISTEN: '0.0.0.0,::',
  });
  assert.deepEqual(named.turnAddress, ['2001:db8::5']);
  assert.deepEqual([named.turnTlsCert, named.turnTlsKey, named.turnTlsHost], [cert, key, 'video.example.org']);
});

test('receivers of the audit log are addresses of TLS, and their certificates are of somebody', () => {
  const syslog = { CLOISTER_AUDIT_SYSLOG: 'tls://siem.example.org:6514' };
  assert.equal(load(syslog).auditSyslog, 'tls://siem.example.org:6514');
  assert.equal(load({ CLOISTER_AUDIT_SYSLOG: 'tls://[fd00::1]:443' }).auditSyslog, 'tls://[fd00::1]:443');
  for (const wrong of ['tls://siem.example.org', 'tcp://siem.example.org:514', 'tls://a:b@siem:1', 'tls://siem:1/x']) {
    refused({ CLOISTER_AUDIT_SYSLOG: wrong }, /auditSyslog.*expected an address such as tls:/);
  }
  assert.equal(load({ CLOISTER_AUDIT_OTLP: 'https://otel.example.org' }).auditOtlp, 'https://otel.example.org');
  refused({ CLOISTER_AUDIT_OTLP: 'http://otel.example.org' }, /auditOtlp.*expected an https address/);
  const ca = fileWith('ca');
  refused({ CLOISTER_AUDIT_SYSLOG_CA: ca }, /auditSyslogCa is set without auditSyslog/);
  refused({ CLOISTER_AUDIT_OTLP_CA: ca }, /auditOtlpCa is set without auditOtlp/);
  refused({ ...syslog, CLOISTER_AUDIT_SYSLOG_CA: '/nowhere' }, /auditSyslogCa \/nowhere cannot be read/);
  refused({ ...syslog, CLOISTER_AUDIT_SYSLOG_CERT: ca }, /auditSyslogCert is set without auditSyslogKey/);
});

test('coturn is found in PATH, and where a setting says', () => {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(path.join(bin, 'turnserver'), '');
  assert.equal(load({ PATH: `/nowhere:${bin}` }).turnServerBin, path.join(bin, 'turnserver'));
  assert.equal(load({ PATH: bin, CLOISTER_TURN_SERVER_BIN: '/opt/turnserver' }).turnServerBin, '/opt/turnserver');
  refused({ PATH: '/nowhere', CLOISTER_TURN: 'require' }, /install the Debian package coturn/);
});

test('a TURN credential lives from turnCredentialSecondsMin to turnCredentialSeconds', () => {
  const { turnCredentialSecondsMin: least, turnCredentialSeconds: most } = limits;
  const life = (seconds: number) => ({ CLOISTER_TURN_CREDENTIAL_LIFE: `${seconds}s` });
  for (const seconds of [least, most]) assert.equal(load(life(seconds)).turnCredentialLife, seconds * 1000);
  for (const seconds of [least - 1, most + 1]) refused(life(seconds), /turnCredentialLife.*expected from 4s to 10m/);
});

test('a TURN server elsewhere needs its secret, in a file of the owner alone', () => {
  const urls = {
    CLOISTER_TURN_URLS: 'stun:t.example.org,turn:t.example.org:3478?transport=udp,turns:[2001:db8::1]:443',
  };
  refused(urls, /turnUrls needs turnSecretFile/);
  assert.equal(load({ ...urls, CLOISTER_TURN_SECRET_FILE: fileWith('shared\n') }).turnSecret, 'shared');
  refused({ ...urls, CLOISTER_TURN_SECRET_FILE: fileWith('shared', 0o644) }, /others may read/);
  refused({ ...urls, CLOISTER_TURN_SECRET_FILE: '/nowhere' }, /turnSecretFile \/nowhere could not be read: ENOENT/);
  refused({ CLOISTER_TURN_SECRET_FILE: fileWith('shared') }, /turnSecretFile is set without turnUrls/);
  refused({ CLOISTER_TURN_URLS: 'https://t.example.org' }, /turnUrls.*is not a STUN or TURN address/);
  assert.deepEqual(load({ CLOISTER_TURN_URLS: 'stun:t.example.org' }).turnUrls, ['stun:t.example.org']);
});

test('the ports of TURN are those of nobody else, where there is a coturn to have them', () => {
  const bin = { CLOISTER_TURN_SERVER_BIN: '/usr/bin/turnserver' };
  const overlapping = { CLOISTER_TURN_RELAY_PORTS: '40100-40200' };
  refused({ ...bin, ...overlapping }, /turnRelayPorts and mediaPorts have ports in common/);
  assert.doesNotThrow(() => load(overlapping));
  assert.doesNotThrow(() => load({ ...bin, ...overlapping, CLOISTER_TURN: 'off' }));
  refused({ ...bin, CLOISTER_TURN_PORT: '8080' }, /port 8080 is wanted by TURN and by HTTP/);
  refused({ ...bin, CLOISTER_TURN_PORT: '41000' }, /port 41000 of TURN lies in 41000-41999/);
});

test('with an address each, HTTP, TURN and media may all have port 443', () => {
  const places = {
    ...production(),
    CLOISTER_TURN_SERVER_BIN: '/usr/bin/turnserver',
    CLOISTER_TLS_CERT: fileWith('cert'),
    CLOISTER_TLS_KEY: fileWith('key'),
    CLOISTER_HOST: '198.51.100.1',
    CLOISTER_PORT: '443',
    CLOISTER_MEDIA_LISTEN: '198.51.100.3',
    CLOISTER_MEDIA_PORTS: '443-482',
    CLOISTER_TURN_LISTEN: '198.51.100.2',
    CLOISTER_TURN_TLS_PORT: '443',
  };
  const config = load(places);
  assert.deepEqual([config.turnListen, config.turnAddress], [['198.51.100.2'], ['198.51.100.2']]);
  assert.deepEqual(load({ ...places, CLOISTER_TURN_ADDRESS: '203.0.113.9' }).turnAddress, ['203.0.113.9']);
  const shared = (changed: Record<string, string>) => ({ ...places, ...changed });
  refused(shared({ CLOISTER_TURN_LISTEN: '198.51.100.1' }), /port 443 is wanted by TURN and by HTTP/);
  refused(shared({ CLOISTER_TURN_LISTEN: '198.51.100.3' }), /port 443 of TURN lies in 443-482/);
  refused(shared({ CLOISTER_TURN_LISTEN: '0.0.0.0' }), /port 443 is wanted by TURN and by HTTP/);
  refused(shared({ CLOISTER_MEDIA_LISTEN: '198.51.100.1' }), /port 443 lies in mediaPorts/);
});
