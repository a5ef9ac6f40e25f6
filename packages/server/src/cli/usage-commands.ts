/** The command that exports usage. */
import { type Command, writeFromOperator } from './command.ts';

export const usageCommands: Readonly<Record<string, Command>> = {
  'usage export': {
    summary:
      'writes what was used, by day of UTC, project and zone: participant minutes, archive minutes, sealed bytes; --format csv or json, --from and --until DAY',
    arguments: [],
    options: {
      out: { type: 'string' },
      format: { type: 'string' },
      account: { type: 'string' },
      project: { type: 'string' },
      from: { type: 'string' },
      until: { type: 'string' },
    },
    run: async (call) => {
      const { out, ...wish } = call.options as Record<string, string | undefined>;
      await writeFromOperator(call, '/usage/export', wish, out);
    },
  },
};
