/**
 * Every setting of the server: one schema, read from a file and from `CLOISTER_*` variables, checked as a whole before
 * anything starts. This is the only file that reads the process's environment.
 *
 * A setting comes from, the strongest first: an option of the command line, a variable, the file, the default.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PlatformError } from '@cloister/protocol/errors';
import { workerLocation } from '../../../scripts/media-worker/location.mjs';
import { mediaPlaces, turnPlaces } from './config-media.ts';
import { checkRules } from './config-rules.ts';
import { type ConfigKey, configKeys, configSchema, environmentName, keyNames, type Values } from './config-schema.ts';
import { isLoopback, nearestName } from './lib/index.ts';

/** The settings with every default filled in. Frozen, lists included. */
export type Config = Readonly<
  Omit<Values, 'mediaListen' | 'mediaAddress' | 'recorderSandbox' | 'turnListen' | 'turnAddress'> & {
    mediaListen: readonly string[] | undefined;
    rootKeyFile: string;
    mediaAddress: readonly string[];
    /** Literal addresses; undefined where it is mediaListen and that is undefined. */
    turnListen: readonly string[] | undefined;
    turnAddress: readonly string[];
    /** The secret shared with a TURN server elsewhere. */
    turnSecret: string | undefined;
    mediaWorkers: number;
    mediaWorkerBin: string;
    recorderSandbox: 'require' | 'prefer';
    /** Reachable from the local network over HTTPS with a certificate of our own; only by the option `--lan`. */
    lan: boolean;
    /** The file that was read, if one was. */
    configFile: string | undefined;
  }
>;

/** Where a value came from: `default`, `file PATH`, `variable NAME` or `option NAME`. */
export type Origin = string;

/** One line of `cloister config --explain`. */
export interface Explained {
  readonly key: ConfigKey;
  readonly environment: string;
  /** As text; a secret that is set is masked. */
  readonly value: string;
  readonly origin: Origin;
  readonly description: string;
}

interface Raw {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Variables with our prefix that are no settings: where the file is, and what `npm test` reads. */
const OTHER_VARIABLES = ['CLOISTER_CONFIG', 'CLOISTER_SEED', 'CLOISTER_WORKER_SHA256'];
const TEST_PREFIX = 'CLOISTER_TEST_';

const origins = new WeakMap<Config, ReadonlyMap<ConfigKey, Origin>>();

function invalid(why: string, cause?: unknown): PlatformError {
  return new PlatformError('ConfigInvalid', { why }, { cause });
}

function unknownName(what: string, name: string, known: readonly string[]): PlatformError {
  const near = nearestName(name, known);
  return invalid(`${what} ${name} is unknown${near ? `; did you mean ${near}?` : ''}`);
}

function readOptions(argv: readonly string[]): { file: string | undefined; lan: boolean } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { config: { type: 'string' }, lan: { type: 'boolean', default: false } },
    });
    return { file: values.config, lan: values.lan };
  } catch (error) {
    throw invalid(`the command line: ${(error as Error).message}`, error);
  }
}

function readFile(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // The parser's own words quote the file, and the file may hold a secret.
    const why =
      error instanceof SyntaxError ? 'it is not JSON' : ((error as NodeJS.ErrnoException).code ?? 'unreadable');
    throw invalid(`the file ${file} could not be read: ${why}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid(`the file ${file} must hold one JSON object`);
  }
  const entries = parsed as Record<string, unknown>;
  for (const name of Object.keys(entries)) {
    if (!keyNames.includes(name as ConfigKey)) throw unknownName(`in ${file}, the setting`, name, keyNames);
  }
  return entries;
}

function gather(env: NodeJS.ProcessEnv, file: string | undefined): Map<ConfigKey, Raw> {
  const raw = new Map<ConfigKey, Raw>();
  const entries = file ? readFile(file) : {};
  for (const key of keyNames) {
    if (key in entries) raw.set(key, { value: entries[key], origin: `file ${file}` });
  }
  const byVariable = new Map(keyNames.map((key) => [environmentName(key), key]));
  const known = [...byVariable.keys(), ...OTHER_VARIABLES];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('CLOISTER_') || name.startsWith(TEST_PREFIX) || OTHER_VARIABLES.includes(name)) continue;
    const key = byVariable.get(name);
    if (!key) throw unknownName('the variable', name, known);
    // An empty variable is how a container's file leaves one out.
    if (value) raw.set(key, { value, origin: `variable ${name}` });
  }
  return raw;
}

function parse(raw: ReadonlyMap<ConfigKey, Raw>): Values {
  const result = configSchema.safeParse(Object.fromEntries([...raw].map(([key, { value }]) => [key, value])));
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const key = issue.path[0] as ConfigKey;
    return `${key} (${raw.get(key)?.origin ?? 'default'}): ${issue.message}`;
  });
  throw invalid(lines.join('; '));
}

/** A key file handed over by systemd counts before the file in the home folder. */
function defaultRootKeyFile(env: NodeJS.ProcessEnv): { file: string; origin: Origin } {
  const credential = env.CREDENTIALS_DIRECTORY && path.join(env.CREDENTIALS_DIRECTORY, 'cloister-root-key');
  if (credential && existsSync(credential)) return { file: credential, origin: 'systemd credential cloister-root-key' };
  const base = env.XDG_CONFIG_HOME || path.join(env.HOME || homedir(), '.config');
  return { file: path.join(base, 'cloister', 'root.key'), origin: 'default' };
}

/** Where a program is; undefined where it is not installed. */
function inPath(program: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file));
}

/** A secret may be kept in a file of its own, so that it is in no environment and no unit file. */
function secretFromFile(setting: ConfigKey, file: string): string {
  try {
    if (statSync(file).mode & 0o077) throw invalid(`others may read ${file}; run: chmod 600 ${file}`);
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw invalid(`${setting} ${file} could not be read: ${(error as NodeJS.ErrnoException).code}`, error);
  }
}

function resolveSecrets(values: Values): Values {
  if (!values.databaseUrlFile) return values;
  if (values.databaseUrl) throw invalid('databaseUrl and databaseUrlFile are both set; leave one out');
  const parsed = configSchema.shape.databaseUrl.safeParse(secretFromFile('databaseUrlFile', values.databaseUrlFile));
  if (!parsed.success) throw invalid(`databaseUrlFile (${values.databaseUrlFile}): ${parsed.error.issues[0]?.message}`);
  return { ...values, databaseUrl: parsed.data };
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) freeze(inner);
  return Object.freeze(value);
}

/**
 * Reads and checks the settings.
 *
 * @param env the environment; nothing else in the server reads it
 * @param argv options: `--config FILE` and `--lan`
 * @returns the frozen settings
 * @throws PlatformError `ConfigInvalid`, naming the setting, where it came from and what to do
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  argv: readonly string[] = process.argv.slice(2),
): Config {
  const options = readOptions(argv);
  const configFile = options.file ?? env.CLOISTER_CONFIG ?? undefined;
  const raw = gather(env, configFile || undefined);
  const values = resolveSecrets(parse(raw));
  const found = new Map<ConfigKey, Origin>(keyNames.map((key) => [key, raw.get(key)?.origin ?? 'default']));

  const host = options.lan && !raw.has('host') ? '0.0.0.0' : values.host;
  if (host !== values.host) found.set('host', 'option --lan');
  const rootKey = defaultRootKeyFile(env);
  if (values.rootKeyFile === undefined) found.set('rootKeyFile', rootKey.origin);
  const worker = workerLocation(env);
  if (values.mediaWorkerBin === undefined && worker.supplied)
    found.set('mediaWorkerBin', 'variable MEDIASOUP_WORKER_BIN');
  if (values.databaseUrlFile) found.set('databaseUrl', `file ${values.databaseUrlFile}`);

  const places = mediaPlaces({ ...values, host, lan: options.lan });
  const config: Config = freeze({
    ...values,
    host,
    dataDir: path.resolve(values.dataDir),
    rootKeyFile: path.resolve(values.rootKeyFile ?? rootKey.file),
    ...places,
    ...turnPlaces(values, places),
    turnServerBin: values.turnServerBin ? path.resolve(values.turnServerBin) : inPath('turnserver', env),
    turnSecret: values.turnSecretFile && secretFromFile('turnSecretFile', values.turnSecretFile),
    mediaWorkers: values.mediaWorkers ?? availableParallelism(),
    mediaWorkerBin: path.resolve(values.mediaWorkerBin ?? worker.path),
    recorderSandbox: values.recorderSandbox ?? (values.mode === 'production' ? 'require' : 'prefer'),
    lan: options.lan,
    configFile: configFile || undefined,
  });
  const broken = checkRules(config, {
    configFileHoldsSecret: raw.get('databaseUrl')?.origin.startsWith('file ') ?? false,
  });
  if (broken.length > 0) throw invalid(broken.join('; '));
  origins.set(config, found);
  return config;
}

function asText(value: unknown): string {
  if (value === undefined) return '(not set)';
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/**
 * Each setting with its value, where the value came from and what it means; secrets masked.
 * @param config what `loadConfig` returned
 */
export function explain(config: Config): Explained[] {
  const from = origins.get(config);
  return keyNames.map((key) => {
    const value = config[key];
    const masked = configKeys[key].secret && value !== undefined;
    return {
      key,
      environment: environmentName(key),
      value: masked ? '(set, not shown)' : asText(value),
      origin: from?.get(key) ?? 'default',
      description: configKeys[key].description,
    };
  });
}

/** A setting for the record: what `explain` shows, whether nobody set it, and of a secret a hash that changes with it. */
export interface SettingFacts {
  readonly name: ConfigKey;
  readonly value: string;
  readonly standard: boolean;
  readonly mark?: string;
}

/** @param config what `loadConfig` returned */
export function settingFacts(config: Config): SettingFacts[] {
  return explain(config).map(({ key, value, origin }) => {
    const secret = configKeys[key].secret && config[key] !== undefined;
    const mark = secret && createHash('sha256').update(asText(config[key])).digest('hex');
    return { name: key, value, standard: origin === 'default', ...(mark && { mark }) };
  });
}

/** Whether clients reach the server over TLS, be it ours, that of `--lan` or that of a proxy in front. */
export function usesTls(config: Config): boolean {
  return config.tlsCert !== undefined || config.lan || config.tlsTerminated;
}

/** Whether the server can be reached by this machine alone. */
export function isLocalOnly(config: Config): boolean {
  return isLoopback(config.host);
}
