/** Commands of the address list: what operators do with it, and what customers check with it. */
import { systemClock } from '../lib/index.ts';
import { badRequest } from './bad-request.ts';
import { type Call, type Command, operator } from './command.ts';

type Options = Record<string, string | undefined>;

/** The two options that make a change an emergency: it has no notice, and waits for another person. */
function emergencyOf({ options }: Call): { reason: string; by: string } | undefined {
  const { reason, by } = options as Options;
  if (!options.emergency) {
    if (reason !== undefined || by !== undefined) badRequest('--reason and --by belong to --emergency');
    return undefined;
  }
  if (reason === undefined || by === undefined) {
    return badRequest('--emergency needs --reason TEXT and --by NAME, and then another person who approves it');
  }
  return { reason, by };
}

const emergency = { emergency: { type: 'boolean' }, reason: { type: 'string' }, by: { type: 'string' } } as const;
const many = { type: 'string', multiple: true } as const;

export const ipRangesCommands: Readonly<Record<string, Command>> = {
  'ip-ranges announce': {
    summary:
      'announces a block of addresses, in effect after 90 days or --effective later; --first at once, while no project has the list yet; --emergency --reason --by proposes it without notice',
    arguments: ['PREFIX'],
    options: {
      ...{ component: { type: 'string' }, zone: { type: 'string' }, line: { type: 'string' } },
      ...{ port: many, protocol: many, effective: { type: 'string' }, first: { type: 'boolean' } },
      ...emergency,
    },
    run: async (call) => {
      const { component, zone, line, port = [], protocol = [], effective, first } = call.options;
      const block = { prefix: call.arguments[0], component, zone, line, ports: port, protocols: protocol };
      const body = { ...block, effectiveAt: effective, first, emergency: emergencyOf(call) };
      return operator(call, 'POST', '/ip-ranges/announce', body);
    },
  },
  'ip-ranges withdraw': {
    summary:
      'announces that a block goes, after 90 days or --at a later time; --emergency --reason --by proposes it without notice',
    arguments: ['BLOCK_ID'],
    options: { at: { type: 'string' }, ...emergency },
    run: async (call) => {
      const body = { blockId: call.arguments[0], at: call.options.at, emergency: emergencyOf(call) };
      return operator(call, 'POST', '/ip-ranges/withdraw', body);
    },
  },
  'ip-ranges approve': {
    summary: 'carries out an emergency that somebody else proposed; --by says who approves it',
    arguments: ['PROPOSAL_ID'],
    options: { by: { type: 'string' } },
    run: (call) => operator(call, 'POST', '/ip-ranges/approve', { proposalId: call.arguments[0], by: call.options.by }),
  },
  'ip-ranges show': {
    summary: 'shows the blocks of the address list, of both lines, and emergencies that wait for approval',
    arguments: [],
    options: { version: { type: 'string' } },
    run: (call) => operator(call, 'GET', `/ip-ranges${query({ version: call.options.version })}`),
  },
  'ip-ranges history': {
    summary: 'lists the versions of the address list, the newest first',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/ip-ranges/history'),
  },
  'ip-ranges diff': {
    summary: 'shows what customers see differ between a version and another, or the last',
    arguments: ['FROM'],
    options: { to: { type: 'string' } },
    run: (call) => operator(call, 'GET', `/ip-ranges/diff${query({ from: call.arguments[0], to: call.options.to })}`),
  },
  'ip-ranges behind': {
    summary: 'lists the projects that have not acknowledged the last version, and when the next change concerns them',
    arguments: [],
    options: {},
    run: (call) => operator(call, 'GET', '/ip-ranges/behind'),
  },
  'ip-ranges check': {
    summary:
      'says which addresses of a list (a file, or https://HOST/cloister/v1/ip-ranges) this network does not reach, and what a call here would lose; --api-key and --secret-file are for the list, and for media by UDP',
    offline: true,
    arguments: ['SOURCE'],
    options: { 'api-key': { type: 'string' }, 'secret-file': { type: 'string' }, platform: { type: 'string' } },
    run: async ({ arguments: [source = ''], options }) => {
      const { checkRangesCommand } = await import('./ip-ranges-check.ts');
      const { 'api-key': apiKey, 'secret-file': secretFile, platform } = options as Options;
      const result = await checkRangesCommand({ source, apiKey, secretFile, platform }, { fetch, clock: systemClock });
      if (result.missing > 0) process.exitCode = 1;
      return result;
    },
  },
};

function query(words: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(words).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
