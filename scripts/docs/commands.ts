/** docs/reference/commands.md, from the table of commands. */
import { commands } from '../../packages/server/src/cli/commands.ts';
import { type Generator, table } from './page.ts';

export const commandsPage: Generator = {
  file: 'docs/reference/commands.md',
  generate: () =>
    [
      '# Commands',
      '',
      'What `npx cloister` knows beside `serve`. All but `archive open` and `verify`, `audit verify` and `mirror`, `witness`, `security verify` and `config` ask the running server. Each takes `--json` and',
      '`--config FILE`, ends with 0, and with 1 when it could not do what was asked: then standard error has the reason.',
      '',
      table(
        ['Command', 'Options', 'What it does'],
        Object.entries(commands).map(([name, { arguments: words, options, summary }]) => [
          `\`${[name, ...words].join(' ')}\``,
          Object.entries(options)
            .map(
              ([flag, { type, multiple }]) =>
                `\`--${flag}${type === 'string' ? ' …' : ''}\`${multiple ? ' (repeated)' : ''}`,
            )
            .join(', '),
          summary,
        ]),
      ),
    ].join('\n'),
};
