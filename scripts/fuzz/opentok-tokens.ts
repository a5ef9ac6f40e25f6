/**
 * Client tokens in both forms: rubbish, whole tokens with odd fields under a right signature, and damaged ones. The answer
 * is what the token grants or a named refusal of the token; never anything else, and never a grant for a damaged one.
 */
import { createHmac } from 'node:crypto';
import { asPlatformError } from '@cloister/protocol';
import fc from 'fast-check';
import { readClientToken } from '../../packages/server/src/opentok/index.ts';
import { damaged, liveRoom, oddText, oddValue, Tally } from './opentok.ts';

export const name = 'client tokens';

const expected = new Set(['TokenInvalid', 'TokenExpired', 'SessionIdInvalid', 'IssuerNotFound']);
const fieldNames = [
  'session_id',
  'create_time',
  'expire_time',
  'exp',
  'iat',
  'nbf',
  'iss',
  'ist',
  'role',
  'connection_data',
  'initial_layout_class_list',
  'scope',
  'nonce',
];

type Room = Awaited<ReturnType<typeof liveRoom>>;
type Fields = Record<string, unknown>;

/** `String` would call an object's own `toString`, which here may be anything. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : String(JSON.stringify(value));
}

function t1({ projectId, secret }: Room, fields: Fields): string {
  const text = Object.entries(fields)
    .map(([key, value]) => `${key}=${encodeURIComponent(textOf(value).toWellFormed())}`)
    .join('&');
  const sig = createHmac('sha1', secret).update(text).digest('hex');
  return `T1==${Buffer.from(`partner_id=${projectId}&sig=${sig}:${text}`).toString('base64')}`;
}

function jwt({ secret }: Room, header: unknown, fields: Fields): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
  const signed = `${part(header)}.${part(fields)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A token, and whether its bytes are those that were signed. */
function tokens(room: Room): fc.Arbitrary<{ token: string; whole: boolean }> {
  const now = Math.floor(room.clock.now() / 1000);
  const basis = { session_id: room.sessionId, create_time: now, role: 'publisher', nonce: 0.5 };
  const changes = fc.dictionary(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...fieldNames) }, { weight: 1, arbitrary: oddText }),
    oddValue,
    { maxKeys: 3 },
  );
  const fields = changes.map((change) => ({ ...basis, ...change }));
  const header = fc.oneof(
    { weight: 8, arbitrary: fc.constant<unknown>({ alg: 'HS256', typ: 'JWT' }) },
    { weight: 1, arbitrary: fc.record({ alg: oddValue, crit: oddValue }) },
    { weight: 1, arbitrary: oddValue },
  );
  const made = fc.oneof(
    fields.map((each) => t1(room, each)),
    fc
      .tuple(header, fields)
      .map(([head, each]) => jwt(room, head, { iss: room.projectId, ist: 'project', iat: now, ...each })),
  );
  const rubbish = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.base64String({ maxLength: 400 }).map((text) => `T1==${text}`),
    fc.tuple(oddText, oddText).map(([head, tail]) => `T1==${Buffer.from(`${head}:${tail}`).toString('base64')}`),
    fc.tuple(oddValue, oddValue).map(([head, payload]) => {
      const part = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
      return `${part(head)}.${part(payload)}.x`;
    }),
    fc.nat({ max: 100_000 }).map((length) => `T1==${'A'.repeat(length)}`),
  );
  return fc.oneof(
    { weight: 5, arbitrary: made.map((token) => ({ token, whole: true })) },
    {
      weight: 3,
      arbitrary: made.chain((token) =>
        damaged(fc.constant(token)).map((each) => ({ token: each, whole: each === token })),
      ),
    },
    { weight: 2, arbitrary: rubbish.map((token) => ({ token, whole: false })) },
  );
}

/**
 * @param seed of the generator
 * @param cases how many
 * @returns how many tokens ended in which way
 * @throws when one ends in another way than it may
 */
export async function run(seed: number, cases: number): Promise<Record<string, number>> {
  const room = await liveRoom();
  const tally = new Tally();
  try {
    await fc.assert(
      fc.asyncProperty(tokens(room), async ({ token, whole }) => {
        try {
          await readClientToken(room.core, { apiKey: room.projectId, sessionId: room.sessionId, token });
          if (!whole) throw new Error('a damaged token was taken');
          tally.add('granted');
        } catch (thrown) {
          const { code, message } = asPlatformError(thrown);
          if (!expected.has(code) || message.includes('?') || message.length > 400) throw thrown;
          tally.add(code);
        }
      }),
      { seed, numRuns: cases },
    );
  } finally {
    await room.close();
  }
  return tally.counts;
}
