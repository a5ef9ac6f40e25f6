/** docs/reference/limits.md, from the table of limits. */
import { limitTable } from '@cloister/protocol/limits';
import { type Generator, table } from './page.ts';

export const limits: Generator = {
  file: 'docs/reference/limits.md',
  generate: () =>
    [
      '# Limits',
      '',
      'Every bound of the platform has a name, which errors and log lines use too. The unit is the last part of the name.',
      '',
      table(
        ['Limit', 'Value', 'Why'],
        Object.entries(limitTable).map(([name, { value, why }]) => [`\`${name}\``, value.toLocaleString('en-US'), why]),
      ),
    ].join('\n'),
};
