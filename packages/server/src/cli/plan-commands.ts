/** Commands about plans and the terms of accounts. */
import { badRequest } from './bad-request.ts';
import { type Call, type Command, operator } from './command.ts';

const change = {
  from: { type: 'string' },
  force: { type: 'boolean' },
  'if-version': { type: 'string' },
} as const;
const many = { type: 'string', multiple: true } as const;

function routeOf({ arguments: [account = ''] }: Call, rest: string): string {
  return `/accounts/${encodeURIComponent(account)}/${rest}`;
}

function orderOf({ options: { from, force, 'if-version': version } }: Call) {
  if (version !== undefined && !/^\d{1,9}$/.test(String(version))) return badRequest('--if-version is a number');
  return { from, force, version: version === undefined ? undefined : Number(version) };
}

export const planCommands: Readonly<Record<string, Command>> = {
  'plans show': {
    summary:
      'shows the table of plans in all its versions: which feature each includes, sells as an add-on or does not have',
    arguments: [],
    options: {},
    run: async (call) => {
      const versions = (await operator(call, 'GET', '/plans')) as PlanVersion[];
      // A column for every plan that there ever is.
      const names = [...new Set(versions.flatMap(({ plans }) => plans))];
      return versions.flatMap(({ version, state, effective, features }) =>
        Object.entries(features).map(([feature, offers]) => ({
          version,
          state,
          effective,
          feature,
          ...Object.fromEntries(names.map((plan) => [plan, offers[plan] ?? null])),
        })),
      );
    },
  },
  'account plan': {
    summary:
      'sets the plan of an account, and as its add-ons those that are named here and no others; --from DAY for a day to come, --force though projects use what is lost',
    arguments: ['ACCOUNT', 'PLAN'],
    options: { 'add-on': many, ...change },
    run: (call) => {
      const { 'add-on': addOns } = call.options;
      return operator(call, 'POST', routeOf(call, 'plan'), { plan: call.arguments[1], addOns, ...orderOf(call) });
    },
  },
  'account add-ons': {
    summary: 'buys and drops add-ons of an account; the others stay, and so does its plan',
    arguments: ['ACCOUNT'],
    options: { buy: many, drop: many, ...change },
    run: (call) => {
      const { buy, drop } = call.options;
      return operator(call, 'POST', routeOf(call, 'terms'), { buy, drop, ...orderOf(call) });
    },
  },
  'account preview': {
    summary:
      'says what a change of plan (with --add-on: all add-ons from then on) or of add-ons would win and lose, when, and which projects use what is lost; changes nothing',
    arguments: ['ACCOUNT'],
    options: { plan: { type: 'string' }, 'add-on': many, buy: many, drop: many, from: { type: 'string' } },
    run: (call) => {
      const { plan, 'add-on': addOns, buy, drop, from } = call.options;
      return operator(call, 'POST', routeOf(call, 'terms/preview'), { plan, addOns, buy, drop, from });
    },
  },
  'account terms': {
    summary:
      'shows plan and add-ons of an account, every change that was agreed or waits, and what one to come would break',
    arguments: ['ACCOUNT'],
    options: {},
    run: (call) => operator(call, 'GET', routeOf(call, 'terms')),
  },
};

interface PlanVersion {
  readonly version: string;
  readonly state: string;
  readonly effective: string;
  readonly plans: readonly string[];
  readonly features: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
