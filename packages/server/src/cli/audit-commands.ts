/** Commands about the audit log, on the machine of the platform and on those of whoever checks it. */
import { systemClock } from '../lib/index.ts';
import { type Command, operator, readText, seconds, writeFromOperator } from './command.ts';
import { say } from './terminal.ts';

export const auditCommands: Readonly<Record<string, Command>> = {
  'audit show': {
    summary: 'shows which audit log this platform has, how many entries it has, and whether it is what was signed',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/audit'),
  },
  'audit export': {
    summary:
      'writes entries of the audit log with what proves them; --checkpoint FILE adds the proof from an older checkpoint',
    arguments: [],
    options: {
      out: { type: 'string' },
      format: { type: 'string' },
      account: { type: 'string' },
      project: { type: 'string' },
      action: { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      checkpoint: { type: 'string' },
    },
    run: async (call) => {
      const { out, checkpoint, ...wish } = call.options as Record<string, string | undefined>;
      const older = checkpoint === undefined ? undefined : readText(checkpoint, 'checkpoint');
      await writeFromOperator(call, '/audit/export', { ...wish, checkpoint: older }, out);
    },
  },
  'audit repair': {
    summary:
      'takes a broken audit log as the database has it, signs it and goes on; --reason says why, and is an entry of the log',
    arguments: [],
    options: { reason: { type: 'string' } },
    run: (call) => operator(call, 'POST', '/audit/repair', { reason: call.options.reason }),
  },
  'audit verify': {
    summary:
      'says whether exports, checkpoints and mirrors (folders) of an audit log are what was signed, and names the first entry that is not; asks no server',
    offline: true,
    arguments: ['FILE…'],
    options: { key: { type: 'string', multiple: true } },
    run: async ({ arguments: files, options }) => {
      const { verifyAuditCommand } = await import('./audit-verify.ts');
      return verifyAuditCommand({ files, keys: (options.key ?? []) as string[] }, fetch);
    },
  },
  'audit mirror': {
    summary: 'fetches every hash of an audit log (https://HOST/cloister/v1/audit) into a folder and checks them all',
    offline: true,
    arguments: ['URL', 'FOLDER'],
    options: { key: { type: 'string', multiple: true } },
    run: async ({ arguments: [url = '', folder = ''], options }) => {
      const { mirrorAuditCommand } = await import('./audit-mirror.ts');
      return mirrorAuditCommand({ url, folder, keys: (options.key ?? []) as string[] }, fetch);
    },
  },
  witness: {
    summary:
      'watches an audit log (https://HOST/cloister/v1/audit) and signs its checkpoints as long as it goes on; keeps its key and what it signed in a folder',
    offline: true,
    arguments: ['URL', 'FOLDER'],
    options: {
      key: { type: 'string', multiple: true },
      name: { type: 'string' },
      every: { type: 'string' },
      once: { type: 'boolean' },
    },
    run: async ({ arguments: [url = '', folder = ''], options }) => {
      const { witnessCommand } = await import('./witness.ts');
      const { key = [], name, every, once = false } = options;
      const everyMs = (seconds(every, 'every') ?? 60) * 1000;
      const words = {
        url,
        folder,
        keys: key as string[],
        name: name as string | undefined,
        everyMs,
        once: once === true,
      };
      await witnessCommand(words, { fetch, now: () => systemClock.now(), say });
      return undefined;
    },
  },
};
