import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import type { ErrorCode } from '@cloister/protocol/errors';
import { makeJwt } from './jwt.ts';
import { type RestFixture, restFixture } from './rest-fixture.ts';
import { makeClientToken, readClientToken } from './token.ts';

/** The maker of T1 tokens that OpenTok's Node SDK uses. */
const sdkT1 = createRequire(import.meta.resolve('opentok'))('opentok-token') as (
  data: Readonly<Record<string, unknown>>,
  apiKey: string,
  secret: string,
) => string;

let rest: RestFixture;
let sessionId: string;
before(async () => {
  rest = await restFixture();
  sessionId = (await rest.session()).id;
});
after(() => rest.close());

type Fields = Readonly<Record<string, unknown>>;

const basis = (): Fields => ({ session_id: sessionId, create_time: rest.now(), role: 'publisher', nonce: 0.25 });

/** A T1 token over fields, or over a data string as some SDK wrote it. */
function t1(data: Fields | string, secret = rest.secret, apiKey = rest.projectId): string {
  const text =
    typeof data === 'string'
      ? data
      : Object.entries(data)
          .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
          .join('&');
  const sig = createHmac('sha1', secret).update(text).digest('hex');
  return `T1==${Buffer.from(`partner_id=${apiKey}&sig=${sig}:${text}`).toString('base64')}`;
}

const jwt = (fields: Fields, secret = rest.secret): string =>
  makeJwt({ iss: rest.projectId, ist: 'project', iat: rest.now(), ...fields }, secret);

const read = (token: string, shown: { apiKey?: string; sessionId?: string } = {}) =>
  readClientToken(rest.core, {
    apiKey: shown.apiKey ?? rest.projectId,
    sessionId: shown.sessionId ?? sessionId,
    token,
  });

async function refused(token: string, why: RegExp, code: ErrorCode = 'TokenInvalid'): Promise<void> {
  await assert.rejects(read(token), (error: { code: string; message: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, why);
    return true;
  });
}

/** The same refusal in both forms. */
async function bothRefused(fields: Fields, why: RegExp, code?: ErrorCode): Promise<void> {
  await refused(t1({ ...basis(), ...fields }), why, code);
  await refused(jwt({ ...basis(), ...fields }), why, code);
}

describe('client tokens', () => {
  it('TOK1 have one of two forms and a bound', async () => {
    await refused('', /not a JSON Web Token/);
    await refused('rubbish', /not a JSON Web Token/);
    await refused('T1==', /no colon/);
    await refused('T1==%%%', /not base64/);
    await refused(`T1==${Buffer.from('partner_id=1&sig=2').toString('base64')}`, /no colon/);
    await refused(`T2==${t1(basis()).slice(4)}`, /not a JSON Web Token/);
    const grown = (pad: number) => jwt({ ...basis(), pad: 'x'.repeat(pad) });
    let pad = 24_000;
    while (grown(pad + 1).length <= limits.tokenBytes) pad += 1;
    assert.equal((await read(grown(pad))).role, 'publisher');
    await refused(grown(pad + 3), /longer than 32768 bytes/);
    await refused(`T1==${'A'.repeat(limits.tokenBytes)}`, /longer than 32768 bytes/);
  });

  it('TOK2 T1: the bytes after the first colon are what is signed', async () => {
    const data = { name: 'Bob&x', at: '10:30' };
    const token = sdkT1(
      {
        session_id: sessionId,
        create_time: rest.now(),
        nonce: Math.random(),
        role: 'moderator',
        expire_time: rest.now() + 60,
        connection_data: JSON.stringify(data),
        initial_layout_class_list: 'a b',
        scope: 'session.connect',
      },
      rest.projectId,
      rest.secret,
    );
    assert.deepEqual(await read(token), {
      projectId: rest.projectId,
      sessionId,
      role: 'moderator',
      connectionData: JSON.stringify(data),
      layoutClasses: ['a', 'b'],
      secretId: (await rest.core.projects.secretsOf(rest.projectId))[0]!.id,
    });
    const odd = `nonce=-77&connection_data=a:b%3Ac+d&create_time=${rest.now()}&role=subscriber&session_id=${sessionId}`;
    const claims = await read(t1(odd));
    assert.deepEqual([claims.role, claims.connectionData], ['subscriber', 'a:b:c d']);
    await read(t1(`session_id=${sessionId}&create_time=${rest.now()}`));
    await refused(t1(basis(), rest.secret, '12345678'), /another project/);
    await refused(`T1==${Buffer.from(`sig=x:session_id=${sessionId}`).toString('base64')}`, /before its colon/);
  });

  it('TOK3 JWT: as the SDKs of Node, Python, Ruby, PHP and Java make them', async () => {
    const now = rest.now();
    const made: Fields[] = [
      { ...basis(), exp: now + 60, expire_time: now + 60.4, initial_layout_class_list: '', scope: 'session.connect' },
      { session_id: sessionId, exp: now + 60, role: 'publisher', nonce: 4711, jti: '0.123' },
      { session_id: sessionId, role: 'publisher', nonce: 0.5, create_time: now },
      { ...basis(), data: null, connection_data: null, expireTime: null, initial_layout_class_list: 'a+b%20c' },
      { ...basis(), exp: now + 60, jti: 'uuid', iss: Number(rest.projectId) },
    ];
    for (const fields of made) await read(jwt(fields));
    const token = {
      apiKey: rest.projectId,
      secret: rest.secret,
      sessionId,
      role: 'subscriber',
      data: 'd',
      expiresAt: now + 60,
    };
    const own = await read(makeClientToken(token, rest.clock.now()));
    assert.deepEqual([own.role, own.connectionData], ['subscriber', 'd']);
    await refused(jwt({ ...basis(), iss: '12345678' }), /another project/);
    await refused(jwt({ ...basis(), iss: undefined }), /another project/);
    await refused(jwt({ ...basis(), ist: 'account' }), /not signed by a project/);
  });

  it('TOK4 count for their session and project only', async () => {
    const other = (await rest.session()).id;
    await bothRefused({ session_id: other }, /another session/);
    await bothRefused({ session_id: '' }, /not a client token/);
    await refused(rest.credential(), /not a client token/);
    await assert.rejects(read(t1(basis()), { sessionId: 'x' }), { code: 'SessionIdInvalid' });
    const { project } = await rest.core.projects.create({ kind: 'system' }, rest.accountId, {});
    await assert.rejects(read(t1(basis()), { apiKey: project.id }), { code: 'SessionIdInvalid' });
    const foreign = `2_${Buffer.from('2~12345678~~1~abcdefghijklmnopqrstuvwx~~').toString('base64url')}`;
    const unknown = t1({ ...basis(), session_id: foreign }, 'secret', '12345678');
    await assert.rejects(read(unknown, { apiKey: '12345678', sessionId: foreign }), { code: 'IssuerNotFound' });
  });

  it('TOK5 begin and end when they say, within the bounds', async () => {
    const now = rest.now();
    const life = limits.clientTokenLifetimeSeconds;
    const day = limits.clientTokenDefaultSeconds;
    const skew = limits.clockSkewSeconds;
    const each = async (fields: Fields) => {
      await read(t1({ ...basis(), ...fields }));
      await read(jwt({ ...basis(), ...fields }));
    };
    await each({ create_time: now + skew });
    await bothRefused({ create_time: now + skew + 1 }, /future/);
    await each({ expire_time: now + life });
    await bothRefused({ expire_time: now + life + 1 }, /30 days/);
    await each({ expire_time: now + 1 });
    await bothRefused({ expire_time: now }, /expired at 20/, 'TokenExpired');
    await each({ create_time: now - day + 1 });
    await bothRefused({ create_time: now - day }, /expired at 20/, 'TokenExpired');
    await refused(jwt({ session_id: sessionId, iat: now - day }), /expired/, 'TokenExpired');
    await refused(jwt({ ...basis(), exp: now + 60, expire_time: now - 1 }), /expired/, 'TokenExpired');
    await refused(jwt({ ...basis(), exp: now - 1, expire_time: now + 60 }), /expired/, 'TokenExpired');
    await refused(jwt({ ...basis(), nbf: now + skew + 1 }), /future/);
    await refused(t1(`session_id=${sessionId}`), /neither create_time nor iat/);
    for (const wrong of ['soon', '-1', '1e9', 'NaN', '9'.repeat(40)])
      await bothRefused({ create_time: wrong }, /not a time/);
    for (const wrong of [[], {}, true, -1]) await refused(jwt({ ...basis(), expire_time: wrong }), /not a time/);
  });

  it('TOK6 have one of four roles', async () => {
    for (const role of ['publisher', 'subscriber', 'moderator', 'publisheronly']) {
      assert.equal((await read(t1({ ...basis(), role }))).role, role);
      assert.equal((await read(jwt({ ...basis(), role }))).role, role);
    }
    assert.equal((await read(t1(`session_id=${sessionId}&create_time=${rest.now()}`))).role, 'publisher');
    for (const role of ['Publisher', 'admin', 'constructor', ' publisher'])
      await bothRefused({ role }, /role is none of/);
    await refused(jwt({ ...basis(), role: ['publisher'] }), /role is none of/);
  });

  it('TOK7 carry connection data up to the bound', async () => {
    const data = '你'.repeat(limits.connectionDataChars);
    assert.equal((await read(t1({ ...basis(), connection_data: data }))).connectionData, data);
    assert.equal((await read(jwt({ ...basis(), connection_data: data }))).connectionData, data);
    await bothRefused({ connection_data: `${data}x` }, /longer than 1024/);
    await refused(jwt({ ...basis(), connection_data: { a: 1 } }), /not text/);
  });

  it('TOK8 carry layout classes, URL-encoded once more by PHP', async () => {
    const classes = async (list: unknown) =>
      (await read(jwt({ ...basis(), initial_layout_class_list: list }))).layoutClasses;
    assert.deepEqual(await classes('focus  big '), ['focus', 'big']);
    assert.deepEqual(await classes('focus+big%20%C3%A9'), ['focus', 'big', 'é']);
    assert.deepEqual(await classes(''), []);
    assert.equal((await classes(Array(limits.layoutClasses).fill('a').join(' '))).length, limits.layoutClasses);
    await bothRefused(
      {
        initial_layout_class_list: Array(limits.layoutClasses + 1)
          .fill('a')
          .join(' '),
      },
      /more than 32/,
    );
    assert.equal((await classes('x'.repeat(limits.layoutClassChars))).length, 1);
    await bothRefused({ initial_layout_class_list: 'x'.repeat(limits.layoutClassChars + 1) }, /more than 64/);
    await refused(jwt({ ...basis(), initial_layout_class_list: '%zz' }), /not URL-encoded/);
    await refused(jwt({ ...basis(), initial_layout_class_list: ['a'] }), /not text/);
  });

  it('TOK9 may have null where PHP has, and nothing twice in T1', async () => {
    await read(jwt({ ...basis(), role: null, exp: null, expire_time: '', connection_data: null, scope: null }));
    await read(jwt({ ...basis(), scope: 'other session.connect' }));
    await bothRefused({ scope: 'archive' }, /scope/);
    await refused(
      t1(`session_id=${sessionId}&create_time=${rest.now()}&role=subscriber&role=moderator`),
      /field twice/,
    );
  });

  it('TOK10 TOK13 may be used again, from a page of any origin', async () => {
    const join = (body: unknown, from = '192.0.2.1') =>
      rest.call('POST', '/cloister/v1/join', { as: null, body, from, headers: { origin: 'https://app.example' } });
    const token = t1(basis());
    const shown = { apiKey: rest.projectId, sessionId, token };
    const answers = [await join(shown), await join(shown)];
    for (const answer of answers) {
      assert.equal(answer.statusCode, 200, answer.body);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.json().signallingUrl, 'ws://media.example/signalling');
      assert.equal(answer.json().mediaMode, 'routed');
    }
    assert.notEqual(answers[0]!.json().ticket, answers[1]!.json().ticket);
    const preflight = await rest.call('OPTIONS', '/cloister/v1/join', { as: null });
    assert.equal(preflight.statusCode, 204);
    assert.equal(preflight.headers['access-control-allow-headers'], 'content-type');
    const expired = await join({ ...shown, token: t1({ ...basis(), expire_time: rest.now() }) });
    assert.equal(expired.statusCode, 403);
    assert.equal(expired.headers['access-control-allow-origin'], '*');
    assert.deepEqual(Object.keys(expired.json()), ['code', 'message', 'help', 'details']);
    assert.equal(expired.json().code, 'TokenExpired');
    for (const body of [
      {},
      '',
      '{',
      { ...shown, token: 7 },
      { ...shown, apiKey: null },
      { ...shown, sessionId: 'x'.repeat(513) },
    ]) {
      const answer = await join(body);
      assert.equal(answer.json().code, 'BadRequest', answer.body);
    }
    assert.equal((await join({ ...shown, token: 'x'.repeat(limits.tokenBytes + 1) })).json().code, 'TokenInvalid');
  });

  it('TOK14 ask for the address list, and are refused where there is none', async () => {
    const join = (wish: object) => {
      const body = { apiKey: rest.projectId, sessionId, token: t1(basis()), ...wish };
      return rest.call('POST', '/cloister/v1/join', { as: null, body, from: '192.0.2.14' });
    };
    assert.equal((await join({ ipWhitelist: true })).json().code, 'AddressListMissing');
    assert.equal((await join({ ipWhitelist: false })).statusCode, 200);
    assert.equal((await join({ ipWhitelist: 'yes' })).json().code, 'BadRequest');
  });

  it('TOK13 joins are limited by token and by address', async () => {
    const join = (token: string, from: string) =>
      rest.call('POST', '/cloister/v1/join', { as: null, from, body: { apiKey: rest.projectId, sessionId, token } });
    const token = t1({ ...basis(), nonce: 9 });
    for (let each = 0; each < limits.joinsPerTokenBurst; each += 1) {
      assert.equal((await join(token, `192.0.2.${each}`)).statusCode, 200);
    }
    const limited = await join(token, '192.0.2.200');
    assert.deepEqual([limited.statusCode, limited.json().code], [429, 'RateLimited']);
    assert.ok(Number(limited.headers['retry-after']) >= 1);
    for (let each = 0; each < limits.joinsPerAddressBurst; each += 1) await join(`${each}`, '198.51.100.9');
    assert.equal((await join(t1({ ...basis(), nonce: 10 }), '198.51.100.9')).statusCode, 429);
    assert.equal((await join(t1({ ...basis(), nonce: 10 }), '198.51.100.10')).statusCode, 200);
  });

  it('TOK11 are refused after any change', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
    for (const token of [t1(basis()), jwt(basis())]) {
      for (let at = 4; at < token.length; at += 1) {
        if ('.='.includes(token[at]!)) continue;
        const next = letters[(letters.indexOf(token[at]!) + 1) % letters.length]!;
        await assert.rejects(
          read(token.slice(0, at) + next + token.slice(at + 1)),
          { code: 'TokenInvalid' },
          `at ${at}`,
        );
      }
      for (const other of [`${token}A`, `${token}\n`, ` ${token}`])
        await assert.rejects(read(other), { code: 'TokenInvalid' });
    }
    await refused(t1(basis(), 'wrong'), /signature/);
    for (const [find, spelling] of [
      [/sig=.{40}/, (sig: string) => `sig=${sig.slice(4).toUpperCase()}`],
      [/sig=.{40}/, (sig: string) => `${sig}&sig=${sig.slice(4)}`],
      [/sig=/, () => 's%69g='],
      [/^/, () => 'more=1&'],
    ] as const) {
      const text = Buffer.from(t1(basis()).slice(4), 'base64').toString();
      const other = `T1==${Buffer.from(text.replace(find, spelling)).toString('base64')}`;
      await refused(other, /before its colon/);
    }
    const padded = [basis(), { ...basis(), nonce: '10' }, { ...basis(), nonce: '100' }].map((each) => t1(each));
    const cut = padded.find((each) => each.endsWith('='))!.replace(/=+$/, '');
    await refused(cut, /not base64/);
    await refused(jwt(basis(), 'wrong'), /signature/);
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${jwt(basis()).split('.')[1]}.AA`;
    await refused(none, /not HS256/);
  });

  it('TOK12 name the secret that signed them', async () => {
    const { project, secret } = await rest.core.projects.create({ kind: 'system' }, rest.accountId, {});
    const session = await rest.core.sessions.create({ kind: 'system' }, project.id, {
      mediaMode: 'routed',
      archiveMode: 'manual',
      e2ee: false,
    });
    const own = { apiKey: project.id, sessionId: session.id };
    const token = t1({ ...basis(), session_id: session.id }, secret, project.id);
    const before = await read(token, own);
    const fresh = await rest.core.projects.rotateSecret({ kind: 'system' }, project.id, { how: 'grace', seconds: 5 });
    assert.equal((await read(token, own)).secretId, before.secretId);
    const newer = await read(t1({ ...basis(), session_id: session.id }, fresh, project.id), own);
    assert.notEqual(newer.secretId, before.secretId);
    rest.clock.advance(5000);
    await assert.rejects(read(token, own), { code: 'TokenInvalid' });
  });
});
