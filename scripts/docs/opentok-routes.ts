/** docs/reference/opentok-routes.md, from the table of routes. */
import { routeTable } from '../../packages/server/src/opentok/index.ts';
import { type Generator, table } from './page.ts';

export const opentokRoutes: Generator = {
  file: 'docs/reference/opentok-routes.md',
  generate: () =>
    [
      "# OpenTok's REST routes",
      '',
      'Routes of the OpenTok REST API and whether this version answers them. What is not offered answers 501 and names the',
      'feature, once the credential is right. Every `/v2/project/…` is also there as `/v2/partner/…`.',
      '',
      'Credential: a JSON Web Token in `X-OPENTOK-AUTH`, signed by the secret of the project or of the account.',
      '',
      table(
        ['Method', 'Path', 'Credential', 'Offered', 'Note'],
        routeTable.map(({ method, path, by, handle, feature, note }) => [
          method,
          `\`${path.replace(/:(\w+)/g, '{$1}')}\``,
          by,
          handle ? 'yes' : `no (501: ${feature})`,
          note ?? '',
        ]),
      ),
    ].join('\n'),
};
