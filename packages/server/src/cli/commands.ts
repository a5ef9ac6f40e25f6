/** Every command but `serve`: its words, its options, and what it asks of the running server, if anything. */
import { explain } from '../config.ts';
import { systemClock, systemIds } from '../lib/index.ts';
import { auditCommands } from './audit-commands.ts';
import { clientIntegrityCommand } from './client-integrity.ts';
import { type Command, operator, readText, seconds, settings } from './command.ts';
import { ipRangesCommands } from './ip-ranges-commands.ts';
import { personCommands } from './person-commands.ts';
import { planCommands } from './plan-commands.ts';
import { usageCommands } from './usage-commands.ts';

export const commands: Readonly<Record<string, Command>> = {
  'account create': {
    summary: 'makes an account with a plan and add-ons, and shows its key and, this once, its secret',
    arguments: [],
    options: {
      name: { type: 'string' },
      plan: { type: 'string' },
      'add-on': { type: 'string', multiple: true },
    },
    run: (call) => {
      const { name, plan, 'add-on': addOns } = call.options;
      return operator(call, 'POST', '/accounts', { name, plan, addOns });
    },
  },
  'account list': {
    summary: 'lists the accounts with their plans and add-ons',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/accounts'),
  },
  ...personCommands,
  ...planCommands,
  ...usageCommands,
  'project create': {
    summary: 'makes a project and shows its key and secrets, the API secret this once; --plan is for the first account',
    arguments: [],
    options: { name: { type: 'string' }, account: { type: 'string' }, plan: { type: 'string' } },
    run: (call) => {
      const { name, account, plan } = call.options;
      return operator(call, 'POST', '/projects', { name, plan, accountKey: account });
    },
  },
  'project list': {
    summary: 'lists the projects',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/projects'),
  },
  'project suspend': {
    summary: 'refuses all use of a project and ends its calls',
    arguments: ['API_KEY'],
    options: { lift: { type: 'boolean' } },
    run: (call) =>
      operator(call, 'POST', `/projects/${call.arguments[0]}`, { status: call.options.lift ? 'ACTIVE' : 'SUSPENDED' }),
  },
  'project policy': {
    summary: 'sets the media policy: prefer-aes256 or require-aes256',
    arguments: ['API_KEY', 'POLICY'],
    options: {},
    run: (call) => operator(call, 'POST', `/projects/${call.arguments[0]}`, { policy: call.arguments[1] }),
  },
  'project rotate-secret': {
    summary: 'replaces the secret; --grace 1h keeps the old one that long, --compromised also ends its calls',
    arguments: ['API_KEY'],
    options: { grace: { type: 'string' }, compromised: { type: 'boolean' } },
    run: (call) => {
      const { grace, compromised } = call.options;
      return operator(call, 'POST', `/projects/${call.arguments[0]}/secret`, {
        graceSeconds: seconds(grace, 'grace'),
        compromised: compromised === true,
      });
    },
  },
  'project signature-secret': {
    summary: 'shows the secret that signs webhooks; --rotate replaces it first',
    arguments: ['API_KEY'],
    options: { rotate: { type: 'boolean' } },
    run: (call) =>
      operator(call, call.options.rotate ? 'POST' : 'GET', `/projects/${call.arguments[0]}/signature-secret`),
  },
  'project archive-sealing': {
    summary:
      'shows what archives are sealed to; --format opentok|cloister with --certificate FILE sets it, --remove removes it',
    arguments: ['API_KEY'],
    options: {
      format: { type: 'string' },
      certificate: { type: 'string', multiple: true },
      remove: { type: 'boolean' },
    },
    run: (call) => {
      const { format, certificate, remove } = call.options;
      const route = `/projects/${call.arguments[0]}/archive-sealing`;
      if (remove) return operator(call, 'DELETE', route);
      if (format === undefined && certificate === undefined) return operator(call, 'GET', route);
      const certificates = ((certificate ?? []) as string[]).map((file) => readText(file, 'certificate'));
      return operator(call, 'PUT', route, { format, certificates });
    },
  },
  token: {
    summary: 'makes a client token for a session',
    arguments: ['API_KEY', 'SESSION_ID'],
    options: { role: { type: 'string' }, data: { type: 'string' }, expires: { type: 'string' } },
    run: (call) => {
      const [apiKey, sessionId] = call.arguments;
      const { role, data, expires } = call.options;
      return operator(call, 'POST', `/projects/${apiKey}/tokens`, {
        sessionId,
        role,
        data,
        seconds: seconds(expires, 'expires'),
      });
    },
  },
  'session inspect': {
    summary: 'shows who is in a session, what is published, and every leg with its suite',
    arguments: ['API_KEY', 'SESSION_ID'],
    options: {},
    run: (call) =>
      operator(call, 'GET', `/projects/${call.arguments[0]}/sessions/${encodeURIComponent(call.arguments[1]!)}`),
  },
  'keys list': {
    summary: 'lists the keys of the platform, never their values',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/keys'),
  },
  'keys rotate': {
    summary: 'makes a new key for a purpose; the old one still opens and verifies',
    arguments: ['PURPOSE'],
    options: {},
    run: (call) => operator(call, 'POST', '/keys/rotate', { purpose: call.arguments[0] }),
  },
  'keys compromise': {
    summary: 'retires a key at once; what it signed is not valid any more, what it sealed is sealed anew',
    arguments: ['KEY_ID'],
    options: {},
    run: (call) => operator(call, 'POST', '/keys/compromise', { keyId: call.arguments[0] }),
  },
  'archive open': {
    summary:
      'opens an archive (a file, s3://BUCKET/KEY, an https URL, or - for standard input) with the private key of its certificate; an individual one into a folder, or one --entry of it',
    offline: true,
    arguments: ['SOURCE'],
    options: {
      key: { type: 'string' },
      out: { type: 'string' },
      entry: { type: 'string' },
      password: { type: 'string' },
      sha256: { type: 'string' },
      manifest: { type: 'string' },
      'platform-keys': { type: 'string' },
      'passphrase-file': { type: 'string' },
    },
    run: async ({ arguments: [source = ''], options }) => {
      // What others need not have is loaded for it alone.
      const { openArchiveCommand } = await import('./archive-open.ts');
      const { stdin, stdout, stderr } = process;
      const words = options as Record<string, string | undefined>;
      const { 'passphrase-file': passphraseFile, 'platform-keys': platformKeys } = words;
      const { key, out, entry, password, sha256, manifest } = words;
      const given = { source, key, out, entry, password, sha256, manifest, platformKeys, passphraseFile };
      return openArchiveCommand(given, { stdin, stdout, stderr, fetch, clock: systemClock, ids: systemIds });
    },
  },
  'archive verify': {
    summary:
      'says whether a file (or s3://BUCKET/KEY, an https URL, or -) is the archive of a manifest, by the public keys of the platform',
    offline: true,
    arguments: ['SOURCE'],
    options: { manifest: { type: 'string' }, 'platform-keys': { type: 'string' } },
    run: async ({ arguments: [source = ''], options }) => {
      const { verifyArchiveCommand } = await import('./archive-verify.ts');
      const { manifest, 'platform-keys': platformKeys } = options as Record<string, string | undefined>;
      return verifyArchiveCommand({ source, manifest, platformKeys }, { stdin: process.stdin, fetch });
    },
  },
  'turn config': {
    summary:
      'writes the configuration of a coturn on another machine, with the secret of turnSecretFile in it: keep it to its owner',
    offline: true,
    arguments: [],
    options: {
      listen: { type: 'string', multiple: true },
      address: { type: 'string', multiple: true },
      relay: { type: 'string', multiple: true },
      cert: { type: 'string' },
      key: { type: 'string' },
      folder: { type: 'string' },
    },
    run: async (call) => {
      const { turnConfigCommand } = await import('./turn-config.ts');
      const { listen = [], address = [], relay = [] } = call.options as Record<string, string[] | undefined>;
      const { cert, key, folder = '/var/lib/turn' } = call.options as Record<string, string | undefined>;
      process.stdout.write(turnConfigCommand({ listen, address, relay, cert, key, folder }, settings(call)));
    },
  },
  'security verify': {
    summary:
      'checks the signature of a security record (a file, or - for standard input) by the public keys of the platform, and shows what it says',
    offline: true,
    arguments: ['SOURCE'],
    options: { 'platform-keys': { type: 'string' } },
    run: async ({ arguments: [source = ''], options }) => {
      const { verifySecurityCommand } = await import('./security-verify.ts');
      const { 'platform-keys': platformKeys } = options as Record<string, string | undefined>;
      return verifySecurityCommand({ source, platformKeys }, { stdin: process.stdin, fetch });
    },
  },
  'client integrity': {
    summary:
      'shows the hashes of the client script, and the line with which a page at any address loads it and no other',
    offline: true,
    arguments: [],
    options: { url: { type: 'string' } },
    run: async (call) =>
      clientIntegrityCommand({ url: (call.options.url as string | undefined) ?? settings(call).publicUrl }),
  },
  ...auditCommands,
  ...ipRangesCommands,
  config: {
    summary: 'shows every setting, its value and where it came from',
    offline: true,
    arguments: [],
    options: { explain: { type: 'boolean' } },
    run: async (call) =>
      explain(settings(call)).map(({ environment, value, origin, description }) =>
        call.options.explain
          ? { setting: environment, value, origin, description }
          : { setting: environment, value, origin },
      ),
  },
};
