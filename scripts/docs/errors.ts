/** docs/reference/errors.md, from the table of errors. */
import { errorTable } from '@cloister/protocol/errors';
import { type Generator, table } from './page.ts';

export const errors: Generator = {
  file: 'docs/reference/errors.md',
  generate: () =>
    [
      '# Errors',
      '',
      'Every refusal has a name that is never used for anything else. `{name}` stands for a detail of the case.',
      '',
      'Fault says whose turn it is: the *caller* sent something wrong, the *destination* of a webhook or upload failed, or',
      'the *platform* itself did.',
      '',
      table(
        ['Name', 'HTTP', "OpenTok's code", 'Client', 'Fault', 'Message', 'What to do'],
        Object.entries(errorTable).map(([name, entry]) => [
          `\`${name}\``,
          String(entry.status),
          String(entry.opentok),
          entry.client ? `\`${entry.client}\`` : '',
          entry.fault,
          entry.message,
          entry.help,
        ]),
      ),
    ].join('\n'),
};
