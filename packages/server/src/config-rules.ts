/** Rules over several settings, or over a setting and the machine. Each gives a sentence that says what to do. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import type { Config } from './config.ts';
import { isLoopback, isWildcard, ofFamily } from './lib/index.ts';

const GROUP_AND_OTHERS = 0o077;
const OTHERS = 0o007;

function tooOpen(file: string, bits: number): boolean {
  return (statSync(file).mode & bits) !== 0;
}

function unreadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return false;
  } catch {
    return true;
  }
}

function* reachRules(config: Config): Generator<string> {
  const production = config.mode === 'production';
  if (production && config.lan) yield '--lan is for the development mode; set tlsCert and tlsKey instead';
  if (!production && !config.lan && !isLoopback(config.host)) {
    yield `host ${config.host}: the development mode listens on loopback only; start with --lan, or set mode to production`;
  }
  if (production && !config.tlsTerminated && !(config.tlsCert && config.tlsKey)) {
    yield 'production needs TLS: set tlsCert and tlsKey, or tlsTerminated where a proxy of yours ends TLS in front of this server';
  }
  if (production && config.publicUrl?.startsWith('http:')) yield 'publicUrl must be an https address in production';
}

function* addressRules({ addressLine, addressListPrivate, publicUrl, mode }: Config): Generator<string> {
  if (addressLine && !publicUrl) {
    yield 'addressLine is set without publicUrl: the address that clients reach has to be in the address list';
  }
  if (addressListPrivate && mode === 'production') yield 'addressListPrivate is for the development mode';
}

function* tlsRules(config: Config): Generator<string> {
  yield* pairRules(config, 'tlsCert', 'tlsKey');
  // Where TURN has that of the server, it has been looked at.
  if (config.turnTlsKey !== config.tlsKey || config.turnTlsCert !== config.tlsCert) {
    yield* pairRules(config, 'turnTlsCert', 'turnTlsKey');
  }
}

type CertKey = 'tlsCert' | 'turnTlsCert' | 'auditSyslogCert';
type KeyKey = 'tlsKey' | 'turnTlsKey' | 'auditSyslogKey';

function* pairRules(config: Config, cert: CertKey, key: KeyKey): Generator<string> {
  if (config[cert] && !config[key]) yield `${cert} is set without ${key}`;
  if (config[key] && !config[cert]) yield `${key} is set without ${cert}`;
  for (const each of [cert, key]) {
    const file = config[each];
    if (file && unreadable(file)) yield `${each} ${file} cannot be read`;
  }
  const file = config[key];
  if (file && !unreadable(file) && tooOpen(file, OTHERS)) yield `everybody may read ${file}; run: chmod o= ${file}`;
}

function* auditRules(config: Config): Generator<string> {
  yield* pairRules(config, 'auditSyslogCert', 'auditSyslogKey');
  for (const [each, needs] of [
    ['auditSyslogCa', 'auditSyslog'],
    ['auditSyslogCert', 'auditSyslog'],
    ['auditOtlpCa', 'auditOtlp'],
  ] as const) {
    const file = config[each];
    if (file && !config[needs]) yield `${each} is set without ${needs}`;
    if (file && each !== 'auditSyslogCert' && unreadable(file)) yield `${each} ${file} cannot be read`;
  }
}

function* turnRules(config: Config): Generator<string> {
  const { turn, turnServerBin, turnUrls, turnSecretFile, turnRelayPorts, mediaPorts } = config;
  if (turnUrls.length > 0) {
    if (turnUrls.some((url) => url.startsWith('turn')) && !turnSecretFile) {
      yield 'turnUrls needs turnSecretFile: the secret by which that TURN server knows our credentials';
    }
    if (turn === 'require') yield 'turn is require, and turnUrls names a TURN server elsewhere; leave one out';
    return;
  }
  if (turnSecretFile) yield 'turnSecretFile is set without turnUrls';
  if (turn === 'off') return;
  if (turn === 'require' && !turnServerBin) {
    yield 'turn is require and coturn is not installed; install the Debian package coturn, or set turnServerBin';
  }
  if (!turnServerBin) return;
  const besideMedia = meet(config.turnListen, config.mediaListen);
  if (besideMedia && turnRelayPorts.first <= mediaPorts.last && mediaPorts.first <= turnRelayPorts.last) {
    yield 'turnRelayPorts and mediaPorts have ports in common';
  }
  const ports = [config.turnPort, ...(config.turnTlsCert ? [config.turnTlsPort] : [])];
  for (const port of ports) {
    if (port === config.port && meet(config.turnListen, [config.host])) {
      yield `port ${port} is wanted by TURN and by HTTP; give TURN an address of its own (turnListen), or another port`;
    }
    for (const range of besideMedia ? [mediaPorts, turnRelayPorts] : [turnRelayPorts]) {
      if (port >= range.first && port <= range.last) yield `port ${port} of TURN lies in ${range.first}-${range.last}`;
    }
  }
}

/** Whether two listeners may have an address in common; one that is not known yet, or a name, may be any. */
function meet(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  const any = (address: string) => isWildcard(address) || isIP(address) === 0;
  return !one || !other || [...one, ...other].some(any) || one.some((address) => other.includes(address));
}

function* rootKeyRules(config: Config): Generator<string> {
  const file = config.rootKeyFile;
  const inside = path.relative(config.dataDir, file);
  if (!inside.startsWith('..') && !path.isAbsolute(inside)) {
    yield `rootKeyFile ${file} lies in the data folder; a copy of the folder would then open itself`;
  }
  if (!existsSync(file)) {
    if (config.mode === 'production') {
      yield `rootKeyFile ${file} does not exist; make it once: (umask 077; openssl rand -base64 32 > ${file})`;
    }
    return;
  }
  // systemd hands credentials over in a folder of the unit's own, readable by its group.
  const bits = path.basename(file) === 'cloister-root-key' ? OTHERS : GROUP_AND_OTHERS;
  if (tooOpen(file, bits)) yield `others may read ${file}; run: chmod 600 ${file}`;
}

function* mediaAddressRules(listen: readonly string[], { mode, lan, mediaAddress }: Config): Generator<string> {
  const open = listen.find((address) => !isLoopback(address));
  if (mode === 'development' && !lan && open) {
    yield `mediaListen ${open}: the development mode listens on loopback only; start with --lan, or set mode to production`;
  }
  for (const address of listen) {
    if (isWildcard(address) && !ofFamily(address, listen, mediaAddress)) {
      yield `mediaAddress is needed for ${address}: clients must be told an address at which media reaches this machine`;
    }
  }
  for (const told of mediaAddress.filter((each) => !listen.includes(each))) {
    const served = listen.find((address) => ofFamily(address, listen, [told]) !== undefined);
    if (!served) yield `mediaAddress ${told} is of a family that media does not listen on; set mediaListen`;
    else if (ofFamily(served, listen, mediaAddress) !== told) {
      yield `mediaAddress ${told} is the second of its family; clients are told one for each`;
    }
  }
}

function* mediaRules(config: Config): Generator<string> {
  if (config.mediaListen) yield* mediaAddressRules(config.mediaListen, config);
  const ports = config.mediaPorts.last - config.mediaPorts.first + 1;
  if (ports < config.mediaWorkers) {
    yield `mediaPorts has ${ports} ports for ${config.mediaWorkers} media workers; each needs one`;
  }
  const { port, mediaPorts, mediaListen, host } = config;
  if (port >= mediaPorts.first && port <= mediaPorts.last && meet(mediaListen, [host])) {
    yield `port ${config.port} lies in mediaPorts`;
  }
}

/**
 * The sentences of all broken rules; none when the settings may be used.
 * @param known `configFileHoldsSecret`: whether the settings file itself has a secret in it
 */
export function checkRules(config: Config, known: { configFileHoldsSecret: boolean }): string[] {
  const broken = [
    ...reachRules(config),
    ...addressRules(config),
    ...tlsRules(config),
    ...rootKeyRules(config),
    ...mediaRules(config),
    ...turnRules(config),
    ...auditRules(config),
  ];
  if (known.configFileHoldsSecret && config.configFile && tooOpen(config.configFile, GROUP_AND_OTHERS)) {
    broken.push(`${config.configFile} holds a secret and others may read it; run: chmod 600 ${config.configFile}`);
  }
  return broken;
}
