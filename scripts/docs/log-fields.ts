/** docs/reference/log-fields.md, from the declared log fields. */
import { type FieldClass, fieldTable } from '../../packages/server/src/log/index.ts';
import { type Generator, table } from './page.ts';

const meanings: Readonly<Record<FieldClass, string>> = {
  public: 'Written as they are; network addresses are taken out of their text first.',
  pseudonym: 'Written as a short keyed hash: lines of one session can be put together, and nobody be found by them.',
  personal: 'Never written. A call may hand them in, and they are dropped.',
  secret: 'Never written. A call that hands one in does not compile.',
};

function rows(wanted: FieldClass): string[][] {
  return Object.entries(fieldTable)
    .filter(([, field]) => field.class === wanted)
    .map(([name, { type, what }]) => [`\`${name}\``, type, what]);
}

export const logFields: Generator = {
  file: 'docs/reference/log-fields.md',
  generate: () =>
    [
      '# Log fields',
      '',
      'Each log line is one JSON object with `level`, `time` (UTC), `message` (a fixed sentence) and some of these fields.',
      'After lines that could not be written, the next one has `lost`: how many.',
      ...(Object.keys(meanings) as FieldClass[]).flatMap((each) => [
        '',
        `## ${each}`,
        '',
        meanings[each],
        '',
        table(['Field', 'Type', 'What it is'], rows(each)),
      ]),
    ].join('\n'),
};
