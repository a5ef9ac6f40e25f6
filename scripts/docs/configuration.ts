/** docs/reference/configuration.md, from the schema of the settings. */
import { configKeys, environmentName, keyNames } from '../../packages/server/src/config-schema.ts';
import { type Generator, table } from './page.ts';

export const configuration: Generator = {
  file: 'docs/reference/configuration.md',
  generate: () =>
    [
      '# Configuration',
      '',
      'A setting is read from a variable, else from the file (JSON) that the option `--config` or `CLOISTER_CONFIG` names,',
      'else it has its default. A name that is not in this table is refused. Lists are JSON arrays in the file and',
      'text with commas in a variable. `cloister config --explain` prints every value and where it came from.',
      '',
      table(
        ['In the file', 'Variable', 'Default', 'Meaning'],
        keyNames.map((key) => {
          const { description, standard, secret } = configKeys[key];
          const meaning = secret ? `${description} A secret: never printed.` : description;
          return [`\`${key}\``, `\`${environmentName(key)}\``, standard, meaning];
        }),
      ),
    ].join('\n'),
};
