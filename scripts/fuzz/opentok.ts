/** What the two targets of OpenTok's wire stand on: the real rules over the embedded store, and generators of rubbish. */
import fc from 'fast-check';
import { testPlatform } from '../../tests/core/platform.ts';

/** Text that is near something meant: digits, words of the protocol, odd letters. */
export const oddText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    'true',
    'null',
    '0',
    '-1',
    '1e9',
    'publisher',
    '__proto__',
    'constructor',
    '%',
    '%zz',
    '\0',
    '你',
  ),
  fc.integer().map(String),
  fc.nat({ max: 3000 }).map((length) => 'x'.repeat(length)),
);

/** Any value that JSON can carry. */
export const oddValue = fc.oneof(
  oddText,
  fc.constantFrom(null, true, false, {}, []),
  fc.double(),
  fc.integer(),
  fc.array(oddText, { maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Text with one letter changed, taken out or put in. */
export function damaged(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(text, fc.nat(), fc.nat({ max: 2 }), fc.string({ minLength: 1, maxLength: 1 }))
    .map(([whole, at, taken, letter]) => {
      const index = whole.length === 0 ? 0 : at % whole.length;
      return whole.slice(0, index) + letter + whole.slice(index + taken);
    });
}

/** A platform with a session in which somebody publishes, and the secret of its project. */
export async function liveRoom() {
  const platform = await testPlatform();
  const session = await platform.session();
  const client = await platform.enter(session);
  const streamId = await platform.publish(client);
  const secret = (await platform.core.projects.secretsOf(platform.projectId))[0]!.secret;
  const { archive } = await platform.core.archives.start({ kind: 'system' }, platform.projectId, {
    sessionId: session.id,
  });
  const ids = { sessionId: session.id, streamId, connectionId: client.client.connectionId, archiveId: archive.id };
  return { ...platform, ...ids, secret, client };
}

/** Counts by name. */
export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}
