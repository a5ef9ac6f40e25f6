/** Commands about people: the first owner of an account, and the operator's own staff. */
import { type Call, type Command, operator } from './command.ts';

/** A call about one person. */
function aboutPerson(call: Call, method: 'POST' | 'DELETE', what = '', body?: unknown): Promise<unknown> {
  const [id] = call.arguments;
  return operator(call, method, `/people/${encodeURIComponent(id!)}${what}`, body);
}

function ofAccount(route: string, { options: { account } }: Call): string {
  return account === undefined ? route : `${route}?${new URLSearchParams({ account: String(account) })}`;
}

export const personCommands: Readonly<Record<string, Command>> = {
  'person invite': {
    summary:
      'invites somebody and shows their link, this once: owner, engineer, auditor or support of --account, or operator or operatorSupport; --password lets them have a password for emergencies',
    arguments: ['EMAIL', 'ROLE'],
    options: { name: { type: 'string' }, account: { type: 'string' }, password: { type: 'boolean' } },
    run: (call) => {
      const [email, role] = call.arguments;
      const { name = '', password = false } = call.options;
      return operator(call, 'POST', ofAccount('/people', call), { email, role, name, password });
    },
  },
  'person list': {
    summary: 'lists the people of --account, or the staff of the operator',
    arguments: [],
    options: { account: { type: 'string' } },
    run: (call) => operator(call, 'GET', ofAccount('/people', call)),
  },
  'person role': {
    summary: 'gives somebody another role, and logs them off',
    arguments: ['PERSON', 'ROLE'],
    options: {},
    run: (call) => aboutPerson(call, 'POST', '/role', { role: call.arguments[1] }),
  },
  'person remove': {
    summary: 'removes somebody with their log-ins and their API keys',
    arguments: ['PERSON'],
    options: {},
    run: (call) => aboutPerson(call, 'DELETE'),
  },
  'person unlock': {
    summary: 'lets somebody try again at once whose log-ins failed too often',
    arguments: ['PERSON'],
    options: {},
    run: (call) => aboutPerson(call, 'POST', '/unlock'),
  },
  'person recover': {
    summary: 'takes every way in of somebody away and shows a new link, for who has lost theirs',
    arguments: ['PERSON'],
    options: {},
    run: (call) => aboutPerson(call, 'POST', '/recover'),
  },
};
