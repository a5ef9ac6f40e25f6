/** The `cloister` command: which words lead to which file. */
import { parseArgs } from 'node:util';
import { badRequest } from './bad-request.ts';
import type { Command, OptionValue } from './command.ts';
import { commands } from './commands.ts';
import { fail, say, show } from './terminal.ts';

async function run(argv: readonly string[]): Promise<void> {
  if (argv[0] === 'serve') {
    // The whole platform: what only asks the running server need not wait for it to load.
    const { serve } = await import('./serve.ts');
    return serve(argv.slice(1));
  }
  if (argv.length === 0 || argv[0] === 'help' || argv[0] === '--help') return help();
  const [name, command] = find(argv);
  const { values, positionals } = read(command, argv.slice(name.split(' ').length));
  const { json, config: file, ...options } = values as Record<string, OptionValue>;
  const missing = command.arguments.slice(positionals.length)[0];
  const repeats = command.arguments.at(-1)?.endsWith('…') ?? false;
  if (missing || (positionals.length > command.arguments.length && !repeats)) {
    badRequest(`cloister ${name} takes ${command.arguments.join(' ') || 'no argument'}`);
  }
  const result = await command.run({ arguments: positionals, options, configFile: file as string | undefined });
  if (result !== undefined) show(result, json === true);
}

function find(argv: readonly string[]): [string, Command] {
  const two = argv.slice(0, 2).join(' ');
  const name = Object.hasOwn(commands, two) ? two : (argv[0] ?? '');
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) return badRequest(`there is no command ${two}; cloister help lists them`);
  return [name, command];
}

/** Ids of keys may begin with `-`, and no option has a single one: such a word is covered while options are looked for. */
const cover = '\0';
const covered = (word: string) => (/^-[^-]/.test(word) ? cover + word : word);
const uncovered = <Value>(value: Value) => (typeof value === 'string' ? value.replace(cover, '') : value);

function read(command: Command, args: readonly string[]) {
  try {
    const options = { ...command.options, json: { type: 'boolean' }, config: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: args.map(covered), options, allowPositionals: true });
    const uncover = <Value>(value: Value) => (Array.isArray(value) ? value.map(uncovered) : uncovered(value));
    return {
      values: Object.fromEntries(Object.entries(values).map(([flag, value]) => [flag, uncover(value)])),
      positionals: positionals.map(uncovered),
    };
  } catch (error) {
    return badRequest((error as Error).message, error);
  }
}

function help(): void {
  say('cloister serve [--lan]                          runs the platform; with --json says once, in one line, where');
  for (const [name, { arguments: args, options, summary }] of Object.entries(commands)) {
    const flags = Object.entries(options).map(([flag, { type, multiple }]) =>
      type === 'boolean' ? `[--${flag}]` : `[--${flag} …]${multiple ? '…' : ''}`,
    );
    say(`cloister ${[name, ...args, ...flags].join(' ').padEnd(38)} ${summary}`);
  }
  say('Each of them takes --json and --config FILE.');
}

run(process.argv.slice(2)).catch(fail);
